"""How much of the image comes back when part of it was lost? Squared error of reconstructions of corrupted images.

    SSE corrupted = mean over images of sum over pixels of (x - g(f(x̃)))²,   x̃ ~ q(x̃ | x)

The target is the clean x, as in denoising training (Vincent et al. 2008); how x̃ is made is in `evaluation` of
conf/<dataset>.yaml. A model that copies what it sees scores the noise itself, E ‖x - x̃‖².
"""

from aebench.metrics.base import Metric
from aebench.metrics.reconstruction import sum_of_squares
from aebench.representation import Representation


def sse_corrupted(r: Representation) -> float:
    """Squared error against clean images, summed over pixels, mean over test images; >= 0."""
    return sum_of_squares(r.images, r.corrupted_reconstructions)


METRICS = {
    "sse_corrupted": Metric(
        sse_corrupted,
        "SSE corrupted",
        "lower",
        "per image",
        0.0,
        3,
        "Squared error against clean images of reconstructions from corrupted ones.",
        main=True,
    ),
}
