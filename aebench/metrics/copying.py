"""Does the model copy whatever it is given? Its error on noise and on images with permuted pixels, beside that of their mean.

    FVU = sum ‖x - x̂‖² / sum ‖x - x̄‖²,   x̄: the mean of these very images, the best constant answer to them

0: copied perfectly; 1: no better than that constant; above 1: pulled towards something else, as by a model of digits that
sees digits everywhere. No model was fitted to strange images but that constant is: answering all with the mean of the true
images scores far above 1, too. `fvu` of `reconstruction` is the same share on true test images: a model that is low there
and here copies, one that is low there alone has learnt where images lie.

Neither end is better: the identity scores 0 and a constant 1 or more, both without having learnt anything. No ratio to `fvu`
is told: it is 0 / 0 for the perfect copier, the very case in question.
"""

import math

from aebench.metrics.base import Metric
from aebench.metrics.reconstruction import fraction_unexplained
from aebench.representation import Representation


def fvu_noise(r: Representation) -> float:
    """Share of the variance of uniform noise that is not reconstructed; >= 0."""
    return math.nan if r.strange is None else fraction_unexplained(r.strange.noise, r.strange.noise_reconstructions)


def fvu_permuted(r: Representation) -> float:
    """Share of the variance of permuted test images that is not reconstructed; >= 0, NaN if they do not differ."""
    return math.nan if r.strange is None else fraction_unexplained(r.strange.permuted, r.strange.permuted_reconstructions)


METRICS = {
    "fvu_noise": Metric(
        fvu_noise,
        "FVU of noise",
        None,
        "of variance",
        None,
        3,
        "Uniform noise that does not come back, as a share of its variance; 0: copied.",
    ),
    "fvu_permuted": Metric(
        fvu_permuted,
        "FVU permuted",
        None,
        "of variance",
        None,
        3,
        "The same of test images whose pixels were permuted, all alike; low with a low FVU: copies.",
    ),
}
