"""What quality costs: each row's error against the seconds of its training, and the rows that none beats at both."""

from typing import TYPE_CHECKING

import numpy as np

from aebench.reporting import canvas, downstream
from aebench.reporting.names import name
from aebench.reporting.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CONTROLS = {*downstream.CONTROLS, "mean_image"}
"""Kinds that the frontier leaves out."""
HEIGHT = 2.7
"""Inches of a panel."""


def frontier(results: Results) -> "Figure | None":
    """A panel a measure of error, of the rows that have one which is not 0."""
    errors = {measure: found for measure, found in _errors(results).items() if found}
    if not errors:
        return None
    figure, panels = canvas.panels(len(errors), across=1, height=HEIGHT)
    kinds = {row.model: row.block["kind"] for row in results.rows}
    seconds = {row.model: row.cost.seconds / row.cost.seeds for row in results.rows}
    for axes, (measure, found) in zip(panels, errors.items(), strict=True):
        _draw(axes, {model: (seconds[model], error) for model, error in found.items()}, kinds)
        axes.set_ylabel(measure)
    panels[-1].set_xlabel("training, seconds per seed")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=3)
    for axes, found in zip(panels, errors.values(), strict=True):
        name(axes, np.array([(seconds[model], error) for model, error in found.items()]), list(found))
    return figure


def pareto(points: np.ndarray) -> np.ndarray:
    """Which of points (n, 2) none is at least as low as in both numbers and lower in one."""
    below = (points[:, None] <= points).all(-1) & (points[:, None] < points).any(-1)  # (n, n): i beats j
    return ~below.any(0)


def _errors(results: Results) -> dict[str, dict[str, float]]:
    """What is low where a row is good -> model -> it."""
    measured = {
        "SSE": {row.model: row.scores["sse"].mean for row in results.rows},
        "5-NN error, %": {row.model: 100 - row.scores["knn_5"].mean for row in results.rows},
        "linear classifier's error, %": {row.model: 100 - row.most.mean for row in downstream.probed(results)},
    }
    return {what: {model: error for model, error in found.items() if error > 0} for what, found in measured.items()}


def _draw(axes: "Axes", found: dict[str, tuple[float, float]], kinds: dict[str, str]) -> None:
    controls = np.array([kinds[model] in CONTROLS for model in found])
    points = np.array(list(found.values()))
    rows = points[~controls]
    best = pareto(rows)
    front = rows[best][rows[best][:, 0].argsort()]
    axes.step(*front.T, where="post", color=canvas.BLUE, linewidth=0.8, alpha=0.6)
    axes.plot(*front.T, "o", color=canvas.BLUE, markersize=5, label="no row is better at both")
    axes.plot(*rows[~best].T, "o", color=canvas.BLUE, markersize=5, fillstyle="none", label="some row is")
    axes.plot(*points[controls].T, "s", color=canvas.GREY, markersize=4, label="control")
    axes.set(xscale="log", yscale="log")
    axes.margins(x=0.08, y=0.12)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:,g}")
        axis.set_minor_formatter("")
