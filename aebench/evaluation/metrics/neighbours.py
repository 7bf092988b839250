"""Are images of the same class close together? k-nearest-neighbour classification of codes, Euclidean distance, exact search.

Queries are the test codes; the reference codes are those of train and validation. (With k fixed nothing is chosen on
validation labels, so they may be looked up.) The best k of `NEIGHBOURS` classifies most validation codes correctly from the
train codes alone; on a tie it is the smallest. Tied votes go to the lowest class, as in scikit-learn. Which of several codes
at the same distance counts as nearer is arbitrary.
"""

from functools import lru_cache
from typing import TYPE_CHECKING

from aebench.evaluation.metrics.base import Metric
from aebench.evaluation.representation import Representation

if TYPE_CHECKING:
    from torch import Tensor

NEIGHBOURS = (1, 3, 5, 10, 20, 50)
MOST = max(NEIGHBOURS)


def knn_1(r: Representation) -> float:
    """Accuracy in % of the nearest neighbour."""
    return knn_accuracy(r, 1)


def knn_5(r: Representation) -> float:
    """Accuracy in % of a vote of five neighbours."""
    return knn_accuracy(r, 5)


def knn_best(r: Representation) -> float:
    """Accuracy in % of a vote of k neighbours, with the k that is best on validation images."""
    return knn_accuracy(r, best_k(r))


def knn_accuracy(r: Representation, k: int) -> float:
    """Test accuracy in % of a vote of the k <= MOST nearest reference codes."""
    return _accuracy(r.reference_labels[nearest(r)], r.labels, k)


@lru_cache(maxsize=1)
def best_k(r: Representation) -> int:
    """The k of `NEIGHBOURS` with the highest validation accuracy, looking up train codes only."""
    from aebench.evaluation.arrays.neighbours import neighbours

    train = len(r.reference_codes) - r.validation
    codes, labels = r.reference_codes, r.reference_labels
    votes = labels[neighbours(codes[train:], codes[:train], min(MOST, train))]
    return max((k for k in NEIGHBOURS if k <= train), key=lambda k: _accuracy(votes, labels[train:], k))


@lru_cache(maxsize=1)
def nearest(r: Representation) -> "Tensor":
    """Indices (n, MOST) of the reference codes nearest to each test code, nearest first; cached for several metrics."""
    from aebench.evaluation.arrays.neighbours import neighbours

    return neighbours(r.codes, r.reference_codes, min(MOST, len(r.reference_codes)))


def majority(votes: "Tensor") -> "Tensor":
    """The most frequent class (n,) of votes (n, k); the lowest one on a tie."""
    import torch

    return torch.nn.functional.one_hot(votes).sum(1).argmax(1)


def _accuracy(votes: "Tensor", labels: "Tensor", k: int) -> float:
    """Accuracy in % of the majority of the first k of votes (n, MOST)."""
    return 100 * float((majority(votes[:, :k]) == labels).double().mean())


METRICS = {
    "knn_1": Metric(
        knn_1,
        "1-NN",
        "higher",
        "%",
        100.0,
        2,
        "Test accuracy of the class of the nearest train or validation code.",
        main=True,
    ),
    "knn_5": Metric(
        knn_5,
        "5-NN",
        "higher",
        "%",
        100.0,
        2,
        "Test accuracy of a vote of the five nearest train or validation codes.",
        main=True,
    ),
    "knn_best": Metric(
        knn_best, "k-NN", "higher", "%", 100.0, 2, "The same for the k nearest codes, with k chosen on validation images."
    ),
    "knn_best_k": Metric(
        best_k,
        "k",
        None,
        "codes",
        None,
        0,
        f"The k of k-NN: the one of {', '.join(map(str, NEIGHBOURS))} with the best validation accuracy from train codes.",
    ),
}
