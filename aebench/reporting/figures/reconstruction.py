"""Reconstructions of the same test images by every model."""

from typing import TYPE_CHECKING

import numpy as np

from aebench.evaluation.metrics import METRICS
from aebench.reporting.figures import canvas
from aebench.reporting.figures.base import ReportFigure
from aebench.reporting.results import ModelResults, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def reconstructions(results: Results) -> "Figure | None":
    """Draw the original images, then one row per model whose first seed did not fail, labelled with its squared error."""
    models = [model for model in results.models if "reconstructions" in model.pictures]
    if not models:
        return None
    rows = [models[0].pictures["images"], *(model.pictures["reconstructions"] for model in models)]
    return canvas.strips(rows, ["original", *map(_label, models)], results.about.shape)


def _label(model: ModelResults) -> str:
    error = model.scores["sse"].mean
    return model.name if np.isnan(error) else f"{model.name}\nSSE {error:.{METRICS['sse'].decimals}f}"


FIGURES = {
    "reconstructions": ReportFigure(
        reconstructions,
        "Reconstructions",
        "A grid of images: test images in the top row, and their reconstructions by one model in each row below.",
        "The same test images reconstructed by each model (first seed; clipped to [0, 1]). SSE is the mean over all test "
        "images and seeds.",
    ),
}
