"""Are neighbourhoods preserved in the code and in its t-SNE map? Codes as a map of the images, and a t-SNE map of the codes.

    trustworthiness(k) = 1 - 2 / (n k (2n - 3k - 1)) sum_i sum_{j in U_k(i)} (r(i, j) - k)+

for a map of n points: r(i, j) is the rank of j by distance from i in the original space (the nearest has rank 1), and U_k(i)
are the k nearest neighbours of i in the map (Venna & Kaski 2001; k = `evaluation.embedding.neighbours`). It is 1 if every
neighbour in the map is one in the original space. Continuity exchanges the two spaces: it is 1 if every neighbour in the
original space is one in the map. Both are in [0, 1]; a random map scores on average

    1 - (n - k)(n - k - 1) / ((n - 1)(2n - 3k - 1)),  slightly more than 1/2.

Distances are Euclidean and count as equal if they agree in float32. The score is the expectation over ties broken at random,
independently in each space, so a constant code scores the same as a random map. scikit-learn's `trustworthiness` breaks ties by
the order of the images, which gives a constant code 0.59 where chance is 0.51, and takes 1.2 to 1.7 times as long (`python -m
benchmarks --only libraries`). The scores are NaN unless 2k < n.
"""

import math
from functools import lru_cache
from typing import TYPE_CHECKING

from aebench.evaluation.metrics.base import Metric
from aebench.evaluation.representation import Representation
from aebench.evaluation.view import evenly_spaced

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

BLOCK_BYTES = 64 * 2**20
"""Size of a block of distances in float64."""
NARROW = 64
"""Largest number of dimensions at which distances are computed in float64: with few terms, float32 would lose digits."""
VOTES = 5
"""Number of neighbours that vote in the map."""


def trustworthiness(r: Representation) -> float:
    """Return the trustworthiness of the codes as a map of the images, in [0, 1]."""
    return _code_scores(r)[0]


def continuity(r: Representation) -> float:
    """Return the continuity of the codes as a map of the images, in [0, 1]."""
    return _code_scores(r)[1]


def map_trustworthiness(r: Representation) -> float:
    """Return the trustworthiness of the t-SNE map of the codes, in [0, 1]; NaN without a map."""
    return _map_scores(r)[0]


def map_continuity(r: Representation) -> float:
    """Return the continuity of the t-SNE map of the codes, in [0, 1]; NaN without a map."""
    return _map_scores(r)[1]


def map_knn_5(r: Representation) -> float:
    """Return the leave-one-out accuracy in % of the five nearest neighbours in the t-SNE map; NaN without a map."""
    from sklearn.neighbors import KNeighborsClassifier

    if r.embedding is None or r.embedding.map is None:
        return math.nan
    points, labels = (each.cpu().numpy() for each in (r.embedding.map, evenly_spaced(r.labels, len(r.embedding.map))))
    classifier = KNeighborsClassifier(VOTES).fit(points, labels)
    return 100 * float(classifier.score(None, labels))  # None: leave-one-out over the fitted points


def faithfulness(original: "Tensor", points: "Tensor", k: int) -> tuple[float, float]:
    """Return trustworthiness and continuity of `points` (n, e) as a map of `original` (n, d), with k neighbours.

    Both are NaN unless 2k < n.
    """
    n = len(original)
    if n <= 2 * k:
        return math.nan, math.nan
    false_neighbours = lost_neighbours = 0.0
    for in_original, in_map in zip(_distances(original), _distances(points), strict=True):
        false_neighbours += _excess(in_map, in_original, k)
        lost_neighbours += _excess(in_original, in_map, k)
    largest = n * k * (2 * n - 3 * k - 1) / 2
    return 1 - false_neighbours / largest, 1 - lost_neighbours / largest


@lru_cache(maxsize=1)
def _code_scores(r: Representation) -> tuple[float, float]:
    """Trustworthiness and continuity of the codes, computed once for both metrics of a representation."""
    part = r.embedding
    return (math.nan, math.nan) if part is None else faithfulness(part.images, part.codes, part.neighbours)


@lru_cache(maxsize=1)
def _map_scores(r: Representation) -> tuple[float, float]:
    part = r.embedding
    missing = part is None or part.map is None
    return (math.nan, math.nan) if missing else faithfulness(part.codes, part.map, part.neighbours)


def _distances(points: "Tensor") -> "Iterator[Tensor]":
    """Squared distances (b, n) from b of the points (n, d) at a time to all points; infinite from a point to itself."""
    import torch

    dtype = torch.float64 if points.shape[1] <= NARROW else torch.float32
    points = points.double()
    points = (points - points.mean(0)).to(dtype)
    norms, rows = points.square().sum(1), max(1, BLOCK_BYTES // (8 * len(points)))
    for start in range(0, len(points), rows):
        part = slice(start, start + rows)
        block = torch.addmm(norms, points[part], points.T, alpha=-2).add_(norms[part, None]).float()
        block.diagonal(start).fill_(torch.inf)
        yield block


def _excess(near: "Tensor", others: "Tensor", k: int) -> float:
    """Expected sum of (rank by `others` - k)+ over the k nearest by `near`, both distances (b, n); ties broken at random."""
    import torch

    kth = near.topk(k, largest=False).values[:, -1:]
    candidates = near.topk(int((near <= kth).sum(1).max()), largest=False)
    closer, tied = (candidates.values < kth).double(), (candidates.values == kth).double()
    probability = closer + tied * (k - closer.sum(1, keepdim=True)) / tied.sum(1, keepdim=True)
    ordered, distances = _ascending(others), others.gather(1, candidates.indices)
    before, upto = (torch.searchsorted(ordered, distances, right=right) for right in (False, True))
    return float((probability * (_sums(upto - k) - _sums(before - k)) / (upto - before)).sum())


def _sums(n: "Tensor") -> "Tensor":
    """1 + 2 + ... + n; 0 for n < 1."""
    return (n.clamp(min=0) * (n.clamp(min=0) + 1)).double() / 2


def _ascending(rows: "Tensor") -> "Tensor":
    """Each row sorted. NumPy is four times as fast as torch on a CPU because it does not return indices."""
    import numpy as np
    import torch

    return torch.from_numpy(np.sort(rows.cpu().numpy(), axis=1)).to(rows.device)


METRICS = {
    "trustworthiness": Metric(
        trustworthiness,
        "Trustworthiness",
        better="higher",
        unit="in [0, 1]",
        perfect=1.0,
        decimals=4,
        meaning="Degree to which nearest neighbours among the codes are close among the images; about 0.5 for unrelated codes.",
    ),
    "continuity": Metric(
        continuity,
        "Continuity",
        better="higher",
        unit="in [0, 1]",
        perfect=1.0,
        decimals=4,
        meaning="Degree to which nearest neighbours among the images are close among the codes; about 0.5 for unrelated codes.",
    ),
    "map_trustworthiness": Metric(
        map_trustworthiness,
        "Map trustworthiness",
        better="higher",
        unit="in [0, 1]",
        perfect=1.0,
        decimals=4,
        meaning="Degree to which nearest neighbours in the t-SNE map are close among the codes; undefined for a constant code "
        "and for all seeds but the first.",
    ),
    "map_continuity": Metric(
        map_continuity,
        "Map continuity",
        better="higher",
        unit="in [0, 1]",
        perfect=1.0,
        decimals=4,
        meaning="Degree to which nearest neighbours among the codes are close in the t-SNE map; undefined for a constant code "
        "and for all seeds but the first.",
    ),
    "map_knn_5": Metric(
        map_knn_5,
        "Map 5-NN",
        better="higher",
        unit="%",
        perfect=100.0,
        decimals=2,
        meaning="Leave-one-out accuracy of a 5-nearest-neighbour classifier in the t-SNE map; undefined for a constant "
        "code and for all seeds but the first.",
    ),
}
