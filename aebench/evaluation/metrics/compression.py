"""How well are images reconstructed from quantised codes? Reconstruction error against the bits per image.

    distortion   SSE of reconstructions from codes quantised to b bits per unit
    rate         mean over images of sum over units of -log2 p(cell), in bits per image; p is estimated from training codes

`aebench.evaluation.arrays.compression` fits the quantiser to the training codes and computes the error and the code length of
every validation and test image at each number of bits per unit. Entropy coding makes 30 principal components, 1000 sparse units
and 784 pixels comparable; without it a code with k units costs b k bits. The number of bits per unit is chosen on validation
images, whose mean code length must also fit the budget. The reported rates and errors are those of test images.

The rate is an upper bound on the bits needed, because it is that of the deterministic code with scalar quantisation and
independent units. The rate of a variational model, D[q(z|x) ‖ p(z)], needs bits-back coding (Hinton & van Camp 1993).
"""

import math
from typing import TYPE_CHECKING

from aebench.evaluation.metrics.base import Metric, Profile
from aebench.evaluation.representation import Representation

if TYPE_CHECKING:
    from torch import Tensor

TOLERANCE = 1.1


def bits_per_image(r: Representation) -> float:
    """Return the rate at the fewest bits per unit whose SSE exceeds that of the unquantised code by at most 10 %.

    The number is chosen on validation images. The rate is >= 0, and NaN if no number of bits is sufficient.

    Neither direction is better: a constant code needs 0 bits, whatever its error.
    """
    if r.compression is None:
        return math.nan
    validation = r.compression.validation
    sufficient = validation.errors.mean(1) <= TOLERANCE * validation.exact.mean()
    return float(r.compression.test.lengths[sufficient].mean(1)[0]) if sufficient.any() else math.nan


def sse_at_bits(r: Representation) -> dict[str, float]:
    """Return the SSE within each budget in bits per image.

    Among the numbers of bits per unit that fit the budget, the one with the lowest error on validation images is used.
    """
    if r.compression is None:
        return {}
    return {str(budget): _least_error(r, budget) for budget in r.compression.budgets}


def sse_quantised(r: Representation) -> dict[str, float]:
    """Return the SSE, >= 0, of codes quantised to each number of bits per unit."""
    return {} if r.compression is None else _by_level(r, r.compression.test.errors)


def bits_quantised(r: Representation) -> dict[str, float]:
    """Return the rate in bits per image, >= 0, for each number of bits per unit.

    It may exceed bits * units if test codes are unlike the training codes.
    """
    return {} if r.compression is None else _by_level(r, r.compression.test.lengths)


def _least_error(r: Representation, budget: int) -> float:
    validation = r.compression.validation
    affordable = validation.lengths.mean(1) <= budget
    level = validation.errors.mean(1).masked_fill(~affordable, math.inf).argmin()
    return float(r.compression.test.errors[level].mean())


def _by_level(r: Representation, values: "Tensor") -> dict[str, float]:
    return dict(zip(map(str, r.compression.bits), values.mean(1).tolist(), strict=True))


METRICS = {
    "bits_per_image": Metric(
        bits_per_image,
        "Bits",
        better=None,
        unit="per image",
        perfect=None,
        decimals=1,
        meaning="Entropy-coded bits of the coarsest quantised code whose SSE is at most 10 % above that of the exact code; "
        "undefined if all levels are too coarse.",
    ),
}
PROFILES = {
    "sse_at_bits": Profile(
        sse_at_bits,
        "SSE at a rate",
        axis="bits per image",
        better="lower",
        unit="per image",
        decimals=3,
        meaning="SSE of reconstructions from codes that are quantised and entropy-coded within a budget of bits per image.",
    ),
    "sse_quantised": Profile(
        sse_quantised,
        "SSE quantised",
        axis="bits per unit",
        better="lower",
        unit="per image",
        decimals=3,
        meaning="SSE of reconstructions from codes quantised to this many bits per unit; at 0 bits each unit is at its mean.",
    ),
    "bits_quantised": Profile(
        bits_quantised,
        "Rate",
        axis="bits per unit",
        better=None,
        unit="bits per image",
        decimals=1,
        meaning="Bits per image of an entropy coder fitted to the training codes, for codes quantised to this many bits per "
        "unit.",
    ),
}
