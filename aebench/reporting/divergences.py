"""One Gaussian Q for a density P of two humps: by D(P ‖ Q) it covers both, by D(Q ‖ P) it sits on one.

D(P ‖ Q) = ∫ p ln p/q    least where Q has the mean and variance of P
D(Q ‖ P) = ∫ q ln q/p    has a minimum at each hump; the lower one is taken
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from aebench.reporting import canvas

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GRID = np.linspace(-12, 12, 4801)
"""Where densities are summed: 1/200 apart, and nothing of P or of a fit beyond."""


@dataclass(frozen=True)
class Mixture:
    """A density of the line: Gaussians of these weights, means and deviations; of one it is a Gaussian."""

    weights: tuple[float, ...]
    means: tuple[float, ...]
    deviations: tuple[float, ...]

    @cached_property
    def log_density(self) -> np.ndarray:
        """ln p at `GRID`."""
        weights, means, deviations = (np.array(part)[:, None] for part in (self.weights, self.means, self.deviations))
        logs = np.log(weights / (deviations * np.sqrt(2 * np.pi))) - ((GRID - means) / deviations) ** 2 / 2
        return np.logaddexp.reduce(logs)

    @property
    def density(self) -> np.ndarray:
        """P at `GRID`."""
        return np.exp(self.log_density)


P = Mixture((0.6, 0.4), (-1.8, 2.0), (0.7, 0.6))


def gaussian(mean: float, deviation: float) -> Mixture:
    """N(mean, deviation²)."""
    return Mixture((1.0,), (mean,), (deviation,))


def divergence(p: Mixture, q: Mixture) -> float:
    """D(p ‖ q) in nats."""
    return float(((p.log_density - q.log_density) * p.density).sum() * (GRID[1] - GRID[0]))


def covering(p: Mixture) -> Mixture:
    """The Gaussian of least D(P ‖ Q): it has P's moments."""
    weights, means, deviations = map(np.array, (p.weights, p.means, p.deviations))
    mean = weights @ means
    return gaussian(float(mean), float(np.sqrt(weights @ (deviations**2 + means**2) - mean**2)))


def seeking(p: Mixture) -> list[Mixture]:
    """The Gaussians at the minima of D(Q ‖ P) that a descent finds from each hump, the lowest first."""
    from scipy.optimize import minimize

    def cost(at: np.ndarray) -> float:
        return divergence(gaussian(at[0], np.exp(at[1])), p)

    starts = [(mean, np.log(deviation)) for mean, deviation in zip(p.means, p.deviations, strict=True)]
    found = [minimize(cost, start, method="BFGS", options={"gtol": 1e-9}) for start in starts]
    return [gaussian(float(fit.x[0]), float(np.exp(fit.x[1]))) for fit in sorted(found, key=lambda fit: fit.fun)]


def divergences() -> "Figure":
    """P and both fits, their divergences in the legend."""
    lowest, *others = seeking(P)
    fits = {
        "least D(P ‖ Q)": (covering(P), {"color": canvas.BLUE}),
        "least D(Q ‖ P)": (lowest, {"color": canvas.ORANGE, "linestyle": "--"}),
        "its other minimum": (others[0], {"color": canvas.ORANGE, "linestyle": ":", "linewidth": 1}),
    }
    drawing = canvas.figure(3.2, 6.5)
    axes = drawing.subplots()
    shown = slice(None, None, 8)
    axes.fill_between(GRID[shown], P.density[shown], color="0.85", label="P")
    for name, (fit, style) in fits.items():
        told = f"{name}: D(P ‖ Q) = {divergence(P, fit):.2f}, D(Q ‖ P) = {divergence(fit, P):.2f}"
        axes.plot(GRID[shown], fit.density[shown], label=told, **{"linewidth": 1.6} | style)
    axes.set(xlim=(-6, 6), ylim=(0, None), xlabel="z", ylabel="density")
    drawing.legend(loc="outside upper left")
    return drawing
