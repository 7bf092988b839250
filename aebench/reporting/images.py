"""Pictures of images: what each model makes of the same test images, and what the training images are on average."""

from typing import TYPE_CHECKING

import numpy as np

from aebench.metrics import METRICS
from aebench.reporting import canvas
from aebench.reporting.results import Results, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


ACROSS = 11
"""Mean images in a row: all, and ten classes."""
COLOURS = {"train": canvas.ORANGE, "validation": canvas.BLUE, "test": canvas.GREY}


def reconstructions(results: Results) -> "Figure":
    """The originals, then a row a model with its squared error on all test images."""
    pictures = [row.pictures for row in results.rows]
    names = ["original", *(_named(row) for row in results.rows)]
    return canvas.strips([pictures[0]["images"], *(p["reconstructions"] for p in pictures)], names, results.about.shape)


def card(results: Results) -> "Figure | None":
    """The mean training image, that of each class, and below them how many images of each class every split has."""
    splits = results.card.get("splits")
    if not splits or "by_class" not in results.mean_images:
        return None
    names = ["all", *results.about.classes]
    means = [results.mean_images["overall"], *results.mean_images["by_class"]]
    lines = -(-len(means) // ACROSS)
    figure = canvas.figure(lines * 1.0 + 2.2)
    above, below = figure.subfigures(2, 1, height_ratios=[lines * 1.0, 2.2])
    _show_means(above.subplots(lines, ACROSS).ravel(), means, names, results.about.shape)
    counts = {name: splits[name]["per_class"] for name in COLOURS if name in splits}
    _count(below.subplots(), counts, results.about.classes)
    return figure


def _show_means(grid: np.ndarray, means: list[np.ndarray], names: list[str], shape: tuple[int, ...]) -> None:
    for axes in grid:
        axes.set_axis_off()
    for axes, mean, name in zip(grid, means, names, strict=False):
        axes.set_title(name, fontsize=8)
        axes.imshow(canvas.mosaic([mean[None]], shape), **canvas.SHADES, interpolation="nearest")


def _count(axes: "Axes", counts: dict[str, list[int]], classes: tuple[str, ...]) -> None:
    place, width = np.arange(len(classes)), 0.8 / len(counts)
    for i, (split, numbers) in enumerate(counts.items()):
        axes.bar(place + (i + 0.5) * width - 0.4, numbers, width, label=split, color=COLOURS[split])
    axes.set_xticks(place, classes, rotation=90 if len(classes) > ACROSS else 0, fontsize=8)
    axes.set(xlabel="class", ylabel="images")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(counts))


def _named(row: Row) -> str:
    error = row.scores["sse"].mean
    return row.model if np.isnan(error) else f"{row.model}\nSSE {error:.{METRICS['sse'].decimals}f}"
