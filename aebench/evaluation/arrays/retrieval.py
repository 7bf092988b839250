"""Examples of retrieval for the figure: one query of each class and the reference images with the nearest codes.

Queries are the first test image of each of the first `QUERIES` classes, so that no query is picked for its result. Distances
are Euclidean; the order of codes at the same distance is arbitrary, so there are no examples for a constant code.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from aebench.evaluation.arrays.neighbours import neighbours
from aebench.evaluation.view import View

QUERIES, HITS = 10, 8


@dataclass(frozen=True)
class Retrieved:
    """`images` (q * (1 + h), d): each query, then its h hits, nearest first; `right` (q * h): hits of the query's class."""

    images: Tensor
    right: Tensor


def retrieval(view: View) -> Retrieved | None:
    """Examples for the first seed; None for other seeds and for constant reference codes. h is at most `HITS`."""
    if not view.first or bool((view.reference_codes == view.reference_codes[0]).all()):
        return None
    queries = torch.stack([(view.labels == c).nonzero()[0, 0] for c in view.labels.unique()[:QUERIES]])
    hits = neighbours(view.codes[queries], view.reference_codes, min(HITS, len(view.reference)))
    images = torch.cat([view.images[queries, None], view.reference[hits]], 1)
    return Retrieved(images.flatten(0, 1), (view.reference_labels[hits] == view.labels[queries, None]).flatten())
