"""Nearest codes: one query per class and the images with the most similar codes.

A model is in the figure if its pictures.npz has `hits`. A hit of another class is framed and crossed out, so that readers need
not distinguish colours.
"""

from typing import TYPE_CHECKING

import numpy as np

from aebench.reporting.figures import canvas
from aebench.reporting.figures.base import ReportFigure
from aebench.reporting.results import ModelResults, Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS = 3


def retrieval(results: Results) -> "Figure | None":
    """Draw one panel per model, one row per query: the query, then its hits, nearest first."""
    models = _with_hits(results)
    if not models:
        return None
    boards = [board(m.pictures["hits"], m.pictures["hits_correct"], results.about.shape) for m in models]
    counts = [(model.pictures["hits_correct"].sum(), model.pictures["hits_correct"].size) for model in models]
    titles = [f"{model.name} ({correct} of {hits})" for model, (correct, hits) in zip(models, counts, strict=True)]
    figure, panels = canvas.mosaics([tiles for tiles, _ in boards], titles, PANELS)
    for axes, (_, corners) in zip(panels, boards, strict=True):
        _cross_out(axes, corners)
    return figure


def board(images: np.ndarray, correct: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return a mosaic with a gap after the first column, the queries, and the corners (wrong hits, 4, 2) of wrong hits."""
    queries = len(images) - len(correct)
    rows, space = images.reshape(queries, -1, images.shape[1]), canvas.gap(shape)
    left, right = canvas.mosaic(rows[:, :1], shape), canvas.mosaic(rows[:, 1:], shape)
    white = np.ones((len(left), 3 * space, *left.shape[2:]), left.dtype)
    row, column = np.nonzero(~correct.reshape(queries, -1))
    start = np.stack([shape[1] + (3 + column) * space + column * shape[1], row * (shape[0] + space)], 1) - 0.5
    box = np.array([[0, 0], [shape[1], 0], [shape[1], shape[0]], [0, shape[0]]])
    return np.concatenate([left, white, right], 1), start[:, None] + box


def _with_hits(results: Results) -> list[ModelResults]:
    return [model for model in results.models if "hits" in model.pictures]


def _cross_out(axes: "Axes", corners: np.ndarray) -> None:
    """Draw a frame around each tile and a diagonal line through it."""
    from matplotlib.collections import LineCollection

    strokes = [*np.concatenate([corners, corners[:, :1]], 1), *corners[:, [3, 1]]]
    axes.add_collection(LineCollection(strokes, colors=canvas.ORANGE, linewidths=0.9), autolim=False)


def _caption(results: Results) -> str:
    pictures = _with_hits(results)[0].pictures
    hits = len(pictures["hits_correct"]) // (len(pictures["hits"]) - len(pictures["hits_correct"]))
    return (
        f"Left: the first test image of each class. Right: the {hits} training or validation images with the nearest codes, "
        "nearest first (first seed). Images of another class are framed and crossed out; the title counts those of the same "
        "class."
    )


FIGURES = {
    "retrieval": ReportFigure(
        retrieval,
        "Nearest codes",
        "Grids of images, one grid per model: in each row a test image and the images with the nearest codes.",
        _caption,
    ),
}
