"""Filters: the weights of the encoder's first units as images."""

from typing import TYPE_CHECKING

import numpy as np

from aebench.reporting.figures import canvas
from aebench.reporting.figures.base import ReportFigure
from aebench.reporting.results import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ACROSS, PANELS = 8, 3
"""Filters per row of a panel, and panels per row."""
CUT = 0.05
"""Fraction of a filter's weights, the largest, that its scale ignores: pixels that are always 0 have arbitrary weights."""


def filters(results: Results) -> "Figure | None":
    """Draw one panel per model that has filters."""
    models = [model for model in results.models if "filters" in model.pictures]
    if not models:
        return None
    tiles = [canvas.mosaic(_rows(shades(model.pictures["filters"])), results.about.shape) for model in models]
    return canvas.mosaics(tiles, [model.name for model in models], PANELS, loc="left")[0]


def shades(weights: np.ndarray) -> np.ndarray:
    """Map weights (m, d) to grey levels: 0 to 1/2, and ±q to 1 and 0; q is the 1 - `CUT` quantile of a row's |weights|."""
    scale = np.quantile(np.abs(weights), 1 - CUT, axis=1, keepdims=True)
    return (0.5 + weights / np.where(scale > 0, 2 * scale, 1)).clip(0, 1)


def _rows(images: np.ndarray) -> list[np.ndarray]:
    """Return rows of `ACROSS` images, the last one padded with white."""
    white = np.ones((-len(images) % ACROSS, images.shape[1]))
    return np.split(np.concatenate([images, white]), -(-len(images) // ACROSS))


def _caption(results: Results) -> str:
    count = max(len(model.pictures["filters"]) for model in results.models if "filters" in model.pictures)
    return (
        f"The weights of the first units of the encoder's first layer, at most {count} units (first seed). Grey is 0, white "
        f"positive, black negative. Each filter has its own scale, which ignores its largest {100 * CUT:g} % of weights. "
        "Compare models of the same architecture to see the effect of corruption or of a penalty. A random encoder shows "
        "initial weights."
    )


FIGURES = {
    "filters": ReportFigure(
        filters,
        "Filters of the first units",
        "Grids of small grey-scale images, one grid per model: the weights of the first units of its encoder.",
        _caption,
    ),
}
