"""Test images in the plane: at their 2-D codes, or in a t-SNE map of their codes.

Points are drawn in the order of the test set, so that no class covers another, and without antialiasing, which halves the file.
"""

from typing import TYPE_CHECKING

import numpy as np

from aebench.reporting.figures import canvas
from aebench.reporting.figures.base import ReportFigure
from aebench.reporting.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, LARGEST = 400.0, 8.0
"""Sum of the areas of all points of a panel one inch high, and largest area of a point, in square typographic points."""


def codes_2d(results: Results) -> "Figure | None":
    """Draw one panel per model with a 2-D code."""
    figure, panels = _panels(results, "scatter", across=3, height=2.3)
    for axes in panels:
        axes.set(xlabel="first unit", ylabel="second unit")
    return figure


def tsne(results: Results) -> "Figure | None":
    """Draw one panel per model with a t-SNE map, without axes: coordinates in a map have no meaning."""
    figure, panels = _panels(results, "map", across=4, height=1.85)
    for axes in panels:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set(visible=True, color=canvas.GREY, linewidth=0.5)
    return figure


def _panels(results: Results, name: str, across: int, height: float) -> "tuple[Figure | None, list[Axes]]":
    """Draw one panel per model that has the array `name`."""
    models = [model for model in results.models if name in model.pictures]
    if not models:
        return None, []
    colours = canvas.colours(len(results.about.classes))
    figure, panels = canvas.panels(len(models), across=across, height=height, margin=1.3)
    for axes, model in zip(panels, models, strict=True):
        _draw(axes, model.pictures[name], model.pictures[f"{name}_labels"], colours, INK * height**2)
        axes.set_title(model.name)
    canvas.class_legend(figure, results.about.classes)
    figure.draw_without_rendering()
    for axes, model in zip(panels, models, strict=True):
        _number(axes, model.pictures[name], model.pictures[f"{name}_labels"])
    return figure, panels


def _draw(axes: "Axes", points: np.ndarray, labels: np.ndarray, colours: list, ink: float) -> None:
    """Draw points (n, 2) in the colour of their class, smaller if there are many: their areas add up to `ink` at most."""
    size = min(ink / len(points), LARGEST)
    axes.scatter(*points.T, s=size, c=np.array(colours)[labels], linewidth=0, antialiased=False, rasterized=True)
    axes.set(**_square_limits(points))
    axes.set_box_aspect(1)


def _number(axes: "Axes", points: np.ndarray, labels: np.ndarray) -> None:
    """Write the number of each class at the median of its points, for readers who cannot distinguish colours."""
    centres = {str(label): np.median(points[labels == label], axis=0) for label in np.unique(labels)}
    canvas.write_apart(axes, centres, np.empty((0, 2)), expand=(1.0, 1.0), fontsize=9, fontweight="bold")


def _square_limits(points: np.ndarray) -> dict[str, tuple[float, float]]:
    """Return limits that show all points at one scale on both axes, because distances are Euclidean."""
    low, high = points.min(0), points.max(0)
    centre, half = (low + high) / 2, 0.55 * (high - low).max() or 1.0
    return {f"{axis}lim": (float(c - half), float(c + half)) for axis, c in zip("xy", centre, strict=True)}


def _codes_caption(results: Results) -> str:
    per_class = results.evaluation.pictures.scatter_per_class
    return (
        f"Codes of the first test images, at most {per_class} per class (first seed). A number is at the median of its class, "
        "or beside it if two medians are close. Both axes have the same scale; codes have no unit."
    )


def _tsne_caption(results: Results) -> str:
    settings = results.evaluation
    return (
        f"t-SNE (perplexity {settings.embedding.perplexity:g}) of the codes of test images, computed without labels (first "
        f"seed; at most {settings.pictures.scatter_per_class} images shown per class). A number is at the median of its "
        "class, or beside it. Only neighbourhoods are meaningful: sizes of clusters and distances between them mean little. "
        "The table of this section measures how well a map preserves neighbours."
    )


FIGURES = {
    "codes_2d": ReportFigure(
        codes_2d,
        "Two-dimensional codes",
        "Scatter plots of the test images' codes, coloured by class, one panel per model with a two-dimensional code.",
        _codes_caption,
    ),
    "tsne": ReportFigure(
        tsne,
        "t-SNE maps of the codes",
        "Scatter plots of test images, one panel per model: the t-SNE map of its codes, coloured by class.",
        _tsne_caption,
    ),
}
