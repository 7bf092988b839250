"""How robust are reconstructions and codes to corruption? Test images under corruptions at increasing levels.

    SSE corrupted      mean over images of ‖x - g(f(x̃))‖²,   x̃ ~ q(x̃ | x)
    denoising gain     1 - sum ‖x - g(f(x̃))‖² / sum ‖x - x̃‖²     1: restored; 0: no better than x̃; negative: worse
    5-NN, ridge probe  accuracy on f(x̃), with reference codes of clean images
    code displacement  E ‖f(x̃) - f(x)‖ / E ‖f(x) - f(x')‖, x and x' two images     1: the distance between two images
    under corruption   mean over corruptions of 1 / l_L ∫ accuracy dl from level 0 (clean) to the highest, l_L; trapezoidal rule

The target is the clean x, as in denoising training (Vincent et al. 2008). The corruptions are set in `evaluation.robustness` of
conf/<dataset>.yaml; by default they are six corruptions at three levels each, 18 in all. `aebench.evaluation.arrays.robustness`
computes the corrupted images, their codes and their reconstructions. A model that copies its input scores the error of the
noise, E ‖x - x̃‖², and has gain 0. Under strong noise the mean image has a positive gain, too, so compare with this baseline.
All models and seeds are evaluated on the same corrupted images. The ridge probe is fitted to clean reference codes.
"""

from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING

from aebench.evaluation.metrics.base import Metric, Profile
from aebench.evaluation.metrics.neighbours import majority
from aebench.evaluation.metrics.reconstruction import sum_of_squares
from aebench.evaluation.representation import Representation
from aebench.evaluation.view import evenly_spaced

if TYPE_CHECKING:
    from torch import Tensor

CLEAN = "clean"
NEIGHBOURS = 5


def sse_corrupted(r: Representation) -> float:
    """Return the SSE, >= 0, between clean images and the reconstructions of corrupted ones."""
    return sum_of_squares(r.images, r.corrupted_reconstructions)


def denoising_gain(r: Representation) -> float:
    """Return the denoising gain, averaged over corruptions and levels; it is at most 1."""
    gains = gain_by_corruption(r).values()
    return sum(gains) / len(gains)


def knn_under_corruption(r: Representation) -> float:
    """Return the accuracy in % of a 5-nearest-neighbour classifier, averaged over levels and corruptions."""
    return _mean_over_levels(r, knn_by_corruption(r))


def probe_under_corruption(r: Representation) -> float:
    """Return the accuracy in % of the ridge probe, averaged over levels and corruptions."""
    return _mean_over_levels(r, probe_by_corruption(r))


def gain_by_corruption(r: Representation) -> dict[str, float]:
    """Return the denoising gain, at most 1, by corruption and level; NaN where a corruption leaves the images unchanged."""
    clean = evenly_spaced(r.images, r.robustness.images.shape[1])
    before, after = ([sum_of_squares(clean, x) for x in part] for part in (r.robustness.images, r.robustness.reconstructions))
    return _by_corruption(r, [1 - b / a if a else float("nan") for a, b in zip(before, after, strict=True)])


def displacement_by_corruption(r: Representation) -> dict[str, float]:
    """Return the code displacement, >= 0, by corruption and level; NaN for a constant code."""
    import torch

    clean = evenly_spaced(r.codes, r.robustness.codes.shape[1]).double()
    between_images = float(torch.pdist(clean).mean())
    moved = [float((codes - clean).norm(dim=1).mean()) for codes in r.robustness.codes]
    return _by_corruption(r, [by / between_images if between_images > 0 else float("nan") for by in moved])


@lru_cache(maxsize=1)
def knn_by_corruption(r: Representation) -> dict[str, float]:
    """Return the accuracy in % of 5-nearest-neighbour classification by reference codes, for clean images and corruptions."""
    from aebench.evaluation.arrays.neighbours import neighbours

    nearest = neighbours(_queries(r), r.reference_codes, NEIGHBOURS)
    return _accuracies(r, majority(r.reference_labels[nearest]))


@lru_cache(maxsize=1)
def probe_by_corruption(r: Representation) -> dict[str, float]:
    """Return the accuracy in % of the ridge probe, for clean images and each corruption."""
    import torch

    from aebench.classifiers import ridge

    probe = ridge.fit(r.reference_codes.double().cpu().numpy(), r.reference_labels.cpu().numpy())
    return _accuracies(r, torch.from_numpy(probe.predict(_queries(r).double().cpu().numpy())))


def _queries(r: Representation) -> "Tensor":
    """Return the codes ((1 + s) m, k) of the m clean images, then of the images under each of s corruptions."""
    import torch

    return torch.cat([evenly_spaced(r.codes, r.robustness.codes.shape[1]), r.robustness.codes.flatten(0, 1)])


def _accuracies(r: Representation, predictions: "Tensor") -> dict[str, float]:
    m = r.robustness.codes.shape[1]
    correct = predictions.unflatten(0, (-1, m)).to(r.labels.device) == evenly_spaced(r.labels, m)
    clean, *others = (100 * correct.double().mean(1)).tolist()
    return {CLEAN: clean} | _by_corruption(r, others)


def _by_corruption(r: Representation, values: list[float]) -> dict[str, float]:
    """Return {"corruption level": value}."""
    return dict(zip((f"{name} {level:g}" for name, level in r.robustness.corruptions), values, strict=True))


def _mean_over_levels(r: Representation, accuracies: dict[str, float]) -> float:
    """Return the mean over corruptions of the mean over levels, by the trapezoidal rule.

    Errors are integrated instead of accuracies, so that accuracies of 100 give exactly 100.
    """
    import numpy as np

    errors = {position: 100 - accuracy for position, accuracy in accuracies.items()}
    means = []
    for name, corruptions in groupby(r.robustness.corruptions, key=lambda corruption: corruption[0]):
        levels = [0.0, *(level for _, level in corruptions)]
        heights = [errors[CLEAN], *(errors[f"{name} {level:g}"] for level in levels[1:])]
        means.append(np.trapezoid(heights, levels) / levels[-1])
    return 100 - float(np.mean(means))


METRICS = {
    "sse_corrupted": Metric(
        sse_corrupted,
        "SSE corrupted",
        better="lower",
        unit="per image",
        perfect=0.0,
        decimals=3,
        meaning="Squared error between clean images and the reconstructions of corrupted ones, summed over pixels.",
        main=True,
    ),
    "denoising_gain": Metric(
        denoising_gain,
        "Denoising gain",
        better="higher",
        unit="fraction",
        perfect=1.0,
        decimals=3,
        meaning="Fraction of the squared error of corrupted images that is removed by reconstruction, mean over corruptions "
        "and levels; negative if reconstruction adds error.",
    ),
    "knn_under_corruption": Metric(
        knn_under_corruption,
        "5-NN under corruption",
        better="higher",
        unit="%",
        perfect=100.0,
        decimals=2,
        meaning="Test accuracy of a 5-nearest-neighbour classifier on clean codes, for corrupted images, averaged over levels "
        "and corruptions.",
    ),
    "probe_under_corruption": Metric(
        probe_under_corruption,
        "Probe under corruption",
        better="higher",
        unit="%",
        perfect=100.0,
        decimals=2,
        meaning="Test accuracy of a ridge probe, fitted to clean codes, on corrupted images, averaged over levels and "
        "corruptions.",
    ),
}
AXIS = "corruption and level"
PROFILES = {
    "denoising_gain_by_corruption": Profile(
        gain_by_corruption,
        "Denoising gain",
        axis=AXIS,
        better="higher",
        unit="fraction",
        decimals=3,
        meaning="Fraction of the squared error of corrupted images that is removed by reconstruction; negative if "
        "reconstruction adds error.",
    ),
    "knn_by_corruption": Profile(
        knn_by_corruption,
        "5-NN under corruption",
        axis=AXIS,
        better="higher",
        unit="%",
        decimals=2,
        meaning="Test accuracy of a 5-nearest-neighbour classifier on clean codes, for corrupted images.",
    ),
    "probe_by_corruption": Profile(
        probe_by_corruption,
        "Probe under corruption",
        axis=AXIS,
        better="higher",
        unit="%",
        decimals=2,
        meaning="Test accuracy of a ridge probe, fitted to clean codes, on corrupted images.",
    ),
    "displacement_by_corruption": Profile(
        displacement_by_corruption,
        "Code displacement",
        axis=AXIS,
        better=None,
        unit="ratio",
        decimals=3,
        meaning="Mean distance between the codes of a corrupted and the clean image, divided by the mean distance between the "
        "codes of two images; undefined for a constant code.",
    ),
}
