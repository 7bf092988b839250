"""Singular values of the encoder's Jacobian, at test images and at uniform noise."""

from typing import TYPE_CHECKING

import numpy as np

from aebench.reporting.figures import canvas
from aebench.reporting.figures.base import ReportFigure
from aebench.reporting.results import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LINES = {
    "singular_values_off": {"label": "at uniform noise", "color": canvas.ORANGE, "linestyle": "--"},
    "singular_values": {"label": "at test images", "color": canvas.BLUE},
}
"""Profile -> legend and style of its curve."""
DEPTH = 1e-4
"""Singular values below this fraction of the largest are not shown."""


def singular_values(results: Results) -> "Figure | None":
    """One panel per model whose Jacobian is not 0; all curves at test images are in every panel, in grey."""
    models = [model for model in results.models if (model.curve("singular_values")[1] > 0).any()]
    if not models:
        return None
    largest = max(float(np.nanmax(m.curve(name)[1])) for m in models for name in LINES if m.profiles.get(name))
    figure, panels = canvas.panels(len(models), across=4, height=1.6, sharex=True, sharey=True)
    for axes, model in zip(panels, models, strict=True):
        for other in models:
            axes.plot(*other.curve("singular_values"), color=canvas.GREY, linewidth=0.4, alpha=0.5)
        for name, style in LINES.items():
            axes.plot(*model.curve(name), linewidth=1.4, marker=".", markersize=4, **style)
        axes.set(title=model.name, xscale="log", yscale="log", ylim=(DEPTH * largest, 2 * largest))
        canvas.plain_ticks(axes.xaxis, axes.yaxis)
    canvas.legend(figure, panels[0])
    figure.supxlabel("index of the singular value")
    figure.supylabel("singular value")
    return figure


def _caption(results: Results) -> str:
    images = min(results.evaluation.contraction.spectra, results.card["splits"]["test"]["images"])
    return (
        f"Singular values of ∂h/∂x in descending order, means over {images} images and all seeds. Grey: the other models at "
        "test images. A steep curve means that the code is sensitive to few directions of the image, which is the aim of "
        "contraction; the curve of PCA is flat. The number of singular values is the smaller of the numbers of units and "
        f"pixels. Values below 1/{1 / DEPTH:,.0f} of the largest are not shown."
    )


FIGURES = {
    "singular_values": ReportFigure(
        singular_values,
        "Singular values of the encoder's Jacobian",
        "Log-log plots of the singular values in descending order, one panel per model, at test images and at noise.",
        _caption,
    ),
}
