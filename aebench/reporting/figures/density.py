"""Codes that are distributions: single posteriors, the aggregate posterior of each unit, and bounds on log p(x).

aggregate posterior   q(z_j) = 1/p sum_i N(z_j; m_ij, s_ij²)   for unit j and p test images
gap                   log p(x) - ELBO = D[q(z|x) ‖ p(z|x)] >= IWAE_K - ELBO
"""

from typing import TYPE_CHECKING

import numpy as np

from aebench.evaluation.metrics.density import ACTIVE
from aebench.reporting.figures import canvas
from aebench.reporting.figures.base import ReportFigure
from aebench.reporting.results import ModelResults, Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

IMAGES, UNITS = 200, 30
"""Maximum numbers of posteriors and of units per panel; more cannot be distinguished."""
REACH = 4.0
"""Densities are drawn from -REACH to REACH."""
PRIOR = {"color": "0.75", "linewidth": 5, "solid_capstyle": "butt", "label": "prior N(0, 1)"}
UNIT_STYLES = {
    True: {"color": canvas.BLUE, "label": "active unit"},
    False: {"color": canvas.ORANGE, "label": "collapsed unit", "linestyle": "--"},
}
"""Whether the unit is active -> label and style of its density."""


def posteriors(results: Results) -> "Figure | None":
    """Draw one panel per model with a 2-D code: posteriors as ellipses, other codes as points; None without a posterior."""
    distributions = [model for model in _with_posterior(results) if model.pictures["posterior_mean"].shape[1] == 2]
    points = [m for m in results.models if "scatter" in m.pictures and "posterior_mean" not in m.pictures]
    if not distributions:
        return None
    models, colours = distributions + points, np.array(canvas.colours(len(results.about.classes)))
    figure, panels = canvas.panels(len(models), across=3, height=2.3, margin=1.3)
    for axes, model in zip(panels, models, strict=True):
        (_ellipses if model in distributions else _points)(axes, model, colours)
        axes.set(title=model.name, xlabel="first unit", ylabel="second unit")
        axes.set_aspect("equal", adjustable="datalim")
    canvas.class_legend(figure, results.about.classes)
    return figure


def aggregate_posterior(results: Results) -> "Figure | None":
    """Draw one panel per model with a posterior: one line per unit in front of the prior."""
    models = _with_posterior(results)
    if not models:
        return None
    figure, panels = canvas.panels(len(models), across=2, height=2.4, sharex=True)
    z = np.linspace(-REACH, REACH, 401)
    for axes, model in zip(panels, models, strict=True):
        mean, sd = (model.pictures[f"posterior_{part}"].astype(float) for part in ("mean", "sd"))
        variance = mean.var(0)
        active = variance > ACTIVE
        axes.plot(z, mixture(np.zeros((1, 1)), np.ones((1, 1)), z)[0], **PRIOR)
        for unit in np.argsort(-variance, kind="stable")[:UNITS]:
            axes.plot(z, mixture(mean[:, [unit]], sd[:, [unit]], z)[0], linewidth=0.8, **UNIT_STYLES[bool(active[unit])])
        axes.set(title=f"{model.name}: {active.sum()} of {len(active)} units active", ylim=(0, None))
    canvas.legend(figure, *panels)
    figure.supxlabel("z")
    figure.supylabel("density")
    return figure


def elbo_gap(results: Results) -> "Figure | None":
    """Draw one panel per model with a posterior: how far its IWAE bounds are above its ELBO, by number of samples."""
    models = _with_posterior(results)
    if not models:
        return None
    figure, panels = canvas.panels(len(models), across=2, height=1.8, sharex=True, sharey=True)
    for axes, model in zip(panels, models, strict=True):
        samples, bounds = model.curve("iwae_by_samples")
        elbo, gap = (model.scores[name].mean for name in ("elbo", "posterior_gap"))
        axes.axhline(0, color=canvas.ORANGE, linestyle="--", label="ELBO")
        axes.plot(samples, bounds - elbo, color=canvas.BLUE, marker=".", label="IWAE bound")
        axes.fill_between(samples, 0, bounds - elbo, color=canvas.GREY, alpha=0.3, linewidth=0, label="gap")
        axes.set(title=f"{model.name}: ELBO {elbo:.2f}, gap {gap:.2f} nats", xscale="log")
        canvas.plain_ticks(axes.xaxis)
    canvas.legend(figure, panels[0])
    figure.supxlabel("number of samples K")
    figure.supylabel("bound - ELBO, nats")
    return figure


def mixture(mean: np.ndarray, sd: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Return aggregate posteriors (k, points) at z (points,), of posteriors with means and standard deviations (p, k)."""
    standardised = (z - mean[..., None]) / sd[..., None]  # (p, k, points)
    return (np.exp(-(standardised**2) / 2) / (sd[..., None] * np.sqrt(2 * np.pi))).mean(0)


def _with_posterior(results: Results) -> list[ModelResults]:
    return [model for model in results.models if "posterior_mean" in model.pictures]


def _ellipses(axes: "Axes", model: ModelResults, colours: np.ndarray) -> None:
    from matplotlib.collections import EllipseCollection

    mean, sd, labels = (model.pictures[f"posterior_{part}"][:IMAGES] for part in ("mean", "sd", "labels"))
    style = {"edgecolor": colours[labels], "facecolor": "none", "linewidth": 0.7, "alpha": 0.9}
    position = {"units": "xy", "offsets": mean, "offset_transform": axes.transData}
    axes.add_collection(EllipseCollection(*2 * sd.T, np.zeros(len(sd)), **position, **style))
    axes.update_datalim(np.concatenate([mean - sd, mean + sd]))
    axes.autoscale_view()


def _points(axes: "Axes", model: ModelResults, colours: np.ndarray) -> None:
    points, labels = model.pictures["scatter"][:IMAGES], model.pictures["scatter_labels"][:IMAGES]
    axes.scatter(*points.T, s=4, c=colours[labels], linewidth=0)


def _posteriors_caption(results: Results) -> str:
    images = min(IMAGES, max(len(model.pictures["posterior_mean"]) for model in _with_posterior(results)))
    return (
        f"Two-dimensional codes of {images} test images (first seed). If a code is a distribution, q(z|x) is drawn as an "
        "ellipse of one standard deviation; otherwise the code is a point. Where ellipses overlap, training also covers codes "
        "between different images. Small ellipses mean that codes carry much information about their images."
    )


def _aggregate_caption(results: Results) -> str:
    images = max(len(model.pictures["posterior_mean"]) for model in _with_posterior(results))
    return (
        f"The mean of q(z|x) over {images} test images, one line per unit, and the prior that it should match (first seed). "
        f"At most {UNITS} units are shown, those whose posterior means vary most. If its posterior mean hardly varies "
        f"between images (variance at most {ACTIVE:g}), a unit carries almost no information; if it has collapsed, q(z|x) is "
        "the prior for every image, and the line coincides with the prior's."
    )


FIGURES = {
    "posteriors": ReportFigure(
        posteriors,
        "Posteriors and point codes",
        "Ellipses or points in the plane of two-dimensional codes, coloured by class, one panel per model.",
        _posteriors_caption,
    ),
    "aggregate_posterior": ReportFigure(
        aggregate_posterior,
        "Aggregate posterior",
        "Density curves of each unit's aggregate posterior in front of the prior's, one panel per model with a posterior.",
        _aggregate_caption,
    ),
    "elbo_gap": ReportFigure(
        elbo_gap,
        "Gap between the ELBO and log p(x)",
        "Curves of the IWAE bound that rise with the number of samples above a dashed line, the ELBO, one panel per model.",
        "Lower bounds on log p(x), minus the ELBO; means over test images and seeds. The ELBO is below log p(x) by "
        "KL(q(z|x) ‖ p(z|x)), because q(z|x) is not the posterior. The IWAE bound approaches log p(x) as K increases, so the "
        "grey area is, in expectation, a lower bound on this gap. A collapsed posterior has no gap: the decoder ignores the "
        "code. ELBOs of Bernoulli and Gaussian observation models are not comparable, but gaps are.",
    ),
}
