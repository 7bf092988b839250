"""Does a search for similar codes return images of the same class? Reference codes ranked by Euclidean distance to a query.

    P@10 = fraction of the query's class among its 10 nearest reference codes
    AP   = mean over the R reference codes r of the query's class of  c(r) / a(r)
    mAP  = mean of AP over `QUERIES` test codes, evenly spaced in the test set

a(r) is the number of reference codes at most as far from the query as r, and c(r) the number of those that have its class.
Queries are test codes; reference codes are the training and validation codes. In AP (Manning et al. 2008, section 8.4) codes at
the same distance share a rank, as in scikit-learn's `average_precision_score`, so a constant code scores chance: R / n for n
reference codes. In P@10 the order of codes at the same distance is arbitrary. mAP leaves out queries whose class has no
reference code.

Codes are ranked by ‖r‖² - 2 q·r in float64, after centring. Differences below `GRAIN` times the largest ‖r‖² are rounding
errors and count as ties. On one thread scikit-learn's function takes 20 times as long for digits (1437 reference codes),
and 1.4 to 3 times as long for 20,000 to 60,000 reference codes.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from aebench.evaluation.metrics.base import Metric
from aebench.evaluation.metrics.neighbours import nearest
from aebench.evaluation.representation import Representation
from aebench.evaluation.view import evenly_spaced

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

QUERIES = 1000
HITS = 10
BLOCK = 128
GRAIN = 2.0**-40
"""Resolution of squared distances, relative to the largest ‖r‖²."""


def precision_10(r: Representation) -> float:
    """Return the percentage of the 10 nearest reference codes that have the class of the query, averaged over test codes."""
    classes = r.reference_labels[nearest(r)[:, :HITS]]
    return 100 * float((classes == r.labels[:, None]).double().mean())


def mean_average_precision(r: Representation) -> float:
    """Return the mean AP in %. By chance it is about the percentage of the query's class among the reference codes."""
    import torch

    queries = evenly_spaced(torch.isin(r.labels, r.reference_labels).nonzero().ravel(), QUERIES)
    precisions = average_precision(r.codes[queries], r.labels[queries], r.reference_codes, r.reference_labels)
    return 100 * float(precisions.mean())


def average_precision(queries: "Tensor", labels: "Tensor", reference: "Tensor", reference_labels: "Tensor") -> "np.ndarray":
    """Return the AP (n,), in (0, 1], of queries (n, d) against `reference` (m, d), which has every class in `labels` (n,)."""
    import numpy as np

    labels, reference_labels = labels.cpu().numpy(), reference_labels.cpu().numpy()
    rankings = (row for block in _distances(queries, reference) for row in block.cpu().numpy())
    return np.array([_average_precision(row, reference_labels == c) for row, c in zip(rankings, labels, strict=True)])


def _distances(queries: "Tensor", reference: "Tensor") -> "Iterator[Tensor]":
    """Yield the squared distances minus ‖q‖², in units of `GRAIN` times the largest ‖r‖², in blocks (BLOCK, m)."""
    import torch

    centre = reference.mean(0, dtype=torch.float64)
    rows = reference - centre
    norms = torch.linalg.vector_norm(rows, dim=1).square()
    unit = GRAIN * norms.max().clamp(min=torch.finfo(norms.dtype).tiny / GRAIN)
    for block in queries.split(BLOCK):
        yield torch.addmm(norms, block - centre, rows.T, alpha=-2).div_(unit).round_()


def _average_precision(distances: "np.ndarray", relevant: "np.ndarray") -> float:
    """Return the AP of one query. NumPy sorts several times as fast as torch because it does not return indices."""
    import numpy as np

    all_sorted, relevant_sorted = np.sort(distances), np.sort(distances[relevant])
    hits, ranks = (np.searchsorted(each, relevant_sorted, "right") for each in (relevant_sorted, all_sorted))
    return float((hits / ranks).mean())


METRICS = {
    "precision_10": Metric(
        precision_10,
        "P@10",
        better="higher",
        unit="%",
        perfect=100.0,
        decimals=2,
        meaning="Fraction of the ten nearest training or validation codes that have the class of the test image.",
    ),
    "mean_average_precision": Metric(
        mean_average_precision,
        "mAP",
        better="higher",
        unit="%",
        perfect=100.0,
        decimals=2,
        meaning="Mean average precision of training and validation codes, ranked by distance to each of "
        f"{QUERIES} evenly spaced test codes.",
    ),
}
