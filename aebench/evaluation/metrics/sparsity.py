"""How sparse is the code? Mean activation, sparsity over units and over images, dead units and exact zeros.

    activation           1 / (n k) sum_i sum_j h_ij
    population sparsity  S(|h_i1|, ..., |h_ik|), mean over images i     how few units are active for an image
    lifetime sparsity    S(|h_1j|, ..., |h_nj|), mean over units j      how few images activate a unit
                         S(a) = (1 - (E a)² / E a²) / (1 - 1 / m) of m numbers a >= 0
    Hoyer                (sqrt(k) - ‖h_i‖₁ / ‖h_i‖₂) / (sqrt(k) - 1), mean over images i

S (Treves & Rolls 1991, as scaled by Vinje & Gallant 2000; names of Willmore & Tolhurst 2001) and Hoyer's measure (2004) do
not depend on the scale of the code. Both are 0 if all numbers are equal and 1 if exactly one is not 0. They are defined for
numbers >= 0, so absolute values are used; Gaussian codes then have S = 1 - 2/π. They are undefined for a single number and if
all numbers are 0: such images and units are left out of the mean, which is NaN if none remain.

For sigmoid units in (0, 1), activation is the mean of the ρ̂_j that a sparse autoencoder keeps at its target ρ (Ng 2011). For
units that can be negative, values cancel, and the scale of a code is arbitrary, so no direction is better.
"""

from typing import TYPE_CHECKING

from aebench.evaluation.metrics.base import Metric, Profile
from aebench.evaluation.representation import Representation

if TYPE_CHECKING:
    from torch import Tensor

DEAD = 0.01
"""A unit is dead if its range is at most this share of the largest range of a unit."""


def activation(r: Representation) -> float:
    """Mean of the test codes over images and units."""
    return float(r.codes.double().mean())


def population_sparsity(r: Representation) -> float:
    """How few units are active for an image, in [0, 1]."""
    return _mean(_sparseness(r.codes))


def lifetime_sparsity(r: Representation) -> float:
    """How few images activate a unit, in [0, 1]."""
    return _mean(_sparseness(r.codes.T))


def hoyer(r: Representation) -> float:
    """Hoyer's sparseness of an image's code, in [0, 1]."""
    sizes, root = r.codes.double().abs(), r.codes.shape[1] ** 0.5
    return _mean((root - sizes.sum(1) / sizes.square().sum(1).sqrt()) / (root - 1)) if root > 1 else float("nan")


def dead_units(r: Representation) -> float:
    """Share in % of units whose range over test images is at most `DEAD` times the largest range; 100 for a constant code.

    The range, unlike the standard deviation, does not count a unit for rare images as dead. Relative to the largest range the
    measure does not depend on scale, and a linear unit close to 0 counts as dead like a ReLU at 0 or a sigmoid at 1.
    """
    ranges = r.codes.amax(0) - r.codes.amin(0)
    return 100 * float((ranges <= DEAD * ranges.max()).double().mean())


def exact_zeros(r: Representation) -> float:
    """Share in % of the numbers in the test codes that are exactly 0."""
    return 100 * float((r.codes == 0).double().mean())


def activation_deciles(r: Representation) -> dict[str, float]:
    """Deciles over units of the mean activation, with linear interpolation."""
    import torch

    means = r.codes.double().mean(0)
    deciles = means.quantile(torch.linspace(0, 1, 11, dtype=means.dtype, device=means.device))
    return {f"{10 * i} %": value for i, value in enumerate(deciles.tolist())}


def _sparseness(rows: "Tensor") -> "Tensor":
    """S of each row (n, m) -> (n,), NaN where it is undefined."""
    sizes, m = rows.double().abs(), rows.shape[1]
    sparseness = 1 - sizes.mean(1).square() / sizes.square().mean(1)
    return sparseness / (1 - 1 / m) if m > 1 else sparseness * float("nan")


def _mean(values: "Tensor") -> float:
    """Mean over the values that are defined."""
    return float(values.nanmean())


METRICS = {
    "activation": Metric(
        activation,
        "Activation",
        None,
        "per unit",
        None,
        3,
        "Mean of the test codes over images and units; low: sparse.",
        main=True,
    ),
    "population_sparsity": Metric(
        population_sparsity,
        "Population sparsity",
        None,
        "0 to 1",
        None,
        3,
        "How few units are active for an image: 0 all equally, 1 only one; mean over images, undefined for a code of one unit.",
    ),
    "lifetime_sparsity": Metric(
        lifetime_sparsity,
        "Lifetime sparsity",
        None,
        "0 to 1",
        None,
        3,
        "How few images activate a unit: 0 all equally, 1 only one; mean over units that are not always 0.",
    ),
    "hoyer": Metric(
        hoyer,
        "Hoyer",
        None,
        "0 to 1",
        None,
        3,
        "Hoyer's sparseness of an image's code: 0 all units equal, 1 only one active; undefined for a code of one unit.",
    ),
    "dead_units": Metric(
        dead_units,
        "Dead units",
        None,
        "%",
        None,
        1,
        "Units whose range over the test images is at most 1 % of the largest range.",
    ),
    "exact_zeros": Metric(exact_zeros, "Exact zeros", None, "%", None, 1, "Numbers in the codes that are exactly 0."),
}
PROFILES = {
    "activation_deciles": Profile(
        activation_deciles,
        "Activation by unit",
        "share of the units",
        None,
        "per unit",
        3,
        "Deciles over units of the mean activation over test images.",
    ),
}
