"""Does the model reconstruct any image, or only images like its training data? Error on noise and on permuted test images.

    FVU = sum ‖x - x̂‖² / sum ‖x - x̄‖²,   x̄: the mean of the out-of-distribution images, their best constant reconstruction

FVU is 0 for a perfect copy, 1 for a reconstruction no better than that mean, and above 1 for a worse one, e.g. if a model of
digits reconstructs every image as a digit. The mean of the training images also scores far above 1.

Compare these fractions with `fvu` of `reconstruction`, the fraction for test images: a model has learnt to copy if all are low,
and has learnt the distribution of the images if only `fvu` is low.

Neither direction is better: the identity scores 0 and a constant 1 or more, and neither is learnt. The ratio to `fvu` is not
reported because it is 0 / 0 for the identity.
"""

import math

from aebench.evaluation.metrics.base import Metric
from aebench.evaluation.metrics.reconstruction import fraction_unexplained
from aebench.evaluation.representation import Representation


def fvu_noise(r: Representation) -> float:
    """Return the fraction, >= 0, of the variance of uniform noise that is not reconstructed."""
    part = r.out_of_distribution
    return math.nan if part is None else fraction_unexplained(part.noise, part.noise_reconstructions)


def fvu_permuted(r: Representation) -> float:
    """Return the fraction, >= 0, of the variance of permuted test images that is not reconstructed; NaN if all are equal."""
    part = r.out_of_distribution
    return math.nan if part is None else fraction_unexplained(part.permuted, part.permuted_reconstructions)


METRICS = {
    "fvu_noise": Metric(
        fvu_noise,
        "FVU of noise",
        better=None,
        unit="fraction",
        perfect=None,
        decimals=3,
        meaning="Fraction of variance unexplained (FVU) for images of uniform noise: 0 for a model that copies its input.",
    ),
    "fvu_permuted": Metric(
        fvu_permuted,
        "FVU permuted",
        better=None,
        unit="fraction",
        perfect=None,
        decimals=3,
        meaning="Fraction of variance unexplained (FVU) for test images whose pixels are permuted, all in the same way: 0 for "
        "a model that copies its input.",
    ),
}
