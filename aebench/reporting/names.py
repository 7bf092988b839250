"""Names beside points: each where it hides no point and no other name, and joined to its point if it is far from it."""

from itertools import product
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TYPE = 7
"""Points of the names."""
DISTANCES, DIRECTIONS = (4, 8, 13, 19, 26, 34, 44), 16
"""Points between a name and its point, the nearest first, and how many ways it may lie."""
JOINED = 8
"""Points from which on a line joins them."""
RADIUS = 3
"""Points around a point that no name may cover."""
SPACE = np.array([3, 0])
"""Points between two names."""


def name(axes: "Axes", points: np.ndarray, names: list[str]) -> None:
    """Annotate points (n, 2) of axes whose limits and scales are set; the most crowded are named first."""
    figure = axes.figure
    figure.draw_without_rendering()
    scale, spots = figure.dpi / 72, axes.transData.transform(points)
    taken = [np.concatenate([spot - RADIUS * scale, spot + RADIUS * scale]) for spot in spots]
    crowd = (np.abs(spots[:, None] - spots).max(-1) < 40 * scale).sum(1)
    for i in sorted(range(len(names)), key=lambda i: -crowd[i]):
        size = _size(axes, names[i])
        offset = min(_offsets(size / scale), key=lambda at: _cost(spots[i] + scale * at, size, taken, axes))
        low = spots[i] + scale * offset - size / 2
        taken.append(np.concatenate([low - SPACE * scale, low + size + SPACE * scale]))
        _write(axes, points[i], names[i], offset, size / scale)


def overlap(box: np.ndarray, others: list[np.ndarray]) -> float:
    """The area that a box (left, bottom, right, top) shares with others."""
    corners = np.array(others)
    sides = np.minimum(box[2:], corners[:, 2:]) - np.maximum(box[:2], corners[:, :2])
    return float(sides.clip(0).prod(1).sum())


def _offsets(size: np.ndarray) -> list[np.ndarray]:
    """Where a name's middle may be, from its point, in points: at each distance to the right first, and then around."""
    turns = [(-1) ** k * -(-k // 2) * 2 * np.pi / DIRECTIONS for k in range(DIRECTIONS)]
    ways = [np.array([np.cos(turn), np.sin(turn)]) for turn in turns]
    return [distance * way + way * size / 2 for distance, way in product(DISTANCES, ways)]


def _cost(middle: np.ndarray, size: np.ndarray, taken: list[np.ndarray], axes: "Axes") -> float:
    """What it hides and how much of it leaves the axes: 0 for a good place, of which the first is taken."""
    box = np.concatenate([middle - size / 2, middle + size / 2])
    frame = np.array(axes.bbox.extents)
    return round(overlap(box, taken) + float(size.prod()) - overlap(box, [frame]), 3)


def _size(axes: "Axes", text: str) -> np.ndarray:
    drawn = axes.text(0, 0, text, fontsize=TYPE)
    extent = drawn.get_window_extent()
    drawn.remove()
    return np.array([extent.width, extent.height])


def _write(axes: "Axes", point: np.ndarray, text: str, offset: np.ndarray, size: np.ndarray) -> None:
    gap = np.linalg.norm((np.abs(offset) - size / 2).clip(0))
    line = {"arrowstyle": "-", "linewidth": 0.4, "color": "0.5", "shrinkA": 0, "shrinkB": 2} if gap >= JOINED else None
    told = {"xytext": offset, "textcoords": "offset points", "ha": "center", "va": "center", "fontsize": TYPE}
    told |= {"bbox": {"facecolor": "white", "edgecolor": "none", "pad": 0.3, "alpha": 0.8}}
    axes.annotate(text, point, arrowprops=line, **told).set_in_layout(False)
