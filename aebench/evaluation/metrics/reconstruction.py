"""How accurately are images reconstructed? Squared error, structural similarity and cross-entropy.

    SSE  = mean over images of sum over pixels of (x - x̂)²     the lecture's loss, per image
    SSE gap = SSE of test images - SSE of training images       overfitting
    MSE  = SSE / pixels                                         comparable between image sizes
    FVU  = SSE / mean over images of ‖x - mean image‖²          comparable between data sets: 1 - R²
    PSNR = -10 log10(MSE) dB                                    peak 1; infinite if perfect
    SSIM = mean over images of the structural similarity: `aebench.evaluation.metrics.ssim`
    cross-entropy = mean over images of -sum over pixels of [x log x̂ + (1 - x) log(1 - x̂)]   nats per image

PSNR is computed from the mean error, because the mean of PSNR over images is infinite if one reconstruction is perfect.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from aebench.evaluation.metrics.base import Metric, Profile
from aebench.evaluation.metrics.ssim import structural_similarity
from aebench.evaluation.representation import Representation

if TYPE_CHECKING:
    from torch import Tensor

BLOCK = 1024
MAX_NATS = 24 * math.log(2)
"""Largest cross-entropy of a pixel. In float32 the largest number below 1 is 1 - 2⁻²⁴; a sigmoid closer to 1 rounds to 1."""


def sse(r: Representation) -> float:
    """Return the squared error, >= 0, summed over pixels and averaged over test images."""
    return sum_of_squares(r.images, r.reconstructions)


def mse(r: Representation) -> float:
    """Return the mean squared error per pixel, >= 0."""
    return sse(r) / r.images.shape[1]


def psnr(r: Representation) -> float:
    """Return the peak signal-to-noise ratio in dB for pixels in [0, 1]."""
    error = mse(r)
    return -10 * math.log10(error) if error else math.inf


def fvu(r: Representation) -> float:
    """Return the fraction of variance unexplained. It is 0 for a perfect copy and 1 for the mean of the test images.

    It is NaN if all test images are equal.
    """
    return fraction_unexplained(r.images, r.reconstructions)


def ssim(r: Representation) -> float:
    """Return the structural similarity, in [-1, 1], averaged over test images; NaN if an image is smaller than the window."""
    return _mean_over_images(lambda x, y: structural_similarity(x, y, r.shape), r.images, r.reconstructions)


def cross_entropy(r: Representation) -> float:
    """Return the cross-entropy in nats per image. It is at least the entropy of the pixels, which is 0 for binary images.

    It is NaN if any x̂_j is outside [0, 1], because it is not a probability and a clipped value would have an arbitrary cost. A
    pixel costs at most `MAX_NATS`, so that an x̂_j rounded to 0 or 1 has a finite cost.
    """
    return _mean_over_images(_cross_entropy, r.images, r.reconstructions)


def sse_sampled(r: Representation) -> float:
    """Return the SSE of reconstructions from one sample of q(z|x) per image; NaN for models without q(z|x)."""
    return math.nan if r.sampled_reconstructions is None else sum_of_squares(r.images, r.sampled_reconstructions)


def sse_gap(r: Representation) -> float:
    """Return the SSE of test images minus that of training images, near 0 without overfitting; NaN without training images."""
    if r.training_reconstructions is None:
        return math.nan
    return sse(r) - sum_of_squares(r.training_images, r.training_reconstructions)


def sse_by_class(r: Representation) -> dict[str, float]:
    """Return the SSE of the test images of each class."""
    members = {int(c): r.labels == c for c in r.labels.unique()}
    return {str(c): sum_of_squares(r.images[m], r.reconstructions[m]) for c, m in members.items()}


def fraction_unexplained(images: "Tensor", reconstructions: "Tensor") -> float:
    """Return sum ‖x - x̂‖² / sum ‖x - x̄‖² over images (n, d), where x̄ (d,) is their mean; NaN if all are equal."""
    if (images == images[0]).all():
        return math.nan
    return sum_of_squares(images, reconstructions) / float(images.double().var(0, correction=0).sum())


def sum_of_squares(images: "Tensor", reconstructions: "Tensor") -> float:
    """Return the mean over images (n, d) of ‖x - x̂‖², in float64."""
    return float((images.double() - reconstructions.double()).square().sum(1).mean())


def _mean_over_images(measure: Callable[["Tensor", "Tensor"], "Tensor"], images: "Tensor", reconstructions: "Tensor") -> float:
    """Mean over images of a measure (m, d), (m, d) -> (m,), computed in float64, one block after the other."""
    blocks = zip(images.split(BLOCK), reconstructions.split(BLOCK), strict=True)
    return sum(float(measure(x.double(), y.double()).sum()) for x, y in blocks) / len(images)


def _cross_entropy(x: "Tensor", y: "Tensor") -> "Tensor":
    """Cross-entropy (m,) of images (m, d); NaN for x̂ outside [0, 1], where one of the logarithms is NaN."""
    on, off = (-y.log()).clamp(max=MAX_NATS), (-(-y).log1p()).clamp(max=MAX_NATS)
    return (x * on + (1 - x) * off).sum(1)


METRICS = {
    "sse": Metric(
        sse,
        "SSE",
        better="lower",
        unit="per image",
        perfect=0.0,
        decimals=3,
        meaning="Squared error summed over the pixels of an image, for pixels in [0, 1].",
        main=True,
    ),
    "mse": Metric(
        mse,
        "MSE",
        better="lower",
        unit="per pixel",
        perfect=0.0,
        decimals=5,
        meaning="Mean squared error, SSE / pixels: comparable between image sizes.",
    ),
    "psnr": Metric(
        psnr,
        "PSNR",
        better="higher",
        unit="dB",
        perfect=math.inf,
        decimals=2,
        meaning="Peak signal-to-noise ratio, -10 log10(MSE).",
    ),
    "fvu": Metric(
        fvu,
        "FVU",
        better="lower",
        unit="fraction",
        perfect=0.0,
        decimals=3,
        meaning="Fraction of variance unexplained, 1 - R²: 1 for the mean of the test images.",
    ),
    "ssim": Metric(
        ssim,
        "SSIM",
        better="higher",
        unit="in [-1, 1]",
        perfect=1.0,
        decimals=3,
        meaning="Structural similarity in windows of 7 x 7 pixels; undefined for smaller images.",
    ),
    "cross_entropy": Metric(
        cross_entropy,
        "Cross-entropy",
        better="lower",
        unit="nats per image",
        perfect=None,
        decimals=2,
        meaning="Cross-entropy of images and reconstructions, with pixels as probabilities. Its minimum, for perfect "
        "reconstructions, is the entropy of the pixels; undefined for reconstructions outside [0, 1].",
    ),
    "sse_sampled": Metric(
        sse_sampled,
        "SSE sampled",
        better="lower",
        unit="per image",
        perfect=0.0,
        decimals=3,
        meaning="SSE of reconstructions from a sample of q(z|x) instead of its mean; undefined for models without q(z|x).",
    ),
    "sse_gap": Metric(
        sse_gap,
        "SSE gap",
        better=None,
        unit="per image",
        perfect=None,
        decimals=3,
        meaning="SSE of test images minus that of as many training images: the larger, the more the model overfits.",
    ),
}
PROFILES = {
    "sse_by_class": Profile(
        sse_by_class,
        "SSE by class",
        axis="class",
        better="lower",
        unit="per image",
        decimals=3,
        meaning="SSE of the test images of each class.",
    ),
}
