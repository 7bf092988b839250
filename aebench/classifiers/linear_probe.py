"""Linear probe: multinomial logistic regression on frozen codes (Coates, Ng & Lee 2011; Kornblith, Shlens & Le 2019).

The encoder is not trained further. Some training images are labelled: a fraction of them, stratified by class, or the same
number per class. The seed decides which ones, so all models with the same seed are fitted to the same labels.

For each number of labels the penalty with the highest accuracy is chosen, the strongest one in a tie. The choice must not use
more labels than the probe: an entire validation set can have ten times as many labels as 1 % of the training set. The penalty
is therefore chosen by cross-validation within the labelled images, with `FOLDS` folds or as many as the rarest class has
images. If this is impossible (a class has a single image) or unnecessary (all training images are labelled), it is chosen on
the same fraction of the validation images, with at least one image of each class.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np
import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor

from aebench.classifiers.logistic import Axes, Problem, predict
from aebench.config import Schema
from aebench.data.splits import draw_per_class, shares, stratified_subset
from aebench.objectives import bounded
from aebench.randomness import Streams

FOLDS = 5
"""Maximum number of folds of the cross-validation."""


class LinearProbeSettings(Schema):
    """Numbers of labels and candidate penalties, conf/<dataset>.yaml:linear_probe."""

    per_class: list[PositiveInt] = Field([10])
    """Numbers of labelled training images per class."""
    fractions: list[Annotated[float, Field(gt=0, le=1)]] = Field([0.01, 0.05, 0.1, 1.0], min_length=1)
    """Fractions of the training images that are labelled."""
    penalties: list[PositiveFloat] = Field([1.0, 0.1, 0.01, 0.001, 0.0001], min_length=1)
    """Candidates for λ in mean cross-entropy + λ/2 ‖W‖²."""

    @property
    def amounts(self) -> dict[str, int | float]:
        """Name -> number of labels per class (int) or fraction of the training images (float)."""
        per_class = {f"{count} per class": count for count in self.per_class}
        return per_class | {str(fraction): fraction for fraction in self.fractions}


class LabelledCodes(NamedTuple):
    """Codes (n, k) and their labels (n,)."""

    codes: Tensor
    labels: Tensor

    def take(self, indices: np.ndarray) -> "LabelledCodes":
        """The codes and labels at `indices`."""
        rows = torch.from_numpy(indices).to(self.codes.device)
        return LabelledCodes(self.codes[rows], self.labels[rows])


@dataclass(frozen=True)
class FittedProbe:
    """A fitted classifier: weights (C, k + 1), the number of labels it was fitted to, and the chosen penalty."""

    weights: Tensor
    labels: int
    penalty: float


@dataclass(frozen=True)
class ProbeResult:
    """Test result of a probe that was fitted to this number of labels with this penalty."""

    labels: int
    penalty: float
    """NaN if no probe could be fitted, as the codes are not finite or too large to be squared."""
    confusion: np.ndarray
    """Numbers of test images (C, C) by true class (rows) and predicted class (columns); 0 if no probe could be fitted."""

    @property
    def accuracy(self) -> float:
        """Test accuracy in %; NaN if no probe could be fitted."""
        if not self.confusion.any():
            return math.nan
        return 100 * float(self.confusion.trace() / self.confusion.sum())


def probe(
    train: LabelledCodes, validation: LabelledCodes, test: LabelledCodes, settings: LinearProbeSettings, seed: int
) -> dict[str, ProbeResult]:
    """Fit and test a probe for every number of labels; results are keyed by the names of `settings.amounts`."""
    if not bounded(train.codes, validation.codes, test.codes):
        return {name: _unfitted(train.labels, amount, seed) for name, amount in settings.amounts.items()}
    axes, results = Axes.of(train.codes), {}
    train, validation, test = (LabelledCodes(axes(codes), labels) for codes, labels in (train, validation, test))
    for name, amount in settings.amounts.items():
        fitted = fit(train, validation, axes, amount, settings.penalties, seed)
        results[name] = ProbeResult(fitted.labels, fitted.penalty, confusion(fitted, test))
    return results


def _unfitted(labels: Tensor, amount: float | int, seed: int) -> ProbeResult:
    count, classes = len(labelled_subset(labels.cpu().numpy(), amount, seed)), int(labels.max()) + 1
    return ProbeResult(count, math.nan, np.zeros((classes, classes), int))


def confusion(fitted: FittedProbe, test: LabelledCodes) -> np.ndarray:
    """Numbers of test images (C, C) by true class (rows) and predicted class (columns)."""
    table = np.zeros((len(fitted.weights),) * 2, int)
    np.add.at(table, (test.labels.cpu().numpy(), predict(fitted.weights, test.codes).cpu().numpy()), 1)
    return table


def fit(
    train: LabelledCodes, validation: LabelledCodes, axes: Axes, amount: float | int, penalties: Sequence[float], seed: int
) -> FittedProbe:
    """Fit the probe to one number of labels; codes are in the coordinates of `axes`.

    All folds are fitted at once: the first of the F fits is to all labelled images, the others each leave one fold out.
    """
    indices, ordered = labelled_subset(train.labels.cpu().numpy(), amount, seed), sorted(penalties, reverse=True)
    labelled, everything = train.take(indices), np.ones((1, len(indices)), bool)
    held_out = folds(labelled.labels.cpu().numpy()) if len(indices) < len(train.labels) else everything[:0]
    kept = torch.from_numpy(np.concatenate([everything, ~held_out])).to(labelled.codes)
    classes = int(train.labels.max()) + 1
    weights = Problem.of(*labelled, kept / kept.sum(1, keepdim=True), axes, classes).path(ordered)
    if len(held_out):
        correct = predict(weights[:, 1:], labelled.codes) == labelled.labels
        correct &= torch.from_numpy(held_out).to(labelled.labels.device)
    else:
        fraction = len(indices) / len(train.labels)
        choosing = validation.take(validation_subset(validation.labels.cpu().numpy(), fraction, seed))
        correct = predict(weights, choosing.codes) == choosing.labels
    scores = correct.sum((1, 2)).tolist()
    best = scores.index(max(scores))
    return FittedProbe(weights[best, 0], len(indices), ordered[best])


def labelled_subset(labels: np.ndarray, amount: float | int, seed: int) -> np.ndarray:
    """Indices of the labelled training images, shuffled: `amount` per class (int), or a fraction (float).

    A fraction is the subset that fine-tuning uses, plus one image of each class that is missing from it.
    """
    sizes, generator = np.bincount(labels), Streams(seed).numpy("labels", 1)
    if isinstance(amount, int):
        return draw_per_class(labels, np.minimum(amount, sizes), generator)
    if amount == 1:
        return np.arange(len(labels))
    subset = np.array(stratified_subset(labels, amount, seed))
    missing = np.bincount(labels[subset], minlength=len(sizes)) == 0
    return np.concatenate([subset, draw_per_class(labels, missing, generator)])


def validation_subset(labels: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Indices of a fraction of the validation images, stratified by class, at least one per class."""
    sizes = np.bincount(labels)
    return draw_per_class(labels, np.maximum(shares(sizes, round(fraction * len(labels))), 1), Streams(seed).numpy("labels", 2))


def folds(labels: np.ndarray) -> np.ndarray:
    """Folds (folds, n), stratified by class: true where an image is held out. No folds if a class has a single image."""
    rank = np.empty(len(labels), int)
    for c in np.unique(labels):
        rank[labels == c] = np.arange((labels == c).sum())
    count = min(FOLDS, np.bincount(labels)[np.unique(labels)].min())
    return rank % count == np.arange(count if count > 1 else 0)[:, None]
