"""Does the model reconstruct anything, or only images like its training data? Its error on noise and on permuted test images.

    FVU = sum ‖x - x̂‖² / sum ‖x - x̄‖²,   x̄: the mean of the out-of-distribution images, their best constant reconstruction

FVU is 0 if the images are copied, 1 if they are reconstructed no better than by that constant, and above 1 if reconstructions
are pulled elsewhere, e.g. by a model of digits that turns everything into a digit. The mean of the training images also
scores far above 1. Compare with `fvu` of `reconstruction`, the same fraction on test images: a model whose `fvu` is low here
and there has learnt to copy; a model whose `fvu` is low only there has learnt the distribution of the images.

Neither direction is better: the identity scores 0 and a constant 1 or more, and neither has learnt anything. The ratio of the
two fractions is not reported because it is 0 / 0 for the identity.
"""

import math

from aebench.evaluation.metrics.base import Metric
from aebench.evaluation.metrics.reconstruction import fraction_unexplained
from aebench.evaluation.representation import Representation


def fvu_noise(r: Representation) -> float:
    """Fraction of the variance of uniform noise that is not reconstructed; >= 0."""
    part = r.out_of_distribution
    return math.nan if part is None else fraction_unexplained(part.noise, part.noise_reconstructions)


def fvu_permuted(r: Representation) -> float:
    """Fraction of the variance of permuted test images that is not reconstructed; >= 0, NaN if all of them are equal."""
    part = r.out_of_distribution
    return math.nan if part is None else fraction_unexplained(part.permuted, part.permuted_reconstructions)


METRICS = {
    "fvu_noise": Metric(
        fvu_noise,
        "FVU of noise",
        None,
        "of variance",
        None,
        3,
        "Fraction of variance unexplained for images of uniform noise: 0 for a model that copies its input.",
    ),
    "fvu_permuted": Metric(
        fvu_permuted,
        "FVU permuted",
        None,
        "of variance",
        None,
        3,
        "The same for test images with permuted pixels, one permutation for all; if FVU is low too, the model copies.",
    ),
}
