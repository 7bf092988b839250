"""Rate-distortion curves of quantised codes."""

from typing import TYPE_CHECKING

from aebench.reporting.figures import canvas
from aebench.reporting.figures.base import ReportFigure
from aebench.reporting.results import ModelResults, Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

REFERENCE = "pca"
"""The kind of the model that is drawn in every panel."""
DEPTH = 0.01
"""Errors below this fraction of the largest are not shown."""


def rate_distortion(results: Results) -> "Figure | None":
    """Draw one panel per model whose rate is above 0; the PCA with the largest latent dimension is in every panel."""
    models = [model for model in results.models if (model.curve("bits_quantised")[1] > 0).any()]
    if not models:
        return None
    reference = max((m for m in models if m.settings["kind"] == REFERENCE), key=lambda m: m.cost.latent_dim, default=None)
    largest = max(model.curve("sse_quantised")[1].max() for model in models)
    figure, panels = canvas.panels(len(models), across=4, height=1.6, sharex=True, sharey=True)
    for axes, model in zip(panels, models, strict=True):
        if reference:
            _draw(axes, reference, label=reference.name, color=canvas.ORANGE, linestyle="--", linewidth=1.0)
        _draw(axes, model, label="model in the title", color=canvas.BLUE, linewidth=1.4, marker=".", markersize=4)
        axes.set(title=model.name, xscale="log", yscale="log", ylim=(DEPTH * largest, 1.3 * largest))
        canvas.plain_ticks(axes.xaxis, axes.yaxis)
    canvas.legend(figure, panels[0])
    figure.supxlabel("rate, bits per image")
    figure.supylabel("SSE")
    return figure


def _draw(axes: "Axes", model: ModelResults, **style) -> None:
    """Plot SSE against rate, omitting zeros, which logarithmic axes cannot show."""
    bits, errors = (model.curve(name)[1] for name in ("bits_quantised", "sse_quantised"))
    shown = (bits > 0) & (errors > 0)
    axes.plot(bits[shown], errors[shown], **style)


def _caption(results: Results) -> str:
    *levels, finest = results.evaluation.compression.bits
    bits = f"{', '.join(map(str, levels))} and {finest}" if levels else str(finest)
    return (
        f"Codes quantised to {bits} bits per unit, entropy-coded and decoded (means over seeds). The dashed line is the "
        "PCA with the largest latent dimension; a curve below it has a lower error at the same rate."
    )


FIGURES = {
    "rate_distortion": ReportFigure(
        rate_distortion,
        "Rate and distortion",
        "Log-log plots of squared error against bits per image, one panel per model, each with PCA for comparison.",
        _caption,
    ),
}
