"""How far does the code move with its image, and in how many directions? Singular values of the encoder's Jacobian.

    J = ∂h/∂x (k, d) with singular values s_1 >= s_2 >= ...,   ‖J‖_F = sqrt(sum_i s_i²)
    Jacobian         E ‖J‖_F over test images
    on / off data    E ‖J‖_F over test images / E ‖J‖_F over images of uniform noise
    effective rank   E exp(-sum_i p_i ln p_i) over test images, p_i = s_i / sum s   (Roy & Vetterli 2007)
    saturation       share of (image, unit) with ‖∂h_j/∂x‖ < 4 (0.05) (0.95) max over images of ‖∂h_j/∂x‖

Lower is more contractive (Rifai et al. 2011), not better: a constant code scores 0, the image itself sqrt(d), and a code of
half the scale half as much. Ratio, rank and saturation do not know the scale: a linear code has a ratio of 1 and nothing
saturated. Of one sigmoid layer ‖∂h_j/∂x‖ = h (1 - h) ‖W_j‖: the share is Rifai's of units below 0.05 or above 0.95, if each
unit is 1/2 at some image. One that never comes near 1/2 is held to its own steepest image, and then fewer count.
"""

from itertools import takewhile
from typing import TYPE_CHECKING

from aebench.metrics.base import Metric, Profile
from aebench.representation import Representation

if TYPE_CHECKING:
    from torch import Tensor

SATURATED = 4 * 0.05 * 0.95
"""The slope of a sigmoid at 0.05 or 0.95, of its slope at 1/2."""
PLACES = [step * 10**power for power in range(7) for step in (1, 2, 3, 5)]


def jacobian(r: Representation) -> float:
    """Mean of the Jacobians' Frobenius norms (not of their squares, which are the penalty); >= 0."""
    return float(r.contraction.norms.double().mean())


def jacobian_on_off(r: Representation) -> float:
    """Mean norm at test images by mean norm at noise; NaN of a code that does not move at noise."""
    on, off = (float(s.square().sum(1).sqrt().mean()) for s in (r.contraction.spectra, r.contraction.noise_spectra))
    return on / off if off else float("nan")


def jacobian_rank(r: Representation) -> float:
    """Effective rank of the Jacobian, 1 to min(k, d); images at which no unit moves are left out, NaN if that is all."""
    import torch

    values = r.contraction.spectra
    shares = values / values.sum(1, keepdim=True)
    return float(torch.special.entr(shares).sum(1).exp().nanmean())


def saturation(r: Representation) -> float:
    """Share in % of images and units; units that move at no image are left out, NaN if that is all."""
    slopes = r.contraction.slopes.double()
    steepest = slopes.amax(0)
    low = (slopes < SATURATED * steepest)[:, steepest > 0]
    return 100 * float(low.double().mean())


def singular_values(r: Representation) -> dict[str, float]:
    """Place -> the mean over test images of the singular value there."""
    return _spectrum(r.contraction.spectra, r.images.shape[1])


def singular_values_off(r: Representation) -> dict[str, float]:
    """Place -> the mean over images of noise of the singular value there."""
    return _spectrum(r.contraction.noise_spectra, r.images.shape[1])


def _spectrum(values: "Tensor", pixels: int) -> dict[str, float]:
    """As many places as an image has directions; NaN where the code has fewer units."""
    means = values.mean(0).tolist()
    places = takewhile(lambda place: place <= pixels, PLACES)
    return {str(place): means[place - 1] if place <= len(means) else float("nan") for place in places}


METRICS = {
    "jacobian": Metric(
        jacobian,
        "Jacobian",
        None,
        "norm",
        None,
        3,
        "How far a code moves with its image: ‖∂code/∂image‖; low: contractive.",
        main=True,
    ),
    "jacobian_on_off": Metric(
        jacobian_on_off,
        "Jacobian on / off data",
        None,
        "ratio",
        None,
        3,
        "The norm at test images by the norm at images of uniform noise: 1 of a linear code, none of one that never moves.",
    ),
    "jacobian_rank": Metric(
        jacobian_rank,
        "Jacobian rank",
        None,
        "directions",
        None,
        2,
        "Effective rank of ∂code/∂image: in how many directions a code follows its image; none of one that never moves.",
    ),
    "saturation": Metric(
        saturation,
        "Saturation",
        None,
        "%",
        None,
        2,
        "Units that hardly move at an image: below 19 % of their steepest; of a sigmoid outside 0.05 to 0.95.",
    ),
}
PROFILES = {
    "singular_values": Profile(
        singular_values,
        "Singular values",
        "singular value, from the greatest",
        None,
        "code per image",
        4,
        "How far a code moves along its image's n-th direction, mean over test images; none beyond the units of the code.",
    ),
    "singular_values_off": Profile(
        singular_values_off,
        "Singular values off data",
        "singular value, from the greatest",
        None,
        "code per image",
        4,
        "The same at images of uniform noise.",
    ),
}
