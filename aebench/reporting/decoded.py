"""What the decoders make of codes that no image had: drawn at random, between two images, along a unit, on a plane.

A row is in these figures if its pictures.npz has the array of that name.
"""

from typing import TYPE_CHECKING

import numpy as np

from aebench.reporting import canvas
from aebench.reporting.results import Results, Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def samples(results: Results) -> "Figure | None":
    """A row a model: what it makes of codes drawn from its prior, or from one that it was lent."""
    rows = _with("samples", results)
    names = [f"{row.model} ({'prior' if row.pictures['from_prior'] else 'normals'})" for row in rows]
    return canvas.strips([row.pictures["samples"] for row in rows], names, results.about.shape) if rows else None


def interpolations(results: Results) -> "Figure | None":
    """A panel a model, a line a pair of images."""
    return _grids(results, "interpolations", across=10, panels=3)


def traversals(results: Results) -> "Figure | None":
    """A panel a model, a line a unit of the code."""
    return _grids(results, "traversals", across=9, panels=4)


def manifold(results: Results) -> "Figure | None":
    """A panel a model whose code has two numbers: the plane of codes, decoded."""
    return _grids(results, "manifold", across=15, panels=2)


def _grids(results: Results, name: str, across: int, panels: int) -> "Figure | None":
    """A panel a model: its images, `across` of them in a line."""
    rows = _with(name, results)
    if not rows:
        return None
    tiles = [canvas.mosaic(np.split(p := row.pictures[name], len(p) // across), results.about.shape) for row in rows]
    width = canvas.WIDTH / panels - 0.1
    height = width * max(len(each) / each.shape[1] for each in tiles)
    figure, axes = canvas.panels(len(rows), across=panels, height=height + 0.3)
    for place, row, each in zip(axes, rows, tiles, strict=True):
        canvas.show(place, each, width)
        place.set_title(row.model)
    return figure


def _with(name: str, results: Results) -> list[Row]:
    return [row for row in results.rows if name in row.pictures]
