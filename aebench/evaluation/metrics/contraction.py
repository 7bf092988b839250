"""How much does the code change when the image does, and in how many directions? Singular values of the encoder's Jacobian.

    J = ∂h/∂x (k, d) with singular values s_1 >= s_2 >= ...,   ‖J‖_F = sqrt(sum_i s_i²)
    Jacobian         E ‖J‖_F over test images
    on / off data    E ‖J‖_F over test images / E ‖J‖_F over images of uniform noise
    effective rank   E exp(-sum_i p_i ln p_i) over test images, p_i = s_i / sum s   (Roy & Vetterli 2007)
    saturation       share of (image, unit) pairs with ‖∂h_j/∂x‖ < 4 (0.05) (0.95) max over images of ‖∂h_j/∂x‖

A lower norm is more contractive (Rifai et al. 2011), not better: a constant code scores 0, the image itself sqrt(d), and
halving the scale of a code halves its norm. Ratio, rank and saturation do not depend on the scale: a linear code has a ratio of
1 and no saturated unit. For one sigmoid layer ‖∂h_j/∂x‖ = h_j (1 - h_j) ‖W_j‖, so saturation is the share of activations below
0.05 or above 0.95 that Rifai et al. count, provided that each unit is at 1/2 for some image. A unit that never comes near 1/2
is compared with the steepest slope that it has, so fewer of its activations count as saturated.
"""

from itertools import takewhile
from typing import TYPE_CHECKING

from aebench.evaluation.metrics.base import Metric, Profile
from aebench.evaluation.representation import Representation

if TYPE_CHECKING:
    from torch import Tensor

SATURATED = 4 * 0.05 * 0.95
"""The slope of a sigmoid at 0.05 or 0.95, relative to its slope at 1/2."""
INDICES = [step * 10**power for power in range(7) for step in (1, 2, 3, 5)]
"""Which singular values a profile lists, counted from 1."""


def jacobian(r: Representation) -> float:
    """Mean of the Jacobians' Frobenius norms (not of their squares, which are the penalty); >= 0."""
    return float(r.contraction.norms.double().mean())


def jacobian_on_off(r: Representation) -> float:
    """Mean norm at test images divided by mean norm at noise; NaN if the code is constant on noise."""
    on, off = (float(s.square().sum(1).sqrt().mean()) for s in (r.contraction.spectra, r.contraction.noise_spectra))
    return on / off if off else float("nan")


def jacobian_rank(r: Representation) -> float:
    """Effective rank of the Jacobian, 1 to min(k, d); images with a zero Jacobian are left out, NaN if all are."""
    import torch

    values = r.contraction.spectra
    shares = values / values.sum(1, keepdim=True)
    return float(torch.special.entr(shares).sum(1).exp().nanmean())


def saturation(r: Representation) -> float:
    """In %; units with a zero gradient at every image are left out, NaN if all are."""
    slopes = r.contraction.slopes.double()
    steepest = slopes.amax(0)
    low = (slopes < SATURATED * steepest)[:, steepest > 0]
    return 100 * float(low.double().mean())


def singular_values(r: Representation) -> dict[str, float]:
    """Index -> that singular value, mean over test images."""
    return _means(r.contraction.spectra, r.images.shape[1])


def singular_values_off(r: Representation) -> dict[str, float]:
    """Index -> that singular value, mean over images of noise."""
    return _means(r.contraction.noise_spectra, r.images.shape[1])


def _means(values: "Tensor", pixels: int) -> dict[str, float]:
    """Means over images at the indices up to `pixels`, the same for every model; NaN above the number of units."""
    means = values.mean(0).tolist()
    indices = takewhile(lambda index: index <= pixels, INDICES)
    return {str(index): means[index - 1] if index <= len(means) else float("nan") for index in indices}


METRICS = {
    "jacobian": Metric(
        jacobian,
        "Jacobian",
        None,
        "norm",
        None,
        3,
        "Mean Frobenius norm of ∂code/∂image: how much the code changes with the image. The lower, the more contractive.",
        main=True,
    ),
    "jacobian_on_off": Metric(
        jacobian_on_off,
        "Jacobian on / off data",
        None,
        "ratio",
        None,
        3,
        "Mean norm at test images over mean norm at images of uniform noise: 1 for a linear code, none for a constant one.",
    ),
    "jacobian_rank": Metric(
        jacobian_rank,
        "Jacobian rank",
        None,
        "directions",
        None,
        2,
        "Effective rank of ∂code/∂image: the number of directions in which the code changes; none for a constant code.",
    ),
    "saturation": Metric(
        saturation,
        "Saturation",
        None,
        "%",
        None,
        2,
        "Pairs of image and unit where the unit's slope is below 19 % of its largest; for a sigmoid, outside 0.05 to 0.95.",
    ),
}
PROFILES = {
    "singular_values": Profile(
        singular_values,
        "Singular values",
        "index of the singular value, the largest first",
        None,
        "code per image",
        4,
        "Singular values of ∂code/∂image, mean over test images; none above the number of units.",
    ),
    "singular_values_off": Profile(
        singular_values_off,
        "Singular values off data",
        "index of the singular value, the largest first",
        None,
        "code per image",
        4,
        "The same, at images of uniform noise.",
    ),
}
