"""Decoded codes that are not the codes of images: random, between two images, along one unit, and on a grid.

A model is in a figure if its pictures.npz has the array of that name.
"""

from typing import TYPE_CHECKING

from aebench.evaluation.settings import REACH, TAIL
from aebench.reporting.figures import canvas
from aebench.reporting.figures.base import ReportFigure
from aebench.reporting.results import ModelResults, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def samples(results: Results) -> "Figure | None":
    """Draw one row per model: decoded samples of its prior, or of a normal distribution fitted to its codes."""
    models = _with("samples", results)
    names = [f"{model.name} ({'prior' if model.pictures['from_prior'] else 'normal'})" for model in models]
    return canvas.strips([model.pictures["samples"] for model in models], names, results.about.shape) if models else None


def interpolations(results: Results) -> "Figure | None":
    """Draw one panel per model, one row per pair of images."""
    return _grids(results, "interpolations", panels=3)


def traversals(results: Results) -> "Figure | None":
    """Draw one panel per model, one row per unit of the code."""
    return _grids(results, "traversals", panels=4)


def manifold(results: Results) -> "Figure | None":
    """Draw one panel per model with a 2-D code: the decoded plane."""
    return _grids(results, "manifold", panels=2)


def _with(name: str, results: Results) -> list[ModelResults]:
    return [model for model in results.models if name in model.pictures]


def _grids(results: Results, name: str, panels: int) -> "Figure | None":
    """Draw one panel per model: its images (rows, columns, d)."""
    models = _with(name, results)
    if not models:
        return None
    tiles = [canvas.mosaic(list(model.pictures[name]), results.about.shape) for model in models]
    return canvas.mosaics(tiles, [model.name for model in models], panels)[0]


def _columns(name: str, results: Results) -> int:
    """Return the number of images per row of a grid."""
    return _with(name, results)[0].pictures[name].shape[1]


def _interpolations_caption(results: Results) -> str:
    return (
        f"{_columns('interpolations', results)} equally spaced codes on the straight line between the codes of two test images "
        "of different classes, decoded (first seed). The first and the last image of a row are the reconstructions of the two "
        "test images."
    )


def _manifold_caption(results: Results) -> str:
    side = _columns("manifold", results)
    return (
        f"A {side} × {side} grid of codes, decoded (first seed). Its coordinates are equally spaced quantiles, {TAIL} to "
        f"{1 - TAIL}, of each unit: of the prior if the model has one, otherwise of training and validation codes. The first "
        "unit increases to the right, the second upwards, as in the scatter plots of the codes."
    )


FIGURES = {
    "samples": ReportFigure(
        samples,
        "Samples",
        "A grid of images: in each row the decoded random codes of one model.",
        "Decoded random codes (first seed). Prior: codes are drawn from the model's prior. Normal: the model has no prior, so "
        "codes are drawn from a normal distribution with the mean and covariance of the training codes, as in the sampler "
        "`normal` of the generation metrics.",
    ),
    "interpolations": ReportFigure(
        interpolations,
        "Interpolations between two images",
        "Grids of images, one grid per model: each row changes in equal steps from one image to another of a different class.",
        _interpolations_caption,
    ),
    "traversals": ReportFigure(
        traversals,
        "Traversals of single units",
        "Grids of images, one grid per model: in each row one unit of the code increases from left to right.",
        f"One unit per row varies from {-REACH:g} to {REACH:g} standard deviations around the mean code of training and "
        "validation images, which is in the middle (first seed). Units are sorted by standard deviation, the largest first.",
    ),
    "manifold": ReportFigure(
        manifold,
        "The decoded plane of codes",
        "Grids of images, one grid per model with a two-dimensional code: the plane of codes, decoded point by point.",
        _manifold_caption,
    ),
}
