"""Do decoded draws look like the data? Samples against as many test images, in the features of the data set's judge.

    Fréchet distance, precision, recall, density, coverage    as in `aebench.fidelity`, with its sources
    sharpness   variance of an image's Laplacian, mean over samples / mean over real images      Tolstikhin et al. 2018
    balance     entropy of the classes that the judge sees in samples / log C

The samplers are those of `aebench.representation.generation`; a model's own is its prior or, if it has none, the fitted
normal. Limits: Fréchet distances are biased upwards, by about 1 / n: compare them at one n, and with that of `training
images`, which is what a decoder may hope for (the judge knows these images, which makes it a little worse). Images of that
very distribution cover 1 - 2^-5 (Naeem et al. 2020, Lemma 2), and whoever remembers its training images scores as they do.
NaN without a judge, without a prior where one is asked for, or with n <= 5.
"""

import math
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from aebench.metrics.base import Metric, Profile
from aebench.representation import Representation

if TYPE_CHECKING:
    from torch import Tensor

SAMPLERS = ("prior", "N(0, I)", "normal", "mixture", "training images")


def by_sampler(name: str, r: Representation) -> dict[str, float]:
    """The score `name` of every sampler."""
    return {sampler: _scores(r).get(sampler, {}).get(name, math.nan) for sampler in SAMPLERS}


def own(name: str, r: Representation) -> float:
    """The score `name` of the model's own sampler."""
    return by_sampler(name, r)["prior" if "prior" in _scores(r) else "normal"]


def sharpness_reconstructions(r: Representation) -> float:
    """Sharpness of the reconstructions of test images, clipped to [0, 1], relative to the images; >= 0, needs no judge."""
    return sharpness(r.reconstructions.clamp(0, 1), r.images, r.shape)


def sharpness(made: "Tensor", real: "Tensor", shape: tuple[int, ...]) -> float:
    """Ratio of the images' Laplacian variances, >= 0; NaN where real images have none."""
    reference = laplacian_variance(real, shape)
    return laplacian_variance(made, shape) / reference if reference else math.nan


def laplacian_variance(images: "Tensor", shape: tuple[int, ...]) -> float:
    """Variance over inner pixels of x_up + x_down + x_left + x_right - 4 x, mean over images (n, d) and channels.

    NaN where an image has no inner pixel.
    """
    if min(shape[:2]) < 3:
        return math.nan
    x = images.double().reshape(len(images), *shape[:2], -1)
    across, down = x[:, 1:-1, 2:] + x[:, 1:-1, :-2], x[:, 2:, 1:-1] + x[:, :-2, 1:-1]
    return float((across + down - 4 * x[:, 1:-1, 1:-1]).var((1, 2), correction=0).mean())


def class_balance(logits: "Tensor") -> float:
    """Entropy of the classes seen in n images, given their logits (n, C), over log C; in [0, 1]; NaN with one class."""
    import torch

    classes = logits.shape[1]
    shares = logits.argmax(1).bincount(minlength=classes).double() / len(logits)
    return float(torch.special.entr(shares).sum()) / math.log(classes) if classes > 1 else math.nan


@lru_cache(maxsize=1)
def _scores(r: Representation) -> dict[str, dict[str, float]]:
    """Sampler -> score -> number, found once for all metrics of a representation."""
    from aebench.fidelity import K_DENSITY, Features, compare

    if r.generated is None or len(r.generated.real.images) <= K_DENSITY:
        return {}
    real = r.generated.real
    features = Features(real.features)
    return {
        sampler: compare(features, Features(seen.features))
        | {"sharpness": sharpness(seen.images, real.images, r.shape), "class_balance": class_balance(seen.logits)}
        for sampler, seen in r.generated.samples.items()
    }


METRICS = {
    "frechet": Metric(
        partial(own, "frechet"),
        "Fréchet distance",
        "lower",
        "squared features",
        0.0,
        2,
        "Of decoded draws (prior, else fitted normal) to as many test images, in the judge's features; biased up by about 1/n.",
    ),
    "precision": Metric(
        partial(own, "precision"),
        "Precision",
        "higher",
        "share",
        1.0,
        3,
        "Samples that lie among test images: within reach of the third neighbour of one, in the judge's features.",
    ),
    "recall": Metric(
        partial(own, "recall"),
        "Recall",
        "higher",
        "share",
        1.0,
        3,
        "Test images that lie among samples, by the same rule the other way round.",
    ),
    "density": Metric(
        partial(own, "density"),
        "Density",
        None,
        "ratio",
        None,
        3,
        "Test images in whose reach (fifth neighbour) a sample lies, over 5: 1 for real ones, more where samples crowd.",
    ),
    "coverage": Metric(
        partial(own, "coverage"),
        "Coverage",
        "higher",
        "share",
        1.0,
        3,
        "Test images with a sample nearer than their fifth neighbour; 0.97 for other real images.",
    ),
    "sharpness": Metric(
        partial(own, "sharpness"),
        "Sharpness",
        None,
        "ratio",
        None,
        3,
        "Variance of the samples' Laplacian over that of test images: blurred below 1, grainy above.",
    ),
    "class_balance": Metric(
        partial(own, "class_balance"),
        "Class balance",
        None,
        "ratio",
        None,
        3,
        "Entropy of the classes that the judge sees in samples, over log C: 1 if all are as frequent.",
    ),
}
PROFILES = {
    f"{name}_by_sampler": Profile(
        partial(by_sampler, name), f"{m.title} by sampler", "sampler", m.better, m.unit, m.decimals, m.meaning
    )
    for name, m in METRICS.items()
}
METRICS |= {
    "sharpness_reconstructions": Metric(
        sharpness_reconstructions,
        "Sharpness of reconstructions",
        None,
        "ratio",
        None,
        3,
        "Variance of the reconstructions' Laplacian over that of test images: blurred below 1.",
    ),
}
