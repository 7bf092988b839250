"""What does a search for similar codes find? A query of each class and the reference images of nearest code, to look at.

Queries are the first test image of each of the first `QUERIES` classes: none is chosen for what it finds. Distances are
Euclidean; of codes at the same distance any is found, so that codes that are all the same find nothing worth a look.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from aebench.representation.search import neighbours
from aebench.representation.view import View

QUERIES, HITS = 10, 8


@dataclass(frozen=True)
class Hits:
    """`images` (q * (1 + h), d): each query, then its h hits, nearest first; `right` (q * h): a hit has the query's class."""

    images: Tensor
    right: Tensor


def hits(view: View) -> Hits | None:
    """Of the first seed; None if it is not, or its reference codes are all the same. h is `HITS`, or the whole reference."""
    if not view.first or bool((view.reference_codes == view.reference_codes[0]).all()):
        return None
    asked = torch.stack([(view.labels == c).nonzero()[0, 0] for c in view.labels.unique()[:QUERIES]])
    found = neighbours(view.codes[asked], view.reference_codes, min(HITS, len(view.reference)))
    images = torch.cat([view.images[asked, None], view.reference[found]], 1)
    return Hits(images.flatten(0, 1), (view.reference_labels[found] == view.labels[asked, None]).flatten())
