"""How active is the code? Its mean, how unevenly activity is shared among units and images, and which units are dead.

    activation           1 / (n k) sum_i sum_j h_ij
    population sparsity  S(|h_i1|, ..., |h_ik|), mean over images i     of an image: over units
    lifetime sparsity    S(|h_1j|, ..., |h_nj|), mean over units j      of a unit: over images
                         S(a) = (1 - (E a)² / E a²) / (1 - 1 / m) of m numbers a >= 0
    Hoyer                (sqrt(k) - ‖h_i‖₁ / ‖h_i‖₂) / (sqrt(k) - 1), mean over images i

S (Treves & Rolls 1991, as scaled by Vinje & Gallant 2000; names of Willmore & Tolhurst 2001) and Hoyer's measure (2004) are
0 where all numbers are of one size and 1 where one alone is not 0; the scale of a code is no matter. They were made for
numbers >= 0: of signed codes it is sizes |h| that are measured, and Gaussian ones score S = 1 - 2/π. They do not exist
of zeros alone or of one number: such images or units are left out of the mean, and NaN is where none is left.

With sigmoid units in (0, 1) activation is the mean of the ρ̂_j that a sparse autoencoder holds at its target ρ (Ng 2011).
Units that may be negative cancel, and the scale of a code is its model's own: no number is better than another.
"""

from typing import TYPE_CHECKING

from aebench.metrics.base import Metric, Profile
from aebench.representation import Representation

if TYPE_CHECKING:
    from torch import Tensor

STILL = 0.01
"""A unit whose range is at most this share of the widest unit's is dead."""


def activation(r: Representation) -> float:
    """Mean of the test codes over images and units."""
    return float(r.codes.double().mean())


def population_sparsity(r: Representation) -> float:
    """How few units answer an image, in [0, 1]."""
    return _mean(_unevenness(r.codes))


def lifetime_sparsity(r: Representation) -> float:
    """How few images a unit answers, in [0, 1]."""
    return _mean(_unevenness(r.codes.T))


def hoyer(r: Representation) -> float:
    """Hoyer's sparseness of an image's code, in [0, 1]."""
    sizes, root = r.codes.double().abs(), r.codes.shape[1] ** 0.5
    return _mean((root - sizes.sum(1) / sizes.square().sum(1).sqrt()) / (root - 1)) if root > 1 else float("nan")


def dead_units(r: Representation) -> float:
    """Units in % whose greatest less least number over test images is at most `STILL` of the widest unit's; all if none moves.

    A range and not a deviation, so that a unit for rare images lives; of the widest, so that a scale is no matter and a
    linear unit that hovers about 0 is dead like a ReLU that is 0 and a sigmoid that is 1.
    """
    ranges = r.codes.amax(0) - r.codes.amin(0)
    return 100 * float((ranges <= STILL * ranges.max()).double().mean())


def exact_zeros(r: Representation) -> float:
    """Numbers of the test codes in % that are 0."""
    return 100 * float((r.codes == 0).double().mean())


def activation_deciles(r: Representation) -> dict[str, float]:
    """Share of the units -> the mean activation over test images that so many units do not exceed, in between linear."""
    import torch

    means = r.codes.double().mean(0)
    found = means.quantile(torch.linspace(0, 1, 11, dtype=means.dtype, device=means.device))
    return {f"{10 * i} %": value for i, value in enumerate(found.tolist())}


def _unevenness(rows: "Tensor") -> "Tensor":
    """S of each row (n, m) -> (n,), NaN where it does not exist."""
    sizes, m = rows.double().abs(), rows.shape[1]
    uneven = 1 - sizes.mean(1).square() / sizes.square().mean(1)
    return uneven / (1 - 1 / m) if m > 1 else uneven * float("nan")


def _mean(values: "Tensor") -> float:
    """Over those that exist."""
    return float(values.nanmean())


METRICS = {
    "activation": Metric(
        activation,
        "Activation",
        None,
        "per unit",
        None,
        3,
        "Mean of the code's numbers over test images; low: sparse.",
        main=True,
    ),
    "population_sparsity": Metric(
        population_sparsity,
        "Population sparsity",
        None,
        "0 to 1",
        None,
        3,
        "How few units answer an image: 0 all alike, 1 one alone; of sizes, mean over images; none of a code of one number.",
    ),
    "lifetime_sparsity": Metric(
        lifetime_sparsity,
        "Lifetime sparsity",
        None,
        "0 to 1",
        None,
        3,
        "How few images a unit answers: 0 all alike, 1 one alone; of sizes, mean over units that are not always 0.",
    ),
    "hoyer": Metric(
        hoyer,
        "Hoyer",
        None,
        "0 to 1",
        None,
        3,
        "Hoyer's sparseness of an image's code, by ‖h‖₁ / ‖h‖₂: 0 all units alike, 1 one alone; none of a code of one number.",
    ),
    "dead_units": Metric(
        dead_units,
        "Dead units",
        None,
        "%",
        None,
        1,
        "Units that move over the test images by at most 1 % of what the widest-ranging unit moves.",
    ),
    "exact_zeros": Metric(exact_zeros, "Exact zeros", None, "%", None, 1, "Numbers of the code that are 0."),
}
PROFILES = {
    "activation_deciles": Profile(
        activation_deciles,
        "Activation by unit",
        "share of the units",
        None,
        "per unit",
        3,
        "The mean activation over test images that so many of the units do not exceed.",
    ),
}
