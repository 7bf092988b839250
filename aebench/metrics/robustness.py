"""How much of image and class is left when part of the image was lost? Test images, degraded six ways and further and further.

    SSE corrupted      mean over images of ‖x - g(f(x̃))‖²,   x̃ ~ q(x̃ | x)
    denoising gain     1 - sum ‖x - g(f(x̃))‖² / sum ‖x - x̃‖²     1: restored; 0: as bad as x̃; negative: worse
    5-NN, probe        accuracy on f(x̃) of neighbours and of a ridge regression among clean reference codes
    code displacement  E ‖f(x̃) - f(x)‖ / E ‖f(x) - f(x')‖, x and x' two images: 1: the image could be any other
    under degradation  mean over corruptions of 1 / l_L ∫ accuracy dl from level 0 (clean) to the last, l_L; trapezia

The target is the clean x, as in denoising training (Vincent et al. 2008); how x̃ is made is in `evaluation` of
conf/<dataset>.yaml. A model that copies what it sees scores the noise itself, E ‖x - x̃‖², and gains nothing. Of heavy noise
even the mean image gains: read the gain beside the control's. Degraded images are the same for all models and seeds. The
probe is `aebench.probe`'s, fitted once to clean codes of train and validation; nothing is chosen.
"""

from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING

from aebench.metrics.base import Metric, Profile
from aebench.metrics.neighbours import majority
from aebench.metrics.reconstruction import sum_of_squares
from aebench.representation import Representation

if TYPE_CHECKING:
    from torch import Tensor

CLEAN = "clean"
VOTES = 5


def sse_corrupted(r: Representation) -> float:
    """Squared error against clean images, summed over pixels, mean over test images; >= 0."""
    return sum_of_squares(r.images, r.corrupted_reconstructions)


def denoising_gain(r: Representation) -> float:
    """Mean of the gains over corruptions and levels; at most 1."""
    gains = gain(r).values()
    return sum(gains) / len(gains)


def knn_under_degradation(r: Representation) -> float:
    """Mean accuracy in % of five neighbours from clean to the last level."""
    return _area(r, knn_degraded(r))


def probe_under_degradation(r: Representation) -> float:
    """Mean accuracy in % of the probe from clean to the last level."""
    return _area(r, probe_degraded(r))


def gain(r: Representation) -> dict[str, float]:
    """Corruption and level -> denoising gain; NaN where nothing was done to the images."""
    clean, seen = r.images[: r.degraded.images.shape[1]], r.degraded
    done, left = ([sum_of_squares(clean, x) for x in each] for each in (seen.images, seen.reconstructions))
    return _placed(r, [1 - b / a if a else float("nan") for a, b in zip(done, left, strict=True)])


def displacement(r: Representation) -> dict[str, float]:
    """Corruption and level -> code displacement, >= 0; NaN where all images have one code."""
    import torch

    clean = r.codes[: r.degraded.codes.shape[1]].double()
    apart = float(torch.pdist(clean).mean())
    moved = [float((codes - clean).norm(dim=1).mean()) for codes in r.degraded.codes]
    return _placed(r, [by / apart if apart > 0 else float("nan") for by in moved])


@lru_cache(maxsize=1)
def knn_degraded(r: Representation) -> dict[str, float]:
    """`clean`, then corruption and level -> accuracy in % of the vote of five neighbours."""
    from aebench.representation.search import neighbours

    nearest = neighbours(_queries(r), r.reference_codes, VOTES)
    return _accuracies(r, majority(r.reference_labels[nearest]))


@lru_cache(maxsize=1)
def probe_degraded(r: Representation) -> dict[str, float]:
    """`clean`, then corruption and level -> accuracy in % of the probe."""
    import torch
    from sklearn.linear_model import RidgeClassifier

    probe = RidgeClassifier(1.0).fit(r.reference_codes.double().cpu().numpy(), r.reference_labels.cpu().numpy())
    return _accuracies(r, torch.from_numpy(probe.predict(_queries(r).double().cpu().numpy())))


def _queries(r: Representation) -> "Tensor":
    """Codes ((1 + s) m, k) of the clean images, then of each place's."""
    import torch

    return torch.cat([r.codes[: r.degraded.codes.shape[1]], r.degraded.codes.flatten(0, 1)])


def _accuracies(r: Representation, answers: "Tensor") -> dict[str, float]:
    m = r.degraded.codes.shape[1]
    right = answers.unflatten(0, (-1, m)).to(r.labels.device) == r.labels[:m]
    clean, *others = (100 * right.double().mean(1)).tolist()
    return {CLEAN: clean} | _placed(r, others)


def _placed(r: Representation, values: list[float]) -> dict[str, float]:
    return dict(zip((f"{name} {level:g}" for name, level in r.degraded.places), values, strict=True))


def _area(r: Representation, accuracies: dict[str, float]) -> float:
    """What is lost is integrated, so that nothing lost is 100 exactly."""
    import numpy as np

    lost = {place: 100 - accuracy for place, accuracy in accuracies.items()}
    areas = []
    for name, places in groupby(r.degraded.places, key=lambda place: place[0]):
        levels = [0.0, *(level for _, level in places)]
        heights = [lost[CLEAN], *(lost[f"{name} {level:g}"] for level in levels[1:])]
        areas.append(np.trapezoid(heights, levels) / levels[-1])
    return 100 - float(np.mean(areas))


METRICS = {
    "sse_corrupted": Metric(
        sse_corrupted,
        "SSE corrupted",
        "lower",
        "per image",
        0.0,
        3,
        "Squared error against clean images of reconstructions from corrupted ones.",
        main=True,
    ),
    "denoising_gain": Metric(
        denoising_gain,
        "Denoising gain",
        "higher",
        "share",
        1.0,
        3,
        "Share of a degraded image's squared error that its reconstruction takes away (negative: adds), mean over settings.",
    ),
    "knn_under_degradation": Metric(
        knn_under_degradation,
        "5-NN degraded",
        "higher",
        "%",
        100.0,
        2,
        "Accuracy of five neighbours among clean codes, averaged from clean to heavily degraded images and over corruptions.",
    ),
    "probe_under_degradation": Metric(
        probe_under_degradation,
        "Probe degraded",
        "higher",
        "%",
        100.0,
        2,
        "The same of a linear probe that was fitted to clean codes.",
    ),
}
AXIS = "corruption and level"
PROFILES = {
    "gain": Profile(gain, "Denoising gain", AXIS, "higher", "share", 3, METRICS["denoising_gain"].meaning),
    "knn_degraded": Profile(
        knn_degraded, "5-NN degraded", AXIS, "higher", "%", 2, "Accuracy of five neighbours among clean codes."
    ),
    "probe_degraded": Profile(
        probe_degraded, "Probe degraded", AXIS, "higher", "%", 2, "Accuracy of a linear probe fitted to clean codes."
    ),
    "displacement": Profile(
        displacement,
        "Code displacement",
        AXIS,
        None,
        "of the distance of two codes",
        3,
        "How far degradation moves a code: 0 not at all, 1 as far as another image; none of a code that never moves.",
    ),
}
