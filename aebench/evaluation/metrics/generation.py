"""Do generated images look like real ones? Comparison with as many test images, in the features of the feature classifier.

    Fréchet distance, precision, recall, density, coverage    see `aebench.evaluation.metrics.fidelity`
    sharpness        variance of an image's Laplacian, mean over samples / mean over test images    (Tolstikhin et al. 2018)
    class balance    entropy of the predicted classes of the samples / log C

`aebench.evaluation.arrays.generation` draws the codes of each sampler, decodes them and computes the features and the predicted
classes of the decoded images and of as many test images; it also describes the samplers. A metric uses the prior or, for a
model without one, the normal fitted to its training codes; a profile has every sampler. The bias of a Fréchet distance is
positive and about proportional to 1 / n, so distances are comparable only at the same n. The distance of `training images` is a
reference for a perfect generator; it is slightly too high because the feature classifier was trained on these images. Other
images of the same distribution have a coverage of 1 - 2^-5 (Naeem et al. 2020, Lemma 2). A model that has memorised its
training images scores the same as these. Scores are NaN without a feature classifier, for a sampler that the model lacks, and
for n <= 5.
"""

import math
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from aebench.evaluation.metrics.base import Metric, Profile
from aebench.evaluation.representation import Representation

if TYPE_CHECKING:
    from torch import Tensor

SAMPLERS = ("prior", "N(0, I)", "normal", "mixture", "training images")


def by_sampler(name: str, r: Representation) -> dict[str, float]:
    """Return the score `name` by sampler; NaN for a sampler that the model lacks."""
    return {sampler: _scores(r).get(sampler, {}).get(name, math.nan) for sampler in SAMPLERS}


def of_default_sampler(name: str, r: Representation) -> float:
    """Return the score `name` of the prior or, for a model without one, of the fitted normal."""
    return by_sampler(name, r)["prior" if "prior" in _scores(r) else "normal"]


def sharpness_reconstructions(r: Representation) -> float:
    """Return the sharpness, >= 0, of reconstructed test images, clipped to [0, 1].

    It does not need a feature classifier.
    """
    return sharpness(r.reconstructions.clamp(0, 1), r.images, r.shape)


def sharpness(images: "Tensor", real: "Tensor", shape: tuple[int, ...]) -> float:
    """Return the Laplacian variance of `images` over that of `real`, >= 0; NaN if that of the real images is 0."""
    reference = laplacian_variance(real, shape)
    return laplacian_variance(images, shape) / reference if reference else math.nan


def laplacian_variance(images: "Tensor", shape: tuple[int, ...]) -> float:
    """Return the variance over inner pixels of x_up + x_down + x_left + x_right - 4 x.

    It is averaged over images (n, d) and channels, and NaN if an image has no inner pixel.
    """
    if min(shape[:2]) < 3:
        return math.nan
    x = images.double().reshape(len(images), *shape[:2], -1)
    across, down = x[:, 1:-1, 2:] + x[:, 1:-1, :-2], x[:, 2:, 1:-1] + x[:, :-2, 1:-1]
    return float((across + down - 4 * x[:, 1:-1, 1:-1]).var((1, 2), correction=0).mean())


def class_balance(logits: "Tensor") -> float:
    """Return the entropy of the predicted classes of n images, divided by log C, in [0, 1]; NaN if C = 1.

    The classes are predicted from `logits` (n, C).
    """
    import torch

    classes = logits.shape[1]
    shares = logits.argmax(1).bincount(minlength=classes).double() / len(logits)
    return float(torch.special.entr(shares).sum()) / math.log(classes) if classes > 1 else math.nan


@lru_cache(maxsize=1)
def _scores(r: Representation) -> dict[str, dict[str, float]]:
    """Return the scores as {sampler: {score: value}}; they are computed once for all metrics of a representation."""
    from aebench.evaluation.metrics.fidelity import K_DENSITY, Features, compare

    if r.generation is None or len(r.generation.real.images) <= K_DENSITY:
        return {}
    real = r.generation.real
    features = Features(real.features)
    return {
        sampler: compare(features, Features(samples.features))
        | {"sharpness": sharpness(samples.images, real.images, r.shape), "class_balance": class_balance(samples.logits)}
        for sampler, samples in r.generation.samples.items()
    }


METRICS = {
    "frechet": Metric(
        partial(of_default_sampler, "frechet"),
        "Fréchet distance",
        better="lower",
        unit="squared feature distance",
        perfect=0.0,
        decimals=2,
        meaning="Fréchet distance between samples (from the prior or, without one, from a normal fitted to the codes) and as "
        "many test images, in the features of the feature classifier.",
    ),
    "precision": Metric(
        partial(of_default_sampler, "precision"),
        "Precision",
        better="higher",
        unit="fraction",
        perfect=1.0,
        decimals=3,
        meaning="Fraction of samples that are as close to some test image as its third nearest test image is, in the features "
        "of the feature classifier.",
    ),
    "recall": Metric(
        partial(of_default_sampler, "recall"),
        "Recall",
        better="higher",
        unit="fraction",
        perfect=1.0,
        decimals=3,
        meaning="Fraction of test images that are as close to some sample as its third nearest sample is, in the features of "
        "the feature classifier.",
    ),
    "density": Metric(
        partial(of_default_sampler, "density"),
        "Density",
        better=None,
        unit="ratio",
        perfect=None,
        decimals=3,
        meaning="Mean number of test images to which a sample is closer than their fifth nearest test image, divided by 5: 1 "
        "for real images, above 1 if samples concentrate in dense regions.",
    ),
    "coverage": Metric(
        partial(of_default_sampler, "coverage"),
        "Coverage",
        better="higher",
        unit="fraction",
        perfect=1.0,
        decimals=3,
        meaning="Fraction of test images to which some sample is closer than their fifth nearest test image; 0.97 for real "
        "images.",
    ),
    "sharpness": Metric(
        partial(of_default_sampler, "sharpness"),
        "Sharpness",
        better=None,
        unit="ratio",
        perfect=None,
        decimals=3,
        meaning="Variance of the Laplacian of samples, divided by that of test images. Below 1: blurred; above 1: noisy.",
    ),
    "class_balance": Metric(
        partial(of_default_sampler, "class_balance"),
        "Class balance",
        better=None,
        unit="in [0, 1]",
        perfect=None,
        decimals=3,
        meaning="Entropy of the classes that the feature classifier predicts for samples, divided by log C for C classes: 1 "
        "if all classes are equally frequent.",
    ),
}
PROFILES = {
    f"{name}_by_sampler": Profile(
        partial(by_sampler, name),
        f"{m.title} by sampler",
        axis="sampler",
        better=m.better,
        unit=m.unit,
        decimals=m.decimals,
        meaning=m.meaning,
    )
    for name, m in METRICS.items()
}
METRICS |= {
    "sharpness_reconstructions": Metric(
        sharpness_reconstructions,
        "Sharpness of reconstructions",
        better=None,
        unit="ratio",
        perfect=None,
        decimals=3,
        meaning="Variance of the Laplacian of reconstructions, divided by that of test images. Below 1: blurred; above 1: "
        "noisy.",
    ),
}
