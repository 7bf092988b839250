"""How much of the image comes back? Squared error on clean targets, three ways.

    SSE  = mean over images of sum over pixels of (x - x̂)²     the lecture's loss, per image
    MSE  = SSE / pixels                                         comparable between image sizes
    PSNR = -10 log10(MSE) dB                                    peak 1; perfect: infinite

PSNR is taken of the mean error, not averaged over images: one perfect image would make that average infinite.
"""

import math
from typing import TYPE_CHECKING

from aebench.metrics.base import Metric
from aebench.representation import Representation

if TYPE_CHECKING:
    from torch import Tensor


def sse(r: Representation) -> float:
    """Squared error summed over pixels, mean over test images; >= 0."""
    return sum_of_squares(r.images, r.reconstructions)


def mse(r: Representation) -> float:
    """Squared error per pixel; >= 0."""
    return sse(r) / r.images.shape[1]


def psnr(r: Representation) -> float:
    """Peak signal-to-noise ratio in dB for pixels in [0, 1]."""
    error = mse(r)
    return -10 * math.log10(error) if error else math.inf


def sum_of_squares(images: "Tensor", reconstructions: "Tensor") -> float:
    """Mean over rows of ‖x - x̂‖², both (n, d), in float64."""
    return float((images.double() - reconstructions.double()).square().sum(1).mean())


METRICS = {
    "sse": Metric(
        sse,
        "SSE",
        "lower",
        "per image",
        0.0,
        3,
        "Squared error summed over the pixels of an image, pixels in [0, 1].",
        main=True,
    ),
    "mse": Metric(mse, "MSE", "lower", "per pixel", 0.0, 5, "SSE / pixels: comparable between image sizes."),
    "psnr": Metric(
        psnr, "PSNR", "higher", "dB", math.inf, 2, "-10 log10(SSE / pixels), of the mean error: peak 1 against error."
    ),
}
