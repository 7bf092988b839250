"""Exact nearest neighbours by Euclidean distance, at little more than the cost of a search in float32.

Squared distances ‖r‖² - 2 q·r (+ ‖q‖²) of centred codes, in float32 and in blocks of `BLOCK_BYTES`, select k + `SPARE`
candidates, whose distances are then computed as sums of (q - r)² in float64. The squared distance of every other code is at
least `reach`, up to the rounding error of a product of d terms (Higham 2002, section 3.1). For a code nearer than D_k, the
distance of the k-th neighbour, this error is bounded by

    |error| <= (d + 8) ε (2 ‖q‖ + D_k)²

The search is repeated in float64 for queries for which `reach` minus this bound is below D_k². Among codes at the same distance
the choice is arbitrary.
"""

import torch
from torch import Tensor

BLOCK_BYTES = 64 * 2**20
CACHE_BYTES = 4 * 2**20
"""Size of the differences that are squared at once."""
SPARE = 14
"""Number of candidates in addition to k."""
GROUP = 32
"""Number of columns per group; groups are first compared by their minima."""


def neighbours(queries: Tensor, reference: Tensor, k: int) -> Tensor:
    """Find the k rows of `reference` (m, d) nearest to each row of `queries` (n, d): indices (n, k), nearest first."""
    indices, certain = _search(queries, reference, k, torch.float32)
    if not certain.all():
        indices[~certain] = _search(queries[~certain], reference, k, torch.float64)[0]
    return indices


def _search(queries: Tensor, reference: Tensor, k: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Find indices (n, k), and (n,) whether it is certain that rounding did not exclude a nearer row."""
    (m, d), epsilon = reference.shape, torch.finfo(dtype).eps
    centre = reference.mean(0, dtype=torch.float64).to(dtype)
    rows = torch.zeros(m + -m % GROUP, d, dtype=dtype, device=reference.device)
    torch.sub(reference, centre, out=rows[:m])
    norms = torch.linalg.vector_norm(rows, dim=1).square()
    norms[m:] = torch.inf  # the padding of the last group is never a neighbour
    space = torch.empty(max(1, BLOCK_BYTES // (len(rows) * rows.element_size())), len(rows), dtype=dtype, device=rows.device)
    indices, certain = [], []
    for block in queries.split(len(space)):
        centred = (block - centre).to(dtype)
        squares = torch.addmm(norms, centred, rows.T, alpha=-2, out=space[: len(block)])
        candidates, reach = _smallest(squares, min(k + SPARE, m))
        exact, order = _squares(block, reference, candidates).sort(dim=1, stable=True)
        length, last = torch.linalg.vector_norm(centred.double(), dim=1), exact[:, k - 1]
        indices.append(candidates.gather(1, order[:, :k]))
        certain.append(last <= reach + length.square() - (d + 8) * epsilon * (2 * length + last.sqrt()).square())
    return torch.cat(indices), torch.cat(certain)


def _smallest(squares: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Find the columns (n, k), ascending, of the k smallest entries in each row of (n, groups * GROUP), and their largest (n,).

    The k smallest entries are in the k groups with the smallest minima, so only these groups are searched.
    """
    groups = squares.view(len(squares), -1, GROUP)
    near = groups.amin(2).topk(min(k, groups.shape[1]), largest=False, sorted=False).indices
    members = groups.gather(1, near[:, :, None].expand(-1, -1, GROUP)).flatten(1)
    values, indices = members.topk(k, largest=False)
    return (near.gather(1, indices // GROUP) * GROUP + indices % GROUP).sort(1).values, values[:, -1]


def _squares(queries: Tensor, reference: Tensor, candidates: Tensor) -> Tensor:
    """Compute ‖q - r‖² (n, c) in float64 for queries (n, d) and their candidates (n, c), `CACHE_BYTES` at a time."""
    size = max(1, CACHE_BYTES // (8 * candidates.shape[1] * reference.shape[1]))
    pairs = zip(queries.split(size), candidates.split(size), strict=True)
    return torch.cat([(q[:, None].double() - reference[c].double()).square().sum(2) for q, c in pairs])
