"""Do images of the same class have similar codes? k-nearest-neighbour classification by Euclidean distance, exact search.

Queries are the test codes. Reference codes are the training and validation codes: with k fixed nothing is chosen on validation
labels, so validation codes may be neighbours. The best k of `NEIGHBOURS` is the one with the highest validation accuracy with
training codes only, the smallest on a tie. Tied votes go to the lowest class, as in scikit-learn. The order of codes at the
same distance is arbitrary.
"""

from functools import lru_cache
from typing import TYPE_CHECKING

from aebench.evaluation.metrics.base import Metric
from aebench.evaluation.representation import Representation

if TYPE_CHECKING:
    from torch import Tensor

NEIGHBOURS = (1, 3, 5, 10, 20, 50)
MAX_NEIGHBOURS = max(NEIGHBOURS)


def knn_1(r: Representation) -> float:
    """Return the test accuracy of 1-NN in %."""
    return knn_accuracy(r, 1)


def knn_5(r: Representation) -> float:
    """Return the test accuracy of 5-NN in %."""
    return knn_accuracy(r, 5)


def knn_best(r: Representation) -> float:
    """Return the test accuracy of k-NN in %, with the k that is best on validation images."""
    return knn_accuracy(r, best_k(r))


def knn_accuracy(r: Representation, k: int) -> float:
    """Return the test accuracy of k-NN in % for k <= MAX_NEIGHBOURS."""
    return _accuracy(r.reference_labels[nearest(r)], r.labels, k)


@lru_cache(maxsize=1)
def best_k(r: Representation) -> int:
    """Return the k of `NEIGHBOURS` with the highest accuracy on validation codes, with training codes as the neighbours."""
    from aebench.evaluation.arrays.neighbours import neighbours

    train = len(r.reference_codes) - r.validation_count
    codes, labels = r.reference_codes, r.reference_labels
    votes = labels[neighbours(codes[train:], codes[:train], min(MAX_NEIGHBOURS, train))]
    return max((k for k in NEIGHBOURS if k <= train), key=lambda k: _accuracy(votes, labels[train:], k))


@lru_cache(maxsize=1)
def nearest(r: Representation) -> "Tensor":
    """Return the indices (n, MAX_NEIGHBOURS) of the reference codes nearest to each test code, the nearest first."""
    from aebench.evaluation.arrays.neighbours import neighbours

    return neighbours(r.codes, r.reference_codes, min(MAX_NEIGHBOURS, len(r.reference_codes)))


def majority(votes: "Tensor") -> "Tensor":
    """Return the most frequent class (n,) of votes (n, k), and the lowest one on a tie."""
    import torch

    return torch.nn.functional.one_hot(votes).sum(1).argmax(1)


def _accuracy(votes: "Tensor", labels: "Tensor", k: int) -> float:
    """Return the accuracy in % of the majority of the first k of votes (n, MAX_NEIGHBOURS)."""
    return 100 * float((majority(votes[:, :k]) == labels).double().mean())


METRICS = {
    "knn_1": Metric(
        knn_1,
        "1-NN",
        better="higher",
        unit="%",
        perfect=100.0,
        decimals=2,
        meaning="Test accuracy of predicting the class of the nearest training or validation code.",
        main=True,
    ),
    "knn_5": Metric(
        knn_5,
        "5-NN",
        better="higher",
        unit="%",
        perfect=100.0,
        decimals=2,
        meaning="Test accuracy of a 5-nearest-neighbour classifier on the codes of training and validation images.",
        main=True,
    ),
    "knn_best": Metric(
        knn_best,
        "k-NN",
        better="higher",
        unit="%",
        perfect=100.0,
        decimals=2,
        meaning="Test accuracy of a k-nearest-neighbour classifier on codes, with k chosen on validation images.",
    ),
    "knn_best_k": Metric(
        best_k,
        "k",
        better=None,
        unit="neighbours",
        perfect=None,
        decimals=0,
        meaning="Number of neighbours k of k-NN: the one of "
        f"{', '.join(map(str, NEIGHBOURS))} with the highest validation accuracy.",
    ),
}
