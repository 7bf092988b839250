"""Where the classes lie: the test images as points, for the models whose code has two numbers.

Points are drawn in the test set's order, so that no class covers another, and without antialiasing, which halves the file.
"""

from typing import TYPE_CHECKING

import numpy as np

from aebench.reporting import canvas
from aebench.reporting.results import Results, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def codes(results: Results) -> "Figure | None":
    """A panel a model, a colour a class; the class's number stands at its median, for those who see no colours."""
    from matplotlib.lines import Line2D

    rows = [row for row in results.rows if "scatter" in row.pictures]
    if not rows:
        return None
    colours = canvas.colours(len(results.about.classes))
    figure, panels = canvas.panels(len(rows), across=3, height=2.3, margin=1.3)
    for axes, row in zip(panels, rows, strict=True):
        _draw(axes, row, colours)
    names = [name if name == str(i) else f"{i} {name}" for i, name in enumerate(results.about.classes)]
    handles = [Line2D([], [], marker="o", linestyle="", color=colour) for colour in colours]
    figure.legend(handles, names, title="class", loc="outside right upper")
    return figure


def _draw(axes: "Axes", row: Row, colours: list) -> None:
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=2.5, foreground="white")]
    points, labels = row.pictures["scatter"], row.pictures["scatter_labels"]
    axes.scatter(*points.T, s=2.5, c=np.array(colours)[labels], linewidth=0, antialiased=False)
    for label in np.unique(labels):
        centre = np.median(points[labels == label], axis=0)
        axes.annotate(str(label), centre, ha="center", va="center", fontweight="bold", path_effects=halo)
    axes.set(title=row.model, xlabel="first number of the code", ylabel="second number", **_square(points))
    axes.set_box_aspect(1)


def _square(points: np.ndarray) -> dict[str, tuple[float, float]]:
    """Limits that show every point at one scale on both axes, as the distances between codes are Euclidean."""
    low, high = points.min(0), points.max(0)
    middle, reach = (low + high) / 2, 0.55 * (high - low).max() or 1.0
    return {f"{axis}lim": (float(at - reach), float(at + reach)) for axis, at in zip("xy", middle, strict=True)}
