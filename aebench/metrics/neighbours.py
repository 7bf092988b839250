"""Do images of a class lie together? Exact k-nearest-neighbour classification of codes, Euclidean distance.

Test codes are queries, train and validation codes the reference: for a fixed k validation labels choose nothing, so they may
be looked up. The best k of `NEIGHBOURS` is the one that classifies most validation codes rightly by train codes alone, the
smallest if several do. A tie of votes goes to the lowest class, as in scikit-learn. Of rows at the same distance any is found.
"""

from functools import lru_cache
from typing import TYPE_CHECKING

from aebench.metrics.base import Metric
from aebench.representation import Representation

if TYPE_CHECKING:
    from torch import Tensor

NEIGHBOURS = (1, 3, 5, 10, 20, 50)
MOST = max(NEIGHBOURS)


def knn_1(r: Representation) -> float:
    """Accuracy in % of the nearest neighbour."""
    return knn_accuracy(r, 1)


def knn_5(r: Representation) -> float:
    """Accuracy in % of the vote of five neighbours."""
    return knn_accuracy(r, 5)


def knn_best(r: Representation) -> float:
    """Accuracy in % of the vote of as many neighbours as did best on validation."""
    return knn_accuracy(r, best_k(r))


def knn_accuracy(r: Representation, k: int) -> float:
    """Accuracy in % on the test set of the vote of the k <= MOST nearest reference codes."""
    return _accuracy(r.reference_labels[nearest(r)], r.labels, k)


@lru_cache(maxsize=1)
def best_k(r: Representation) -> int:
    """The k of `NEIGHBOURS` that is most often right on validation codes, asked of train codes alone."""
    from aebench.representation.search import neighbours

    train = len(r.reference_codes) - r.validation
    codes, labels = r.reference_codes, r.reference_labels
    votes = labels[neighbours(codes[train:], codes[:train], min(MOST, train))]
    return max((k for k in NEIGHBOURS if k <= train), key=lambda k: _accuracy(votes, labels[train:], k))


@lru_cache(maxsize=1)
def nearest(r: Representation) -> "Tensor":
    """Rows (n, MOST) of the reference nearest to each test code, nearest first; found once for all metrics."""
    from aebench.representation.search import neighbours

    return neighbours(r.codes, r.reference_codes, min(MOST, len(r.reference_codes)))


def majority(votes: "Tensor") -> "Tensor":
    """The class (n,) that most of votes (n, k) are for; a tie goes to the lowest."""
    import torch

    return torch.nn.functional.one_hot(votes).sum(1).argmax(1)


def _accuracy(votes: "Tensor", labels: "Tensor", k: int) -> float:
    """In %, of the majority of the first k of votes (n, MOST)."""
    return 100 * float((majority(votes[:, :k]) == labels).double().mean())


METRICS = {
    "knn_1": Metric(
        knn_1,
        "1-NN",
        "higher",
        "%",
        100.0,
        2,
        "Test images whose nearest train or validation code has their class.",
        main=True,
    ),
    "knn_5": Metric(knn_5, "5-NN", "higher", "%", 100.0, 2, "The same by vote of the five nearest codes.", main=True),
    "knn_best": Metric(
        knn_best, "k-NN", "higher", "%", 100.0, 2, "The same by vote of the k nearest codes, k chosen on validation images."
    ),
    "knn_best_k": Metric(
        best_k,
        "k",
        None,
        "codes",
        None,
        0,
        f"The k of k-NN: of {', '.join(map(str, NEIGHBOURS))} the one best on validation images, asked of train codes alone.",
    ),
}
