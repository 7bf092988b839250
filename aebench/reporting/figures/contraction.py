"""Singular values of the encoder's Jacobian, at test images and at noise, and the error of the linearisation."""

from typing import TYPE_CHECKING

import numpy as np

from aebench.reporting.figures import canvas
from aebench.reporting.figures.base import ReportFigure
from aebench.reporting.results import ModelResults, Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINES = {
    "singular_values_off": {"label": "at uniform noise", "color": canvas.ORANGE, "linestyle": "--"},
    "singular_values": {"label": "at test images", "color": canvas.BLUE},
}
"""Profile -> legend and style of its curve."""
DEPTH = 1e-4
"""Singular values below this fraction of the largest are not shown."""
DIRECTIONS = {
    "linearisation_across": {"label": "in random directions", "color": canvas.ORANGE, "linestyle": "--"},
    "linearisation_along": {"label": "towards the nearest image of the class", "color": canvas.BLUE},
}
"""Profile -> legend and style of its curve."""
ROUNDING = 1e-3
"""Codes with smaller errors of the linearisation are linear but for rounding."""


def singular_values(results: Results) -> "Figure | None":
    """Draw one panel per model whose Jacobian is not 0; all curves at test images are in every panel, in grey."""
    models = [model for model in results.models if (model.curve("singular_values")[1] > 0).any()]
    if not models:
        return None
    largest = max(float(np.nanmax(m.curve(name)[1])) for m in models for name in LINES if m.profiles.get(name))
    figure, panels = canvas.panels(len(models), across=4, height=1.6, sharex=True, sharey=True)
    for axes, model in zip(panels, models, strict=True):
        _curves(axes, model, models, LINES)
        axes.set_ylim(DEPTH * largest, 2 * largest)
    canvas.legend(figure, panels[0])
    figure.supxlabel("index of the singular value")
    figure.supylabel("singular value")
    return figure


def linearisation(results: Results) -> "Figure | None":
    """Draw one panel per model whose code is neither linear nor constant, with all curves along the data in grey."""
    models = [model for model in results.models if any((model.curve(name)[1] > ROUNDING).any() for name in DIRECTIONS)]
    if not models:
        return None
    figure, panels = canvas.panels(len(models), across=4, height=1.6, sharex=True, sharey=True)
    for axes, model in zip(panels, models, strict=True):
        _curves(axes, model, models, DIRECTIONS)
        axes.axhline(1, color=canvas.GREY, linewidth=0.8, linestyle=":")
    canvas.legend(figure, panels[0])
    figure.supxlabel("length of the step / distance to the nearest image of the class")
    figure.supylabel("error / change of the code")
    return figure


def _curves(axes: "Axes", model: ModelResults, models: list[ModelResults], styles: dict[str, dict]) -> None:
    """Plot the profiles of one model on logarithmic axes, and the last profile of all models in grey."""
    for other in models:
        axes.plot(*other.curve(list(styles)[-1]), color=canvas.GREY, linewidth=0.4, alpha=0.5)
    for name, style in styles.items():
        axes.plot(*model.curve(name), linewidth=1.4, marker=".", markersize=4, **style)
    axes.set(title=model.name, xscale="log", yscale="log")
    canvas.plain_ticks(axes.xaxis, axes.yaxis)


def _images(results: Results) -> int:
    return min(results.evaluation.contraction.spectra, results.card["splits"]["test"]["images"])


def _caption_linearisation(results: Results) -> str:
    return (
        "Error of the linearisation f(x + δ) ≈ f(x) + J δ of the encoder, relative to the change of the code: means over "
        f"{_images(results)} test images and all seeds. Towards the nearest test image of the same class, the step follows the "
        "data; a random direction is mostly perpendicular to the data. Grey: the other models, towards the nearest image. At "
        "the dotted line the linearisation is no better than assuming that the code does not change. For a small step and a "
        "smooth encoder, half the step gives half the error. Models with a linear or constant code are not shown: their "
        "linearisation is exact."
    )


def _caption(results: Results) -> str:
    return (
        f"Singular values of ∂h/∂x in descending order, means over {_images(results)} images and all seeds. Grey: the other "
        "models at test images. A steep curve means that the code is sensitive to few directions of the image, which is the "
        "aim of contraction; the curve of PCA is flat. The number of singular values is the smaller of the numbers of units "
        f"and pixels. Values below 1/{1 / DEPTH:,.0f} of the largest are not shown."
    )


FIGURES = {
    "singular_values": ReportFigure(
        singular_values,
        "Singular values of the encoder's Jacobian",
        "Log-log plots of the singular values in descending order, one panel per model, at test images and at noise.",
        _caption,
    ),
    "linearisation": ReportFigure(
        linearisation,
        "Linearisation of the encoder",
        "Log-log plots of the error of the linearisation against the length of the step, one panel per model, towards another "
        "image and in random directions.",
        _caption_linearisation,
    ),
}
