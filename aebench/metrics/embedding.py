"""What does a map of the codes show? How faithful codes are to images, and a t-SNE map to the codes.

    trustworthiness(k) = 1 - 2 / (n k (2n - 3k - 1)) sum_i sum_{j in U_k(i)} (r(i, j) - k)+

of a map of n points: r(i, j) is the rank of j by distance from i in the original space (nearest 1), and U_k(i) are the k
nearest to i in the map (Venna & Kaski 2001; k = `evaluation.embedding.neighbours`). 1: no neighbour in the map is a stranger.
Continuity is the same with the two spaces exchanged, 1: no neighbour was torn away. Both are in [0, 1]; a map that knows
nothing scores on average

    1 - (n - k)(n - k - 1) / ((n - 1)(2n - 3k - 1)),  a little over 1/2.

Distances are Euclidean; those that agree in float32 are equal, and ties are broken at random, in each space by itself: the
numbers are the expectation over that, so a constant code scores what a map that knows nothing does. NaN unless 2k < n.
"""

import math
from functools import lru_cache
from typing import TYPE_CHECKING

from aebench.metrics.base import Metric
from aebench.representation import Representation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

BLOCK_BYTES = 64 * 2**20
NARROW = 64
"""Points of at most so many numbers take float64, where the distances would otherwise lose digits."""
VOTES = 5


def trustworthiness(r: Representation) -> float:
    """Of the codes as a map of the images; in [0, 1]."""
    return _of_codes(r)[0]


def continuity(r: Representation) -> float:
    """Of the codes as a map of the images; in [0, 1]."""
    return _of_codes(r)[1]


def map_trustworthiness(r: Representation) -> float:
    """Of the t-SNE map as one of the codes; in [0, 1], NaN without a map."""
    return _of_map(r)[0]


def map_continuity(r: Representation) -> float:
    """Of the t-SNE map as one of the codes; in [0, 1], NaN without a map."""
    return _of_map(r)[1]


def map_knn_5(r: Representation) -> float:
    """Accuracy in % of the vote of the five nearest others in the t-SNE map, NaN without a map."""
    from sklearn.neighbors import KNeighborsClassifier

    if r.embedding is None or r.embedding.map is None:
        return math.nan
    places, labels = r.embedding.map.cpu().numpy(), r.labels[: len(r.embedding.map)].cpu().numpy()
    return 100 * float(KNeighborsClassifier(VOTES).fit(places, labels).score(None, labels))


def faithfulness(original: "Tensor", points: "Tensor", k: int) -> tuple[float, float]:
    """Trustworthiness and continuity with k neighbours of `points` (n, e) as a map of `original` (n, d)."""
    n = len(original)
    if n <= 2 * k:
        return math.nan, math.nan
    strangers = torn = 0.0
    for there, here in zip(_distances(original), _distances(points), strict=True):
        strangers += _excess(here, there, k)
        torn += _excess(there, here, k)
    most = n * k * (2 * n - 3 * k - 1) / 2
    return 1 - strangers / most, 1 - torn / most


@lru_cache(maxsize=1)
def _of_codes(r: Representation) -> tuple[float, float]:
    """Found once for both metrics of a representation."""
    part = r.embedding
    return (math.nan, math.nan) if part is None else faithfulness(part.images, part.codes, part.neighbours)


@lru_cache(maxsize=1)
def _of_map(r: Representation) -> tuple[float, float]:
    part = r.embedding
    missing = part is None or part.map is None
    return (math.nan, math.nan) if missing else faithfulness(part.codes, part.map, part.neighbours)


def _distances(points: "Tensor") -> "Iterator[Tensor]":
    """Squared distances (b, n) from b of the points (n, d) at a time to all others; to itself infinite."""
    import torch

    kind = torch.float64 if points.shape[1] <= NARROW else torch.float32
    points = points.double()
    points = (points - points.mean(0)).to(kind)
    norms, rows = points.square().sum(1), max(1, BLOCK_BYTES // (8 * len(points)))
    for start in range(0, len(points), rows):
        part = slice(start, start + rows)
        block = torch.addmm(norms, points[part], points.T, alpha=-2).add_(norms[part, None]).float()
        block.diagonal(start).fill_(torch.inf)
        yield block


def _excess(near: "Tensor", far: "Tensor", k: int) -> float:
    """Sum over rows of (rank in `far` - k)+ of the k nearest in `near`, both (b, n) distances, as expected over ties."""
    import torch

    kth = near.topk(k, largest=False).values[:, -1:]
    found = near.topk(int((near <= kth).sum(1).max()), largest=False)
    closer, tied = (found.values < kth).double(), (found.values == kth).double()
    chosen = closer + tied * (k - closer.sum(1, keepdim=True)) / tied.sum(1, keepdim=True)
    ordered, at = _ascending(far), far.gather(1, found.indices)
    before, upto = (torch.searchsorted(ordered, at, right=right) for right in (False, True))
    return float((chosen * (_sums(upto - k) - _sums(before - k)) / (upto - before)).sum())


def _sums(n: "Tensor") -> "Tensor":
    """1 + 2 + ... + n, 0 for n < 1."""
    return (n.clamp(min=0) * (n.clamp(min=0) + 1)).double() / 2


def _ascending(rows: "Tensor") -> "Tensor":
    """Each row sorted; NumPy's sort, which keeps no indices, is four times as fast as torch's on a CPU."""
    import numpy as np
    import torch

    return torch.from_numpy(np.sort(rows.cpu().numpy(), axis=1)).to(rows.device)


METRICS = {
    "trustworthiness": Metric(
        trustworthiness,
        "Trustworthiness",
        "higher",
        "of 1",
        1.0,
        4,
        "Whether neighbours among the codes were neighbours among the images; about 0.5: they know nothing of each other.",
    ),
    "continuity": Metric(
        continuity,
        "Continuity",
        "higher",
        "of 1",
        1.0,
        4,
        "Whether neighbours among the images are still neighbours among the codes; about 0.5: they know nothing of each other.",
    ),
    "map_trustworthiness": Metric(
        map_trustworthiness,
        "Map trustworthiness",
        "higher",
        "of 1",
        1.0,
        4,
        "Whether neighbours in the t-SNE map are neighbours among the codes (first seed; none of a constant code).",
    ),
    "map_continuity": Metric(
        map_continuity,
        "Map continuity",
        "higher",
        "of 1",
        1.0,
        4,
        "Whether neighbours among the codes are still neighbours in the t-SNE map (first seed; none of a constant code).",
    ),
    "map_knn_5": Metric(
        map_knn_5,
        "Map 5-NN",
        "higher",
        "%",
        100.0,
        2,
        "Test images whose class the five nearest others in the t-SNE map vote for (first seed; none of a constant code).",
    ),
}
