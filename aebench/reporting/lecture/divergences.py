"""A Gaussian Q fitted to a bimodal density P: minimising KL(P ‖ Q) covers both modes, minimising KL(Q ‖ P) selects one.

KL(P ‖ Q) = ∫ p ln p/q         minimal if Q has the mean and variance of P
KL(Q ‖ P) = ∫ q ln q/p         has a local minimum at each mode
B(P, Q)  = -ln ∫ sqrt(p q)    the Bhattacharyya distance: symmetric, at most half of each divergence
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from aebench.reporting.figures import canvas
from aebench.reporting.figures.base import ReportFigure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GRID = np.linspace(-12, 12, 4801)
"""Grid of the numerical integrals; outside it, P and the fits are negligible."""


@dataclass(frozen=True)
class Mixture:
    """A mixture of one-dimensional Gaussians."""

    weights: tuple[float, ...]
    means: tuple[float, ...]
    deviations: tuple[float, ...]

    @cached_property
    def log_density(self) -> np.ndarray:
        """ln p on `GRID`."""
        weights, means, deviations = (np.array(part)[:, None] for part in (self.weights, self.means, self.deviations))
        logs = np.log(weights / (deviations * np.sqrt(2 * np.pi))) - ((GRID - means) / deviations) ** 2 / 2
        return np.logaddexp.reduce(logs)

    @property
    def density(self) -> np.ndarray:
        """p on `GRID`."""
        return np.exp(self.log_density)


P = Mixture((0.6, 0.4), (-1.8, 2.0), (0.7, 0.6))


def gaussian(mean: float, deviation: float) -> Mixture:
    """Return the density N(mean, deviation²)."""
    return Mixture((1.0,), (mean,), (deviation,))


def divergence(p: Mixture, q: Mixture) -> float:
    """Return D(p ‖ q) in nats."""
    return float(((p.log_density - q.log_density) * p.density).sum() * (GRID[1] - GRID[0]))


def bhattacharyya(p: Mixture, q: Mixture) -> float:
    """Return B(p, q) in nats."""
    return -float(np.log(np.exp((p.log_density + q.log_density) / 2).sum() * (GRID[1] - GRID[0])))


def covering(p: Mixture) -> Mixture:
    """Return the Gaussian that minimises KL(P ‖ Q): it has the mean and variance of P."""
    weights, means, deviations = map(np.array, (p.weights, p.means, p.deviations))
    mean = weights @ means
    return gaussian(float(mean), float(np.sqrt(weights @ (deviations**2 + means**2) - mean**2)))


def seeking(p: Mixture) -> list[Mixture]:
    """Return the Gaussians at the local minima of KL(Q ‖ P), found by BFGS from each mode of P; the global minimum first."""
    from scipy.optimize import minimize

    def cost(x: np.ndarray) -> float:
        return divergence(gaussian(x[0], np.exp(x[1])), p)

    starts = [(mean, np.log(deviation)) for mean, deviation in zip(p.means, p.deviations, strict=True)]
    fits = [minimize(cost, start, method="BFGS", options={"gtol": 1e-9}) for start in starts]
    return [gaussian(float(fit.x[0]), float(np.exp(fit.x[1]))) for fit in sorted(fits, key=lambda fit: fit.fun)]


def divergences() -> "Figure":
    """Plot P and the three fits, with their divergences and distances in the legend."""
    lowest, *others = seeking(P)
    fits = {
        "minimum of KL(P ‖ Q)": (covering(P), {"color": canvas.BLUE}),
        "minimum of KL(Q ‖ P)": (lowest, {"color": canvas.ORANGE, "linestyle": "--"}),
        "local minimum of KL(Q ‖ P)": (others[0], {"color": canvas.ORANGE, "linestyle": ":", "linewidth": 1}),
    }
    drawing = canvas.figure(3.2, 6.5)
    axes = drawing.subplots()
    shown = slice(None, None, 8)
    axes.fill_between(GRID[shown], P.density[shown], color="0.85", label="P")
    for name, (fit, style) in fits.items():
        divergence_pq, divergence_qp, distance = divergence(P, fit), divergence(fit, P), bhattacharyya(P, fit)
        label = f"{name}: KL(P ‖ Q) = {divergence_pq:.2f}, KL(Q ‖ P) = {divergence_qp:.2f}, B(P, Q) = {distance:.2f}"
        axes.plot(GRID[shown], fit.density[shown], label=label, **{"linewidth": 1.6} | style)
    axes.set(xlim=(-6, 6), ylim=(0, None), xlabel="z", ylabel="density")
    drawing.legend(loc="outside upper left")
    return drawing


FIGURES = {
    "divergences": ReportFigure(
        divergences,
        "The two Kullback-Leibler divergences",
        "A density with two modes, a wide Gaussian over both, and a narrow Gaussian on each of them.",
        "A Gaussian Q fitted to a bimodal density P. KL(P ‖ Q) is minimal if Q has the mean and variance of P: Q must not be "
        "small where P is not, so it covers both modes and the gap between them. KL(Q ‖ P) penalises the reverse, so Q selects "
        "one mode; it has a local minimum at each of them, and the global minimum is at the heavier mode. A variational "
        "autoencoder minimises D(q(z|x) ‖ p(z|x)), so its encoder selects a mode: where several codes explain an image, q may "
        "represent only one of them. The Bhattacharyya distance B(P, Q) = -ln ∫ sqrt(p q) measures how little P and Q overlap. "
        "It is symmetric, at most half of each divergence, 0 only for equal densities and infinite only for densities without "
        "overlap, so a region that one of them misses counts less than in a divergence.",
    ),
}
