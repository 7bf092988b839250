"""Examples of retrieval for the figure: one query per class and the reference images with the nearest codes.

The queries are the first test images of the first `CLASSES` classes, so that no query is chosen for its result. Distances are
Euclidean. The order of codes at the same distance is arbitrary, so there are no examples for constant codes.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from aebench.evaluation.arrays.neighbours import neighbours
from aebench.evaluation.view import View

CLASSES, EXAMPLES = 10, 8


@dataclass(frozen=True)
class Retrieved:
    """Each of q queries followed by its h hits, nearest first, in `images` (q * (1 + h), d).

    `correct` (q * h,) is true for hits of the query's class.
    """

    images: Tensor
    correct: Tensor


def retrieval(view: View) -> Retrieved | None:
    """Find at most `EXAMPLES` hits per query for the first seed; None for other seeds and for constant reference codes."""
    if not view.first or bool((view.reference_codes == view.reference_codes[0]).all()):
        return None
    queries = torch.stack([(view.labels == c).nonzero()[0, 0] for c in view.labels.unique()[:CLASSES]])
    hits = neighbours(view.codes[queries], view.reference_codes, min(EXAMPLES, len(view.reference)))
    images = torch.cat([view.images[queries, None], view.reference[hits]], 1)
    return Retrieved(images.flatten(0, 1), (view.reference_labels[hits] == view.labels[queries, None]).flatten())
