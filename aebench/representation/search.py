"""Which rows are nearest to a query? Exact search by Euclidean distance, at little more than the price of float32.

Squares ‖r‖² - 2 q·r (+ ‖q‖²) of centred rows, in float32 and in blocks of `BLOCK_BYTES`, give k + `SPARE` candidates, whose
distances are taken again as sums of (q - r)² in float64. A row that was left out seemed at `reach` or beyond, give or take
what rounding does to a product of d terms (Higham 2002, section 3.1): if it is nearer than D_k, the distance of the k-th,

    |error| <= (d + 8) ε (2 ‖q‖ + D_k)²

A query for which `reach` less this is nearer than D_k is searched again in float64. Of rows at the same distance any is found.
"""

import torch
from torch import Tensor

BLOCK_BYTES = 64 * 2**20
CACHE_BYTES = 4 * 2**20
"""Of the differences that are squared at once."""
SPARE = 14
GROUP = 32


def neighbours(queries: Tensor, reference: Tensor, k: int) -> Tensor:
    """Indices (n, k) of the k nearest rows of `reference` (m, d) to each row of `queries` (n, d), nearest first."""
    found, sure = _search(queries, reference, k, torch.float32)
    if not sure.all():
        found[~sure] = _search(queries[~sure], reference, k, torch.float64)[0]
    return found


def _search(queries: Tensor, reference: Tensor, k: int, kind: torch.dtype) -> tuple[Tensor, Tensor]:
    """Indices (n, k), and (n,) whether no row that rounding left out can be nearer."""
    (m, d), epsilon = reference.shape, torch.finfo(kind).eps
    centre = reference.mean(0, dtype=torch.float64).to(kind)
    rows = torch.zeros(m + -m % GROUP, d, dtype=kind, device=reference.device)
    torch.sub(reference, centre, out=rows[:m])
    norms = torch.linalg.vector_norm(rows, dim=1).square()
    norms[m:] = torch.inf  # the rows that fill up the last group are nobody's neighbours
    space = torch.empty(max(1, BLOCK_BYTES // (len(rows) * rows.element_size())), len(rows), dtype=kind, device=rows.device)
    found, sure = [], []
    for part in queries.split(len(space)):
        moved = (part - centre).to(kind)
        squares = torch.addmm(norms, moved, rows.T, alpha=-2, out=space[: len(part)])
        candidates, reach = _smallest(squares, min(k + SPARE, m))
        exact, order = _squares(part, reference, candidates).sort(dim=1, stable=True)
        length, last = torch.linalg.vector_norm(moved.double(), dim=1), exact[:, k - 1]
        found.append(candidates.gather(1, order[:, :k]))
        sure.append(last <= reach + length.square() - (d + 8) * epsilon * (2 * length + last.sqrt()).square())
    return torch.cat(found), torch.cat(sure)


def _smallest(squares: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Columns (n, k), ascending, of the k smallest of each row of (n, groups * GROUP), and the largest of these (n,).

    They are in the k groups whose smallest is smallest, so that most columns are looked at once, quickly.
    """
    groups = squares.view(len(squares), -1, GROUP)
    near = groups.amin(2).topk(min(k, groups.shape[1]), largest=False, sorted=False).indices
    members = groups.gather(1, near[:, :, None].expand(-1, -1, GROUP)).flatten(1)
    values, places = members.topk(k, largest=False)
    return (near.gather(1, places // GROUP) * GROUP + places % GROUP).sort(1).values, values[:, -1]


def _squares(queries: Tensor, reference: Tensor, rows: Tensor) -> Tensor:
    """‖q - r‖² (n, c) of queries (n, d) and the rows (n, c) of each, in float64; a few queries at a time."""
    few = max(1, CACHE_BYTES // (8 * rows.shape[1] * reference.shape[1]))
    pairs = zip(queries.split(few), rows.split(few), strict=True)
    return torch.cat([(q[:, None].double() - reference[c].double()).square().sum(2) for q, c in pairs])
