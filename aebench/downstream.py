"""How well does a linear classifier read the class off frozen codes, with few labels and with many?

Multinomial logistic regression (`aebench.logistic`) on the codes of an encoder that is not touched: the linear evaluation of
representation learning (Coates, Ng & Lee 2011; Kornblith, Shlens & Le 2019). Of the training images an amount is labelled: a
share of them in the proportions of the classes, or so many of each class; which, the seed decides, alike for every row.

The penalty is chosen for each amount by accuracy, the strongest of equals, and the labels that choose it are labels too: a
classifier with 1 % of the labels that is chosen on all validation labels has been told ten times what it says. So the
choice is by cross-validation within the labelled part, in `FOLDS` folds or as many as the rarest class has images. Where
that cannot be (a class with one image) or need not be (all training images are labelled), it is by as large a share of the
validation images as is labelled of the training images, at least one a class.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from aebench.data.splits import shares
from aebench.finetuning import _part
from aebench.logistic import Axes, Problem, answers, principal
from aebench.randomness import Streams
from aebench.representation import View
from aebench.runs import Trained

FOLDS = 5


class Known(NamedTuple):
    """Rows (n, k + 1) of codes and their labels (n,)."""

    rows: Tensor
    labels: Tensor

    def take(self, part: np.ndarray) -> "Known":
        """The images at these places."""
        places = torch.from_numpy(part).to(self.rows.device)
        return Known(self.rows[places], self.labels[places])


@dataclass(frozen=True)
class Probe:
    """A classifier of frozen codes: its weights (C, k + 1), how many labels it was fitted to and the penalty chosen."""

    weights: Tensor
    labels: int
    penalty: float


@dataclass(frozen=True)
class Answers:
    """What a probe, with its labels and penalty, says of the test images."""

    labels: int
    penalty: float
    confusion: np.ndarray
    """(C, C): how many images of the row's class were said to be of the column's."""

    @property
    def accuracy(self) -> float:
        """In %."""
        return 100 * float(self.confusion.trace() / self.confusion.sum())


def probes(view: View) -> dict[str, Answers]:
    """The answers with every amount of labels that the settings name."""
    n, settings = len(view.reference) - view.validation, view.settings.classification
    axes = principal(view.reference_codes[:n])
    rows, labels = axes(view.reference_codes), view.reference_labels
    train, validation, test = Known(rows[:n], labels[:n]), Known(rows[n:], labels[n:]), Known(axes(view.codes), view.labels)
    found = {}
    for name, amount in settings.amounts.items():
        probe = fit(train, validation, axes, amount, settings.penalties, view.seed)
        found[name] = Answers(probe.labels, probe.penalty, confusion(probe, test))
    return found


def every_seed(model: Trained, seeds: Sequence[int]) -> Trained:
    """A model without randomness is one replica, and every seed's labels are drawn for it."""
    state = {name: value.expand(len(seeds), *value.shape[1:]) for name, value in model.state.items()}
    return replace(model, seeds=tuple(seeds), state=state)


def confusion(probe: Probe, test: Known) -> np.ndarray:
    """(C, C) counts of `test`, classes by answers."""
    table = np.zeros((len(probe.weights),) * 2, int)
    np.add.at(table, (test.labels.cpu().numpy(), answers(probe.weights, test.rows).cpu().numpy()), 1)
    return table


def fit(train: Known, validation: Known, axes: Axes, amount: float | int, penalties: Sequence[float], seed: int) -> Probe:
    """The probe of an amount of labels; it sees no test image."""
    part, ordered = labelled(train.labels.cpu().numpy(), amount, seed), sorted(penalties, reverse=True)
    known, every = train.take(part), np.ones((1, len(part)), bool)
    away = held_out(known.labels.cpu().numpy()) if len(part) < len(train.labels) else every[:0]
    kept = torch.from_numpy(np.concatenate([every, ~away])).to(known.rows)
    classes = int(train.labels.max()) + 1
    weights = Problem.of(*known, kept / kept.sum(1, keepdim=True), axes, classes).path(ordered)
    if len(away):
        right = (answers(weights[:, 1:], known.rows) == known.labels) & torch.from_numpy(away).to(known.labels.device)
    else:
        few = validation.take(proportionate(validation.labels.cpu().numpy(), len(part) / len(train.labels), seed))
        right = answers(weights, few.rows) == few.labels
    scores = right.sum((1, 2)).tolist()
    best = scores.index(max(scores))
    return Probe(weights[best, 0], len(part), ordered[best])


def labelled(labels: np.ndarray, amount: float | int, seed: int) -> np.ndarray:
    """Which of the training images are labelled, in random order: so many of each class, or a share, that of fine-tuning.

    A share has an image of each class, also of one so rare that fine-tuning goes without.
    """
    sizes, generator = np.bincount(labels), Streams(seed).numpy("labels", 1)
    if isinstance(amount, int):
        return _drawn(labels, np.minimum(amount, sizes), generator)
    if amount == 1:
        return np.arange(len(labels))
    part = np.array(_part(labels, amount, seed))
    forgotten = np.bincount(labels[part], minlength=len(sizes)) == 0
    return np.concatenate([part, _drawn(labels, forgotten, generator)])


def proportionate(labels: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Which of the validation images are labelled: a share in the proportions of the classes, at least one of each."""
    sizes = np.bincount(labels)
    return _drawn(labels, np.maximum(shares(sizes, round(share * len(labels))), 1), Streams(seed).numpy("labels", 2))


def held_out(labels: np.ndarray) -> np.ndarray:
    """(folds, n): each image held out once, each class evenly; no fold where a class has one image."""
    place = np.empty(len(labels), int)
    for c in np.unique(labels):
        place[labels == c] = np.arange((labels == c).sum())
    count = min(FOLDS, np.bincount(labels)[np.unique(labels)].min())
    return place % count == np.arange(count if count > 1 else 0)[:, None]


def _drawn(labels: np.ndarray, counts: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """So many places of each class, the classes mixed."""
    order = generator.permutation(len(labels))
    rank = (labels[order][:, None] == np.arange(len(counts))).cumsum(0)[np.arange(len(labels)), labels[order]]
    return order[rank <= counts[labels[order]]]
