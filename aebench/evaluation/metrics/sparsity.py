"""How sparse is the code? Mean activation, sparsity over units and over images, dead units and exact zeros.

    activation           1 / (n k) sum_i sum_j h_ij
    population sparsity  S(|h_i1|, ..., |h_ik|), mean over images i     how few units are active for an image
    lifetime sparsity    S(|h_1j|, ..., |h_nj|), mean over units j      how few images activate a unit
                         S(a) = (1 - (E a)² / E a²) / (1 - 1 / m) of m numbers a >= 0
    Hoyer                (sqrt(k) - ‖h_i‖₁ / ‖h_i‖₂) / (sqrt(k) - 1), mean over images i

S (Treves & Rolls 1991, scaled as by Vinje & Gallant 2000, named as by Willmore & Tolhurst 2001) and Hoyer's measure (2004) do
not depend on the scale of the code. Both are 0 if all numbers are equal and 1 if exactly one is not 0. They are defined for
numbers >= 0, so absolute values are used; Gaussian codes then have S = 1 - 2/π. Both are undefined for a single number and if
all numbers are 0: such images and units are left out of the mean, which is NaN if none remain.

For sigmoid units in (0, 1), activation is the mean of the ρ̂_j that a sparse autoencoder keeps near its target ρ (Ng 2011). No
direction is better, because the scale of a code is arbitrary and the values of units that can be negative cancel.
"""

from typing import TYPE_CHECKING

from aebench.evaluation.metrics.base import Metric, Profile
from aebench.evaluation.representation import Representation

if TYPE_CHECKING:
    from torch import Tensor

DEAD = 0.01
"""Fraction of the largest range of a unit; a unit with at most this range is dead."""


def activation(r: Representation) -> float:
    """Return the mean of the test codes over images and units."""
    return float(r.codes.double().mean())


def population_sparsity(r: Representation) -> float:
    """Return the sparsity of an image's code, in [0, 1], averaged over images."""
    return _mean(_sparseness(r.codes))


def lifetime_sparsity(r: Representation) -> float:
    """Return the sparsity of a unit's activations, in [0, 1], averaged over units."""
    return _mean(_sparseness(r.codes.T))


def hoyer(r: Representation) -> float:
    """Return Hoyer's sparsity of an image's code, in [0, 1], averaged over images."""
    sizes, root = r.codes.double().abs(), r.codes.shape[1] ** 0.5
    return _mean((root - sizes.sum(1) / sizes.square().sum(1).sqrt()) / (root - 1)) if root > 1 else float("nan")


def dead_units(r: Representation) -> float:
    """Return the percentage of units whose range over test images is at most `DEAD` times the largest range of a unit.

    It is 100 for a constant code.

    The range, unlike the standard deviation, does not count a unit that is active for a few images as dead. It is relative to
    the largest range so that the metric does not depend on scale and also applies to linear units that are almost constant.
    """
    ranges = r.codes.amax(0) - r.codes.amin(0)
    return 100 * float((ranges <= DEAD * ranges.max()).double().mean())


def exact_zeros(r: Representation) -> float:
    """Return the percentage of the entries of the test codes that are exactly 0."""
    return 100 * float((r.codes == 0).double().mean())


def activation_deciles(r: Representation) -> dict[str, float]:
    """Return the deciles over units of the mean activation, with linear interpolation."""
    import torch

    means = r.codes.double().mean(0)
    deciles = means.quantile(torch.linspace(0, 1, 11, dtype=means.dtype, device=means.device))
    return {f"{10 * i} %": value for i, value in enumerate(deciles.tolist())}


def _sparseness(rows: "Tensor") -> "Tensor":
    """Return S of each row: (n, m) -> (n,), NaN where it is undefined."""
    sizes, m = rows.double().abs(), rows.shape[1]
    sparseness = 1 - sizes.mean(1).square() / sizes.square().mean(1)
    return sparseness / (1 - 1 / m) if m > 1 else sparseness * float("nan")


def _mean(values: "Tensor") -> float:
    """Return the mean over the defined values."""
    return float(values.nanmean())


METRICS = {
    "activation": Metric(
        activation,
        "Activation",
        better=None,
        unit="per unit",
        perfect=None,
        decimals=3,
        meaning="Mean of the test codes over images and units; for units that are never negative, low values mean a sparse "
        "code.",
        main=True,
    ),
    "population_sparsity": Metric(
        population_sparsity,
        "Population sparsity",
        better=None,
        unit="in [0, 1]",
        perfect=None,
        decimals=3,
        meaning="Sparsity of an image's code: 0 if all units are equally active, 1 if only one is active; mean over images, "
        "undefined for codes of one unit.",
    ),
    "lifetime_sparsity": Metric(
        lifetime_sparsity,
        "Lifetime sparsity",
        better=None,
        unit="in [0, 1]",
        perfect=None,
        decimals=3,
        meaning="Sparsity of a unit over images: 0 if it is equally active for all images, 1 if it is active for only one; "
        "mean over units that are not always 0.",
    ),
    "hoyer": Metric(
        hoyer,
        "Hoyer",
        better=None,
        unit="in [0, 1]",
        perfect=None,
        decimals=3,
        meaning="Hoyer's sparsity of an image's code: 0 if all units are equally active, 1 if only one is active; undefined "
        "for codes of one unit.",
    ),
    "dead_units": Metric(
        dead_units,
        "Dead units",
        better=None,
        unit="%",
        perfect=None,
        decimals=1,
        meaning="Fraction of units whose range over the test images is at most 1 % of the largest range of a unit.",
    ),
    "exact_zeros": Metric(
        exact_zeros,
        "Exact zeros",
        better=None,
        unit="%",
        perfect=None,
        decimals=1,
        meaning="Fraction of the entries of the test codes that are exactly 0.",
    ),
}
PROFILES = {
    "activation_deciles": Profile(
        activation_deciles,
        "Activation by unit",
        axis="fraction of the units",
        better=None,
        unit="per unit",
        decimals=3,
        meaning="Deciles over units of the mean activation over test images.",
    ),
}
