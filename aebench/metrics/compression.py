"""How few bits is an image worth? What comes back of codes that are quantised, at every rate.

    distortion   SSE of what codes quantised to b bits per unit decode to
    rate         bits per image, mean over images: sum over units of -log2 p(cell), p counted on training codes

`representation/quantised.py` has the quantiser. Rate, not b times the units, is the axis on which 30 components, 1000 sparse
units and 784 pixels compare; whoever has no entropy coder pays b times the units of the code. Where a level is chosen, it is on
validation images, a budget too is kept on them; rates and errors told are of test images.

All of it is of the deterministic code, scalar quantised, units coded independently: an upper bound of what the code could
be sent at. A variational model's own rate, D[q(z|x) ‖ p(z)], is reached by other means (bits back: Hinton & van Camp 1993).
"""

import math
from typing import TYPE_CHECKING

from aebench.metrics.base import Metric, Profile
from aebench.representation import Representation

if TYPE_CHECKING:
    from torch import Tensor

TOLERANCE = 1.1


def bits_per_image(r: Representation) -> float:
    """Rate of the fewest bits per unit whose SSE is within 10 % of the unquantised; >= 0, NaN if none of the levels' is.

    0 for a code that says nothing, whatever its error: hence no number is better.
    """
    if r.quantised is None:
        return math.nan
    validation = r.quantised.validation
    enough = validation.errors.mean(1) <= TOLERANCE * validation.exact.mean()
    return float(r.quantised.test.lengths[enough].mean(1)[0]) if enough.any() else math.nan


def sse_at_bits(r: Representation) -> dict[str, float]:
    """SSE of the level of least error whose rate is within each budget in bits per image; at 0 bits, of the mean code."""
    if r.quantised is None:
        return {}
    return {str(budget): _least_error(r, budget) for budget in r.quantised.budgets}


def sse_quantised(r: Representation) -> dict[str, float]:
    """SSE by bits per unit; >= 0."""
    return {} if r.quantised is None else _by_level(r, r.quantised.test.errors)


def bits_quantised(r: Representation) -> dict[str, float]:
    """Rate in bits per image by bits per unit; >= 0, and more than bits * units where test codes are not as training codes."""
    return {} if r.quantised is None else _by_level(r, r.quantised.test.lengths)


def _least_error(r: Representation, budget: int) -> float:
    validation = r.quantised.validation
    affordable = validation.lengths.mean(1) <= budget
    chosen = validation.errors.mean(1).masked_fill(~affordable, math.inf).argmin()
    return float(r.quantised.test.errors[chosen].mean())


def _by_level(r: Representation, values: "Tensor") -> dict[str, float]:
    return dict(zip(map(str, r.quantised.bits), values.mean(1).tolist(), strict=True))


METRICS = {
    "bits_per_image": Metric(
        bits_per_image,
        "Bits",
        None,
        "per image",
        None,
        1,
        "Entropy-coded bits of a code quantised as coarsely as keeps its SSE within 10 %; none if no level tried does.",
    ),
}
PROFILES = {
    "sse_at_bits": Profile(
        sse_at_bits,
        "SSE at a rate",
        "bits per image",
        "lower",
        "per image",
        3,
        "SSE of codes quantised as finely as so many bits per image allow, entropy-coded.",
    ),
    "sse_quantised": Profile(
        sse_quantised,
        "SSE quantised",
        "bits per unit",
        "lower",
        "per image",
        3,
        "SSE of codes quantised to so many bits per unit; 0: each unit at its mean.",
    ),
    "bits_quantised": Profile(
        bits_quantised,
        "Rate",
        "bits per unit",
        None,
        "bits per image",
        1,
        "What an entropy coder, fitted to training codes, spends on an image at so many bits per unit.",
    ),
}
