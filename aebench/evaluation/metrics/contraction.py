"""How sensitive is the code to changes in the image? The encoder's Jacobian, and how accurate the linearisation is.

    J = ∂h/∂x (k, d) with singular values s_1 >= s_2 >= ...,   ‖J‖_F = sqrt(sum_i s_i²)
    Jacobian         E ‖J‖_F over test images
    on / off data    E ‖J‖_F over test images / E ‖J‖_F over images of uniform noise
    effective rank   E exp(-sum_i p_i ln p_i) over test images, p_i = s_i / sum s   (Roy & Vetterli 2007)
    saturation       fraction of (image, unit) pairs with ‖∂h_j/∂x‖ < 4 (0.05) (0.95) max over images of ‖∂h_j/∂x‖
    linearisation    E ‖f(x + δ) - f(x) - J δ‖ / E ‖f(x + δ) - f(x)‖ over test images,   ‖δ‖ = t ‖x' - x‖
                     along the data: δ = t (x' - x), x' the nearest test image of the same class;   across: random direction

`aebench.evaluation.arrays.contraction` computes ‖J‖_F, ‖∂h_j/∂x‖ and s_i by automatic differentiation, and ‖f(x + δ) - f(x)‖
and ‖f(x + δ) - f(x) - J δ‖. The metrics here are means and ratios of these arrays.

A lower norm is more contractive (Rifai et al. 2011), not better: a constant code scores 0, the image itself sqrt(d), and
halving the scale of a code halves its norm. Ratio, rank and saturation do not depend on the scale: a linear code has a ratio of
1 and no saturated unit. For one sigmoid layer ‖∂h_j/∂x‖ = h_j (1 - h_j) ‖W_j‖. If each unit is 1/2 for some image, saturation
is therefore the fraction of activations below 0.05 or above 0.95, as counted by Rifai et al. A unit that is never near 1/2 is
compared with its own steepest slope, so fewer of its activations count as saturated.

The error of the linearisation does not depend on the scale of the code either. It is 0 for a linear code, and halves with t for
a small t and a smooth one. It is 1 if J δ = 0 while the code changes. It can exceed 1 if units saturate on the way, so that the
code changes less than J δ. In many dimensions a random direction is nearly perpendicular to the few along the data.
"""

from itertools import takewhile
from typing import TYPE_CHECKING

from aebench.evaluation.metrics.base import Metric, Profile
from aebench.evaluation.representation import Representation

if TYPE_CHECKING:
    from torch import Tensor

    from aebench.evaluation.arrays.contraction import Linearised

SATURATED = 4 * 0.05 * 0.95
"""The slope of a sigmoid at 0.05 or 0.95, relative to its slope at 1/2."""
INDICES = [step * 10**power for power in range(7) for step in (1, 2, 3, 5)]
"""Indices of the singular values in a profile, counted from 1."""


def jacobian(r: Representation) -> float:
    """Return the mean Frobenius norm of the Jacobian, >= 0. The contractive penalty is the mean of the squared norm instead."""
    return float(r.contraction.norms.double().mean())


def jacobian_on_off(r: Representation) -> float:
    """Return the mean norm at test images over the mean norm at noise images; NaN if the code is constant on noise."""
    on, off = (float(s.square().sum(1).sqrt().mean()) for s in (r.contraction.spectra, r.contraction.noise_spectra))
    return on / off if off else float("nan")


def jacobian_rank(r: Representation) -> float:
    """Return the effective rank, in [1, min(k, d)]. Images with a zero Jacobian are left out; the rank is NaN if all are."""
    import torch

    values = r.contraction.spectra
    shares = values / values.sum(1, keepdim=True)
    return float(torch.special.entr(shares).sum(1).exp().nanmean())


def saturation(r: Representation) -> float:
    """Return the percentage of (image, unit) pairs that are saturated.

    Units with a zero gradient at every image are left out; the percentage is NaN if all are.
    """
    unit_norms = r.contraction.unit_norms.double()
    steepest = unit_norms.amax(0)
    low = (unit_norms < SATURATED * steepest)[:, steepest > 0]
    return 100 * float(low.double().mean())


def singular_values(r: Representation) -> dict[str, float]:
    """Return the singular values by their index, averaged over test images."""
    return _means(r.contraction.spectra, r.images.shape[1])


def singular_values_off(r: Representation) -> dict[str, float]:
    """Return the singular values by their index, averaged over images of noise."""
    return _means(r.contraction.noise_spectra, r.images.shape[1])


def linearisation_along(r: Representation) -> dict[str, float]:
    """Return the error of the linearisation along the data, >= 0, by fraction t; NaN for a constant code."""
    return _relative_errors(r.contraction.along)


def linearisation_across(r: Representation) -> dict[str, float]:
    """Return the error of the linearisation in random directions, >= 0, by fraction t; NaN for a constant code."""
    return _relative_errors(r.contraction.across)


def _relative_errors(linearised: "Linearised") -> dict[str, float]:
    from aebench.evaluation.arrays.contraction import FRACTIONS

    errors, changes = (part.double().mean(1).tolist() for part in (linearised.errors, linearised.changes))
    pairs = zip(FRACTIONS, errors, changes, strict=True)
    return {f"{t:g}": error / change if change else float("nan") for t, error, change in pairs}


def _means(values: "Tensor", pixels: int) -> dict[str, float]:
    """Return the means over images at the indices up to `pixels`, the same for every model; NaN where a model has no value."""
    means = values.mean(0).tolist()
    indices = takewhile(lambda index: index <= pixels, INDICES)
    return {str(index): means[index - 1] if index <= len(means) else float("nan") for index in indices}


METRICS = {
    "jacobian": Metric(
        jacobian,
        "Jacobian",
        better=None,
        unit="norm",
        perfect=None,
        decimals=3,
        meaning="Mean Frobenius norm of ∂code/∂image at test images: the lower, the more contractive the encoder.",
        main=True,
    ),
    "jacobian_on_off": Metric(
        jacobian_on_off,
        "Jacobian on / off data",
        better=None,
        unit="ratio",
        perfect=None,
        decimals=3,
        meaning="Mean Frobenius norm of ∂code/∂image at test images, divided by that at images of uniform noise: 1 for a "
        "linear code, undefined for a constant one.",
    ),
    "jacobian_rank": Metric(
        jacobian_rank,
        "Jacobian rank",
        better=None,
        unit="dimensions",
        perfect=None,
        decimals=2,
        meaning="Effective rank of ∂code/∂image: the number of directions in which the code changes; undefined for a constant "
        "code.",
    ),
    "saturation": Metric(
        saturation,
        "Saturation",
        better=None,
        unit="%",
        perfect=None,
        decimals=2,
        meaning="Fraction of pairs of image and unit where the unit's slope is below 19 % of its largest slope: for a "
        "sigmoid, activations below 0.05 or above 0.95.",
    ),
}
FRACTION = "length of the step / distance to the nearest test image of the same class"
PROFILES = {
    "singular_values": Profile(
        singular_values,
        "Singular values",
        axis="index of the singular value, the largest first",
        better=None,
        unit="no unit",
        decimals=4,
        meaning="Singular values of ∂code/∂image, mean over test images; undefined above the number of units.",
    ),
    "singular_values_off": Profile(
        singular_values_off,
        "Singular values off data",
        axis="index of the singular value, the largest first",
        better=None,
        unit="no unit",
        decimals=4,
        meaning="Singular values of ∂code/∂image, mean over images of uniform noise; undefined above the number of units.",
    ),
    "linearisation_along": Profile(
        linearisation_along,
        "Linearisation along the data",
        axis=FRACTION,
        better=None,
        unit="ratio",
        decimals=4,
        meaning="Mean error of predicting the change of the code by ∂code/∂image, divided by the mean change, for steps "
        "towards the nearest test image of the same class: 0 for a linear code, undefined for a constant one.",
    ),
    "linearisation_across": Profile(
        linearisation_across,
        "Linearisation across the data",
        axis=FRACTION,
        better=None,
        unit="ratio",
        decimals=4,
        meaning="Mean error of predicting the change of the code by ∂code/∂image, divided by the mean change, for steps of "
        "the same lengths in random directions: 0 for a linear code, undefined for a constant one.",
    ),
}
