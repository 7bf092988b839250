"""What does a search for similar codes find? Reference images of the query's class, ranked by Euclidean distance.

    P@10 = share of the query's class among its 10 nearest reference codes
    AP   = mean over the R reference codes of the query's class of  (those of them as near) / (all as near)
    mAP  = mean of AP over the first `QUERIES` test codes

Test images query, train and validation images are found. "As near" is at the same distance or nearer: codes at one distance
share a place, as in scikit-learn's `average_precision_score`, so that a constant code scores R / n of n reference codes, which
is chance (Manning et al. 2008, section 8.4). Of codes at the same distance, P@10 takes any. A query of a class that the
reference does not have is not asked. The ranking is of ‖r‖² - 2 q·r in float64, of centred codes, a few queries at a time; what
differs by less than `GRAIN` of the greatest ‖r‖² differs by rounding, and is at the same distance.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from aebench.metrics.base import Metric
from aebench.metrics.neighbours import nearest
from aebench.representation import Representation

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

QUERIES = 1000
HITS = 10
AT_ONCE = 128
GRAIN = 2.0**-40


def precision_10(r: Representation) -> float:
    """Percent of the 10 nearest reference codes that have the query's class, mean over test codes."""
    found = r.reference_labels[nearest(r)[:, :HITS]]
    return 100 * float((found == r.labels[:, None]).double().mean())


def mean_average_precision(r: Representation) -> float:
    """Percent; chance is the share of the query's class in the reference."""
    import torch

    asked = torch.isin(r.labels, r.reference_labels).nonzero().ravel()[:QUERIES]
    found = average_precision(r.codes[asked], r.labels[asked], r.reference_codes, r.reference_labels)
    return 100 * float(found.mean())


def average_precision(queries: "Tensor", labels: "Tensor", reference: "Tensor", reference_labels: "Tensor") -> "np.ndarray":
    """AP in (0, 1] of queries (n, d) -> (n,), ranking `reference` (m, d), which has every class of `labels` (n,)."""
    import numpy as np

    labels, reference_labels = labels.cpu().numpy(), reference_labels.cpu().numpy()
    rankings = (row for block in _squares(queries, reference) for row in block.cpu().numpy())
    return np.array([_precision(row, reference_labels == c) for row, c in zip(rankings, labels, strict=True)])


def _squares(queries: "Tensor", reference: "Tensor") -> "Iterator[Tensor]":
    """(AT_ONCE, m) at a time, in units of `GRAIN` of the greatest ‖r‖²."""
    import torch

    centre = reference.mean(0, dtype=torch.float64)
    rows = reference - centre
    norms = torch.linalg.vector_norm(rows, dim=1).square()
    unit = GRAIN * norms.max().clamp(min=torch.finfo(norms.dtype).tiny / GRAIN)
    for part in queries.split(AT_ONCE):
        yield torch.addmm(norms, part - centre, rows.T, alpha=-2).div_(unit).round_()


def _precision(squares: "np.ndarray", right: "np.ndarray") -> float:
    """Sorted by NumPy, whose sort without indices is several times as fast as torch's."""
    import numpy as np

    places, near = np.sort(squares), np.sort(squares[right])
    return float((np.searchsorted(near, near, "right") / np.searchsorted(places, near, "right")).mean())


METRICS = {
    "precision_10": Metric(
        precision_10,
        "P@10",
        "higher",
        "%",
        100.0,
        2,
        "Of the ten train or validation images with the nearest codes, those of the test image's class.",
    ),
    "mean_average_precision": Metric(
        mean_average_precision,
        "mAP",
        "higher",
        "%",
        100.0,
        2,
        f"Mean average precision of all train and validation images ranked by distance, over the first {QUERIES} test images.",
    ),
}
