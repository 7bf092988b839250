"""The data set: mean images, and the number of images per class and split."""

from typing import TYPE_CHECKING

import numpy as np

from aebench.reporting.figures import canvas
from aebench.reporting.figures.base import ReportFigure
from aebench.reporting.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACROSS = 11
"""Mean images per row: the overall mean and ten classes."""
COLOURS = {"train": canvas.ORANGE, "validation": canvas.BLUE, "test": canvas.GREY}


def card(results: Results) -> "Figure | None":
    """Draw the mean training image, overall and per class, above the class counts of every split."""
    splits = results.card.get("splits")
    if not splits or "by_class" not in results.mean_images:
        return None
    names = ["all", *results.about.classes]
    means = [results.mean_images["overall"], *results.mean_images["by_class"]]
    rows = -(-len(means) // ACROSS)
    figure = canvas.figure(rows * 1.0 + 2.2)
    top, bottom = figure.subfigures(2, 1, height_ratios=[rows * 1.0, 2.2])
    _show_means(top.subplots(rows, ACROSS).ravel(), means, names, results.about.shape)
    counts = {name: splits[name]["per_class"] for name in COLOURS if name in splits}
    _show_counts(bottom.subplots(), counts, results.about.classes)
    return figure


def _show_means(grid: np.ndarray, means: list[np.ndarray], names: list[str], shape: tuple[int, ...]) -> None:
    for axes in grid:
        axes.set_axis_off()
    for axes, mean, name in zip(grid, means, names, strict=False):
        axes.set_title(name, fontsize=8)
        axes.imshow(canvas.mosaic([mean[None]], shape), **canvas.SHADES, interpolation="nearest")


def _show_counts(axes: "Axes", counts: dict[str, list[int]], classes: tuple[str, ...]) -> None:
    positions, width = np.arange(len(classes)), 0.8 / len(counts)
    for i, (split, numbers) in enumerate(counts.items()):
        axes.bar(positions + (i + 0.5) * width - 0.4, numbers, width, label=split, color=COLOURS[split])
    axes.set_xticks(positions, classes, rotation=90 if len(classes) > ACROSS else 0, fontsize=8)
    axes.set(xlabel="class", ylabel="images")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(counts))


FIGURES = {
    "card": ReportFigure(
        card,
        "Classes and splits",
        "The mean training image, the mean training image of each class, and a bar chart of images per class and split.",
        "Top: the mean training image, overall and per class. Bottom: the number of images per class in each split.",
    ),
}
