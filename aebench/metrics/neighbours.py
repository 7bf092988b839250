"""Do images of a class lie together? Exact k-nearest-neighbour classification of codes, Euclidean distance.

Test codes are queries, train and validation codes the reference: validation labels choose nothing here, so they may be
looked up. A tie of votes goes to the lowest class, as in scikit-learn. Distances are ‖a‖² - 2 a·b (+ ‖q‖², the same for
all), in blocks of queries, so memory stays below `BLOCK_BYTES`; codes are centred first, and codes of at most
`NARROW` numbers take float64, where the subtraction would otherwise cost digits.
"""

from functools import lru_cache
from typing import TYPE_CHECKING

from aebench.metrics.base import Metric
from aebench.representation import Representation

if TYPE_CHECKING:
    from torch import Tensor

BLOCK_BYTES = 256 * 2**20
NARROW = 64
MOST = 5


def knn_1(r: Representation) -> float:
    """Accuracy in % of the nearest neighbour."""
    return knn_accuracy(r, 1)


def knn_5(r: Representation) -> float:
    """Accuracy in % of the vote of five neighbours."""
    return knn_accuracy(r, 5)


def knn_accuracy(r: Representation, k: int) -> float:
    """Accuracy in % on the test set of the vote of the k <= MOST nearest reference codes."""
    votes = r.reference_labels[_nearest(r)[:, :k]]
    return 100 * float((majority(votes) == r.labels).double().mean())


def neighbours(queries: "Tensor", reference: "Tensor", k: int) -> "Tensor":
    """Indices (n, k) of the k nearest rows of `reference` (m, d) to each row of `queries` (n, d), nearest first."""
    import torch

    kind = torch.float64 if reference.shape[1] <= NARROW else torch.float32
    centre = reference.to(kind).mean(0)
    queries, reference = queries.to(kind) - centre, reference.to(kind) - centre
    norms = reference.square().sum(1)
    block = max(1, BLOCK_BYTES // (len(reference) * queries.element_size()))
    distances = (torch.addmm(norms, part, reference.T, alpha=-2) for part in queries.split(block))
    return torch.cat([part.topk(k, largest=False).indices for part in distances])


@lru_cache(maxsize=1)
def _nearest(r: Representation) -> "Tensor":
    """Found once for all metrics of a representation."""
    return neighbours(r.codes, r.reference_codes, MOST)


def majority(votes: "Tensor") -> "Tensor":
    """The class (n,) of most votes (n, k), the lowest of those that tie."""
    import torch

    classes = int(votes.max()) + 1
    return torch.nn.functional.one_hot(votes, classes).sum(1).argmax(1)


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
}
