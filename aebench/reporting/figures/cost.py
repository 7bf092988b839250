"""Error against training time, with the Pareto front of the trained models."""

from typing import TYPE_CHECKING

import numpy as np

from aebench.reporting.figures import canvas, linear_probe
from aebench.reporting.figures.base import ReportFigure
from aebench.reporting.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BASELINES = {*linear_probe.BASELINES, "mean_image"}
"""Kinds that the Pareto front ignores."""
HEIGHT = 2.7
"""Inches per panel."""
RADIUS = 3.5
"""Radius of a marker in typographic points, for the placement of names."""


def error_and_cost(results: Results) -> "Figure | None":
    """Draw one panel per error, with the models whose error is above 0."""
    errors = {measure: by_model for measure, by_model in _errors(results).items() if by_model}
    if not errors:
        return None
    figure, panels = canvas.panels(len(errors), across=1, height=HEIGHT)
    baselines = {model.name for model in results.models if model.settings["kind"] in BASELINES}
    seconds = {model.name: model.cost.seconds / model.cost.seeds for model in results.models}
    points = [{model: (seconds[model], error) for model, error in by_model.items()} for by_model in errors.values()]
    for axes, measure, by_model in zip(panels, errors, points, strict=True):
        _draw(axes, by_model, baselines)
        axes.set_ylabel(measure)
    panels[-1].set_xlabel("training time, seconds per seed")
    canvas.legend(figure, panels[0])
    figure.draw_without_rendering()
    for axes, by_model in zip(panels, points, strict=True):
        label(axes, by_model)
    return figure


def pareto(points: np.ndarray) -> np.ndarray:
    """Return for each of n points (n, 2) whether no other is at most as large in both coordinates and smaller in one."""
    below = (points[:, None] <= points).all(-1) & (points[:, None] < points).any(-1)  # (n, n): i dominates j
    return ~below.any(0)


def label(axes: "Axes", points: dict[str, tuple[float, float]]) -> None:
    """Write each name next to its point, so that it covers neither another name nor a marker if there is room.

    The axes must have their final position, limits and scales. Four points around its centre represent a marker.
    """
    centres, radius = axes.transData.transform(list(points.values())), RADIUS * axes.figure.dpi / 72
    edges = centres[:, None] + radius * np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])  # (n, 4, 2) in pixels
    avoided = axes.transData.inverted().transform(edges.reshape(-1, 2))
    canvas.write_apart(axes, {f" {name} ": point for name, point in points.items()}, avoided, expand=(1.0, 1.5), fontsize=7)


def _errors(results: Results) -> dict[str, dict[str, float]]:
    """Return the means by error and model trained here, without zeros, which logarithmic axes cannot show."""
    models = [model for model in results.models if not model.fingerprint]
    measures = {
        "SSE": {model.name: model.scores["sse"].mean for model in models},
        "5-NN error, %": {model.name: 100 - model.scores["knn_5"].mean for model in models},
        "linear probe error, %": {model.name: 100 - model.scores["linear_probe"].mean for model in models},
    }
    return {measure: {m: error for m, error in by_model.items() if error > 0} for measure, by_model in measures.items()}


def _draw(axes: "Axes", points: dict[str, tuple[float, float]], baselines: set[str]) -> None:
    is_baseline = np.array([model in baselines for model in points])
    coordinates = np.array(list(points.values()))
    trained = coordinates[~is_baseline]
    optimal = pareto(trained)
    front = trained[optimal][trained[optimal][:, 0].argsort()]
    axes.step(*front.T, where="post", color=canvas.BLUE, linewidth=0.8, alpha=0.6)
    axes.plot(*front.T, "o", color=canvas.BLUE, markersize=5, label="Pareto-optimal")
    axes.plot(*trained[~optimal].T, "o", color=canvas.BLUE, markersize=5, fillstyle="none", label="dominated")
    axes.plot(*coordinates[is_baseline].T, "s", color=canvas.GREY, markersize=4, label="baseline")
    axes.set(xscale="log", yscale="log")
    axes.margins(x=0.08, y=0.12)
    canvas.plain_ticks(axes.xaxis, axes.yaxis)


FIGURES = {
    "error_and_cost": ReportFigure(
        error_and_cost,
        "Error and training time",
        "Labelled scatter plots of each model's error against its training time per seed, on logarithmic axes.",
        "Lower left is better. A filled circle is Pareto-optimal: no other trained model is as accurate and as fast, and "
        "better in one of the two. The line joins these models. Baselines do not count, and errors of 0 are not shown. "
        "Training time is the wall time of training all seeds at once, divided by their number. Several models may have been "
        "trained at the same time, which slows each of them down.",
    ),
}
