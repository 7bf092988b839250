"""How much of the image comes back? Squared error on clean targets, three ways.

    SSE  = mean over images of sum over pixels of (x - x̂)²     the lecture's loss, per image
    MSE  = SSE / pixels                                         comparable between image sizes
    PSNR = -10 log10(MSE) dB                                    peak 1; perfect: infinite

PSNR is taken of the mean error, not averaged over images: one perfect image would make that average infinite.
"""

import math

from aebench.representation import Representation


def sse(r: Representation) -> float:
    """Squared error summed over pixels, mean over test images; >= 0."""
    return float((r.images.double() - r.reconstructions.double()).square().sum(1).mean())


def mse(r: Representation) -> float:
    """Squared error per pixel; >= 0."""
    return sse(r) / r.images.shape[1]


def psnr(r: Representation) -> float:
    """Peak signal-to-noise ratio in dB for pixels in [0, 1]."""
    error = mse(r)
    return -10 * math.log10(error) if error else math.inf
