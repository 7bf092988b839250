"""What a search for similar codes finds: a query of each class and its hits, those of another class marked.

A row is in this figure if its pictures.npz has `hits`. A wrong hit is framed and struck through: its colour says no more.
"""

from typing import TYPE_CHECKING

import numpy as np

from aebench.reporting import canvas
from aebench.reporting.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS = 3


def retrieval(results: Results) -> "Figure | None":
    """A panel a model, a line a query: the query, then its hits, nearest first."""
    rows, shape = [row for row in results.rows if "hits" in row.pictures], results.about.shape
    if not rows:
        return None
    width = canvas.WIDTH / PANELS - 0.3
    boards = [board(row.pictures["hits"], row.pictures["hits_right"], shape) for row in rows]
    height = width * max(len(tiles) / tiles.shape[1] for tiles, _ in boards)
    figure, axes = canvas.panels(len(rows), across=PANELS, height=height + 0.3)
    for place, row, (tiles, wrong) in zip(axes, rows, boards, strict=True):
        right = row.pictures["hits_right"]
        canvas.show(place, tiles, width)
        _mark(place, wrong)
        place.set_title(f"{row.model} ({right.sum()} of {right.size})")
    return figure


def board(images: np.ndarray, right: np.ndarray, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """A mosaic, its first column set apart, and the corners (wrong hits, 4, 2) of the hits of another class, clockwise."""
    queries = len(images) - len(right)
    lines, space = images.reshape(queries, -1, images.shape[1]), canvas.gap(shape)
    asked, found = canvas.mosaic(lines[:, :1], shape), canvas.mosaic(lines[:, 1:], shape)
    apart = np.ones((len(asked), 3 * space, *asked.shape[2:]), asked.dtype)
    tiles = np.concatenate([asked, apart, found], 1)
    line, place = np.nonzero(~right.reshape(queries, -1))
    start = np.stack([shape[1] + (3 + place) * space + place * shape[1], line * (shape[0] + space)], 1) - 0.5
    box = np.array([[0, 0], [shape[1], 0], [shape[1], shape[0]], [0, shape[0]]])
    return tiles, start[:, None] + box


def _mark(axes: "Axes", corners: np.ndarray) -> None:
    """A frame around each tile and a stroke through it."""
    from matplotlib.collections import LineCollection

    strokes = [*np.concatenate([corners, corners[:, :1]], 1), *corners[:, [3, 1]]]
    axes.add_collection(LineCollection(strokes, colors=canvas.ORANGE, linewidths=0.9), autolim=False)
