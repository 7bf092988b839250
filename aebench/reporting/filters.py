"""What the first units of every row look for: their weights as images, grey 0, white positive and black negative."""

from typing import TYPE_CHECKING

import numpy as np

from aebench.reporting import canvas
from aebench.reporting.results import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ACROSS, PANELS = 8, 3
"""Filters in a line of a panel, and panels in a line."""
CUT = 0.05
"""Share of a filter's weights that may be larger than its range: pixels that are nearly always 0 have wild ones."""


def filters(results: Results) -> "Figure | None":
    """A panel a row that has units."""
    rows = [row for row in results.rows if "filters" in row.pictures]
    if not rows:
        return None
    tiles = [canvas.mosaic(_lines(shades(row.pictures["filters"])), results.about.shape) for row in rows]
    width = canvas.WIDTH / PANELS - 0.1
    height = width * max(len(each) / each.shape[1] for each in tiles)
    figure, panels = canvas.panels(len(rows), across=PANELS, height=height + 0.25)
    for axes, row, each in zip(panels, rows, tiles, strict=True):
        canvas.show(axes, each, width)
        axes.set_title(row.model, loc="left")
    return figure


def shades(weights: np.ndarray) -> np.ndarray:
    """Weights (m, d) in [0, 1]: 0 becomes 1/2, and what is greatest by size of each row, but for `CUT` of them, 0 or 1."""
    reach = np.quantile(np.abs(weights), 1 - CUT, axis=1, keepdims=True)
    return (0.5 + weights / np.where(reach > 0, 2 * reach, 1)).clip(0, 1)


def _lines(images: np.ndarray) -> list[np.ndarray]:
    """In lines of `ACROSS`, the last filled with white."""
    white = np.ones((-len(images) % ACROSS, images.shape[1]))
    return np.split(np.concatenate([images, white]), -(-len(images) // ACROSS))
