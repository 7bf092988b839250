"""Five scores that compare the features of real and of generated images.

    Fréchet     ‖m - m'‖² + tr(C + C' - 2 (C C')^½) of means and covariances              Heusel et al. 2017, eq. 6
    precision   fraction of generated φ' with ‖φ' - φ‖ <= r_3(φ) for some real φ          Kynkäänniemi et al. 2019, eq. 1
    recall      fraction of real φ with ‖φ - φ'‖ <= r_3(φ') for some generated φ'
    density     1/(5 m) sum over generated φ' and real φ of [‖φ' - φ‖ < r_5(φ)]           Naeem et al. 2020, eq. 4
    coverage    fraction of real φ with ‖φ' - φ‖ < r_5(φ) for some generated φ'           eq. 5

r_k(φ) is the distance to the k-th nearest other member of φ's own set. A set compared with itself scores 0, 1, 1, 1, 1, unless
an image occurs k + 1 times, because an open ball of radius 0 is empty. Everything is computed in float64, and the n x m
distances in blocks of `BLOCK` rows.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from aebench.objectives import principal_axes

K_MANIFOLD, K_DENSITY = 3, 5
"""Numbers of neighbours that define the radii of precision and recall, and of density and coverage, as published."""
BLOCK = 1024
EQUAL = 1e-12
"""Rows count as equal if their squared distance is at most this fraction of their squared norms: it is rounding error."""


@dataclass(frozen=True, eq=False)
class Features:
    """A set of features (n, f), n > `K_DENSITY`, with its moments and radii."""

    rows: Tensor

    @cached_property
    def moments(self) -> tuple[Tensor, Tensor]:
        """Return the mean (f,), and a root A (f, f) of the unbiased covariance A Aᵀ."""
        rows = self.rows.double()
        mean = rows.mean(0)
        variances, axes = principal_axes(rows - mean, len(rows) - 1)
        return mean, axes * variances.sqrt()

    @cached_property
    def radii(self) -> tuple[Tensor, Tensor]:
        """Return the squared distances (n,) to the `K_MANIFOLD`-th and to the `K_DENSITY`-th nearest other row."""
        nearest = [
            squared_distances(part, self.rows).topk(K_DENSITY + 1, largest=False).values for part in self.rows.split(BLOCK)
        ]
        manifold, density = torch.cat(nearest)[:, [K_MANIFOLD, K_DENSITY]].T  # column 0 is the row itself
        return manifold, density


def compare(real: Features, generated: Features) -> dict[str, float]:
    """Compute all five scores, by name."""
    return {"frechet": frechet(real.moments, generated.moments)} | neighbourhoods(real, generated)


def frechet(real: tuple[Tensor, Tensor], generated: tuple[Tensor, Tensor]) -> float:
    """Return the squared Fréchet distance, >= 0, between two normal distributions with these moments.

    tr (C C')^½ is the sum of the square roots of the eigenvalues of Aᵀ C' A, which are the squared singular values
    of Aᵀ A'. The singular values are used because squaring would lose the digits of small ones.
    """
    (mean, root), (other_mean, other_root) = real, generated
    spread = root.square().sum() + other_root.square().sum() - 2 * torch.linalg.svdvals(root.T @ other_root).sum()
    return max(0.0, float((mean - other_mean).square().sum() + spread))


def neighbourhoods(real: Features, generated: Features) -> dict[str, float]:
    """Return precision, recall, density and coverage."""
    m, radii = len(generated.rows), generated.radii[0]
    precise, recalled, near, covered = torch.zeros(m, dtype=torch.bool, device=radii.device), 0, 0, 0
    for part, manifold, density in zip(*(x.split(BLOCK) for x in (real.rows, *real.radii)), strict=True):
        distances = squared_distances(part, generated.rows)
        inside = distances < density[:, None]
        precise |= (distances <= manifold[:, None]).any(0)
        recalled += int((distances <= radii).any(1).sum())
        near, covered = near + int(inside.sum()), covered + int(inside.any(1).sum())
    n = len(real.rows)
    return {
        "precision": int(precise.sum()) / m,
        "recall": recalled / n,
        "density": near / (K_DENSITY * m),
        "coverage": covered / n,
    }


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """Return the squared distances (n, m) between the rows of a (n, f) and b (m, f), exactly 0 for equal rows."""
    a, b = a.double(), b.double()
    norms = a.square().sum(1)[:, None] + b.square().sum(1)
    distances = torch.addmm(norms, a, b.T, alpha=-2)
    return distances.where(distances > EQUAL * norms, 0.0)
