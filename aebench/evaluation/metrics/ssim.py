"""Structural similarity of images (Wang, Bovik, Sheikh & Simoncelli 2004, eq. 13).

    SSIM = mean over windows of (2 μ μ̂ + c₁)(2 cov + c₂) / ((μ² + μ̂² + c₁)(σ² + σ̂² + c₂)),   c₁ = 0.01², c₂ = 0.03²

The choices are the defaults of scikit-image's `structural_similarity`, for pixels in [0, 1]: uniform windows of 7 x 7 pixels
inside the image, sample covariances, and colour channels compared separately. (Wang's Gaussian window of 11 x 11 pixels is
larger than the 8 x 8 digits.) The tests compare with scikit-image, which takes one pair of images per call and 2 times (28 x 28
pixels) to 36 times (8 x 8 pixels) as long.
"""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

WINDOW = 7
C1, C2 = 0.01**2, 0.03**2


def structural_similarity(x: "Tensor", y: "Tensor", shape: tuple[int, ...]) -> "Tensor":
    """Return the SSIM (m,), in [-1, 1], of images (m, d) of `shape` (h, w) or (h, w, c); NaN if smaller than a window."""
    if min(shape[:2]) < WINDOW:
        return x.new_full((len(x),), math.nan)
    x, y = (image.view(-1, *shape[:2], math.prod(shape[2:])).movedim(-1, 1) for image in (x, y))
    rows, columns = (_moving_average(x, size) for size in shape[:2])

    def means(image: "Tensor") -> "Tensor":
        return rows.T @ image @ columns

    mx, my, sample = means(x), means(y), WINDOW**2 / (WINDOW**2 - 1)
    vx, vy, cov = (sample * (means(a * b) - ma * mb) for a, b, ma, mb in ((x, x, mx, mx), (y, y, my, my), (x, y, mx, my)))
    return ((2 * mx * my + C1) * (2 * cov + C2) / ((mx * mx + my * my + C1) * (vx + vy + C2))).mean((1, 2, 3))


def _moving_average(like: "Tensor", size: int) -> "Tensor":
    """Return the matrix (size, windows) that averages `WINDOW` neighbouring pixels; several times as fast as pooling."""
    return like.new_ones(size, size - WINDOW + 1).tril().triu(1 - WINDOW) / WINDOW
