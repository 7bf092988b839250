"""Where the classes lie: the test images as points, at codes of two numbers or in a t-SNE map of longer ones.

Points are drawn in the test set's order, so that no class covers another, and without antialiasing, which halves the file.
"""

from typing import TYPE_CHECKING

import numpy as np

from aebench.reporting import canvas
from aebench.reporting.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def codes(results: Results) -> "Figure | None":
    """A panel a model whose code has two numbers: these."""
    figure, panels = _panels(results, "scatter", across=3, height=2.3, size=2.5)
    for axes in panels:
        axes.set(xlabel="first number of the code", ylabel="second number")
    return figure


def maps(results: Results) -> "Figure | None":
    """A panel a model: the t-SNE map of its codes, without axes, as only who lies beside whom has a meaning."""
    figure, panels = _panels(results, "map", across=4, height=1.85, size=1.2)
    for axes in panels:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set(visible=True, color=canvas.GREY, linewidth=0.5)
    return figure


def _panels(results: Results, name: str, across: int, height: float, size: float) -> "tuple[Figure | None, list[Axes]]":
    """A panel a model that has the array, a colour a class; its number stands at its median, for those who see no colours."""
    from matplotlib.lines import Line2D

    rows = [row for row in results.rows if name in row.pictures]
    if not rows:
        return None, []
    colours = canvas.colours(len(results.about.classes))
    figure, panels = canvas.panels(len(rows), across=across, height=height, margin=1.3)
    for axes, row in zip(panels, rows, strict=True):
        _draw(axes, row.pictures[name], row.pictures[f"{name}_labels"], colours, size)
        axes.set_title(row.model)
    handles = [Line2D([], [], marker="o", linestyle="", color=colour) for colour in colours]
    figure.legend(handles, canvas.classes(results.about.classes), title="class", loc="outside right upper")
    return figure, panels


def _draw(axes: "Axes", points: np.ndarray, labels: np.ndarray, colours: list, size: float) -> None:
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=2.5, foreground="white")]
    axes.scatter(*points.T, s=size, c=np.array(colours)[labels], linewidth=0, antialiased=False, rasterized=True)
    for label in np.unique(labels):
        centre = np.median(points[labels == label], axis=0)
        axes.annotate(str(label), centre, ha="center", va="center", fontweight="bold", path_effects=halo)
    axes.set(**_square(points))
    axes.set_box_aspect(1)


def _square(points: np.ndarray) -> dict[str, tuple[float, float]]:
    """Limits that show every point at one scale on both axes, as distances between points are Euclidean."""
    low, high = points.min(0), points.max(0)
    middle, reach = (low + high) / 2, 0.55 * (high - low).max() or 1.0
    return {f"{axis}lim": (float(at - reach), float(at + reach)) for axis, at in zip("xy", middle, strict=True)}
