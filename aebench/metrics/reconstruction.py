"""How much of the image comes back? Squared error on clean targets, likeness of structure, likelihood of the pixels.

    SSE  = mean over images of sum over pixels of (x - x̂)²     the lecture's loss, per image
    MSE  = SSE / pixels                                         comparable between image sizes
    FVU  = SSE / mean over images of ‖x - mean image‖²          comparable between data sets: 1 - R²
    PSNR = -10 log10(MSE) dB                                    peak 1; perfect: infinite
    SSIM = mean over images of means, contrasts and patterns compared in windows: `aebench.metrics.similarity`
    Bernoulli = mean over images of -sum over pixels of [x log x̂ + (1 - x) log(1 - x̂)]       nats per image

PSNR is taken of the mean error, not averaged over images: one perfect image would make that average infinite.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from aebench.metrics.base import Metric, Profile
from aebench.metrics.similarity import structural_similarity
from aebench.representation import Representation

if TYPE_CHECKING:
    from torch import Tensor

BLOCK = 1024
MOST = 24 * math.log(2)
"""Nats: float32 knows no number nearer to 1, from below, than 2⁻²⁴, so a sigmoid that reads 0 or 1 may mean that."""


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


def fvu(r: Representation) -> float:
    """Fraction of variance unexplained, about the test images' own mean: 0 perfect, 1 that mean; NaN if they do not differ."""
    return fraction_unexplained(r.images, r.reconstructions)


def ssim(r: Representation) -> float:
    """Structural similarity in [-1, 1], mean over test images; NaN where an image is smaller than the window."""
    return _mean(lambda x, y: structural_similarity(x, y, r.shape), r.images, r.reconstructions)


def bernoulli(r: Representation) -> float:
    """Cross-entropy in nats per image; >= the entropy of the pixels, which is 0 if all are 0 or 1.

    NaN if any x̂_j is outside [0, 1]: it is no probability, and clipped it would cost whatever the clip says. No pixel costs
    more than `MOST`, so that x̂_j rounded to 0 or 1 stays finite.
    """
    return _mean(_cross_entropy, r.images, r.reconstructions)


def sse_sampled(r: Representation) -> float:
    """SSE of what a sample of q(z|x) decodes to, one an image; NaN if the code is a point."""
    return math.nan if r.sampled_reconstructions is None else sum_of_squares(r.images, r.sampled_reconstructions)


def sse_by_class(r: Representation) -> dict[str, float]:
    """SSE of the test images of each class, by its index."""
    members = {int(c): r.labels == c for c in r.labels.unique()}
    return {str(c): sum_of_squares(r.images[m], r.reconstructions[m]) for c, m in members.items()}


def fraction_unexplained(images: "Tensor", reconstructions: "Tensor") -> float:
    """sum ‖x - x̂‖² / sum ‖x - x̄‖² over rows, both (n, d), x̄ (d,) the mean of these very images; NaN if they do not differ."""
    if (images == images[0]).all():
        return math.nan
    return sum_of_squares(images, reconstructions) / float(images.double().var(0, correction=0).sum())


def sum_of_squares(images: "Tensor", reconstructions: "Tensor") -> float:
    """Mean over rows of ‖x - x̂‖², both (n, d), in float64."""
    return float((images.double() - reconstructions.double()).square().sum(1).mean())


def _mean(measure: Callable[["Tensor", "Tensor"], "Tensor"], images: "Tensor", reconstructions: "Tensor") -> float:
    """Of a measure (m, d), (m, d) -> (m,), in float64 and blocks."""
    blocks = zip(images.split(BLOCK), reconstructions.split(BLOCK), strict=True)
    return sum(float(measure(x.double(), y.double()).sum()) for x, y in blocks) / len(images)


def _cross_entropy(x: "Tensor", y: "Tensor") -> "Tensor":
    """(m,); outside [0, 1] one of the logarithms is NaN, and so is their sum."""
    on, off = (-y.log()).clamp(max=MOST), (-(-y).log1p()).clamp(max=MOST)
    return (x * on + (1 - x) * off).sum(1)


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
    "fvu": Metric(
        fvu, "FVU", "lower", "of variance", 0.0, 3, "SSE / that of the test images' mean image, which scores 1: 1 - R²."
    ),
    "ssim": Metric(
        ssim,
        "SSIM",
        "higher",
        "similarity",
        1.0,
        3,
        "Likeness of means, contrasts and patterns in windows of 7 x 7 pixels; none for smaller images.",
    ),
    "bernoulli": Metric(
        bernoulli,
        "Bernoulli",
        "lower",
        "nats per image",
        0.0,
        2,
        "Cross-entropy with pixels as probabilities; a copy (raw pixels) scores their entropy, 0 if all are 0 or 1; "
        "none for reconstructions outside [0, 1].",
    ),
    "sse_sampled": Metric(
        sse_sampled,
        "SSE sampled",
        "lower",
        "per image",
        0.0,
        3,
        "SSE of reconstructions from a sample of q(z|x) instead of its mean; none if a code is a point.",
    ),
}
PROFILES = {
    "sse_by_class": Profile(
        sse_by_class, "SSE by class", "class", "lower", "per image", 3, "SSE of the test images of a class."
    ),
}
