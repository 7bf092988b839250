"""How alike are two sets of features, of real images and of made ones? Five numbers, each as published.

    Fréchet     ‖m - m'‖² + tr(C + C' - 2 (C C')^½) of means and covariances              Heusel et al. 2017, eq. 6
    precision   share of made φ' with ‖φ' - φ‖ <= r_3(φ) for a real φ                     Kynkäänniemi et al. 2019, eq. 1
    recall      share of real φ with ‖φ - φ'‖ <= r_3(φ') for a made φ'
    density     1/(5 m) sum over made φ' and real φ of [‖φ' - φ‖ < r_5(φ)]                Naeem et al. 2020, eq. 4
    coverage    share of real φ with ‖φ' - φ‖ < r_5(φ) for a made φ'                      eq. 5

r_k(φ) is the distance to the k-th nearest other of φ's own set. A set against itself scores 0, 1, 1, 1, 1, unless some of it
is the same k + 1 times over: open balls of radius 0 are empty. All in float64, n x m distances `BLOCK` rows at a time.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

K_MANIFOLD, K_DENSITY = 3, 5
"""The neighbours that make a radius, as published: of precision and recall, of density and coverage."""
BLOCK = 1024
SAME = 1e-12
"""Squared distance over squared norms below which two rows are one: what rounding leaves of 0."""


@dataclass(frozen=True, eq=False)
class Features:
    """A set (n, f), n > `K_DENSITY`, and what is asked of it more than once."""

    rows: Tensor

    @cached_property
    def moments(self) -> tuple[Tensor, Tensor]:
        """Mean (f,), and a root A (f, f) of the unbiased covariance A Aᵀ."""
        mean = self.rows.double().mean(0)
        centred = self.rows.double() - mean
        variances, axes = torch.linalg.eigh(centred.T @ centred / (len(centred) - 1))
        return mean, axes * variances.clamp(min=0).sqrt()

    @cached_property
    def radii(self) -> tuple[Tensor, Tensor]:
        """Squared, (n,) twice: to the `K_MANIFOLD`-th and to the `K_DENSITY`-th nearest other row."""
        nearest = [squares(part, self.rows).topk(K_DENSITY + 1, largest=False).values for part in self.rows.split(BLOCK)]
        manifold, density = torch.cat(nearest)[:, [K_MANIFOLD, K_DENSITY]].T  # a row's nearest is itself
        return manifold, density


def compare(real: Features, made: Features) -> dict[str, float]:
    """All five by name."""
    return {"frechet": frechet(real.moments, made.moments)} | neighbourhoods(real, made)


def frechet(moments: tuple[Tensor, Tensor], others: tuple[Tensor, Tensor]) -> float:
    """The squared distance, >= 0, of two normals.

    tr (C C')^½ is the sum of the roots of the eigenvalues of the symmetric Aᵀ C' A, which are the singular values of Aᵀ A':
    taken of these, a small one keeps the digits that its square would lose.
    """
    (mean, root), (other, others_root) = moments, others
    spread = root.square().sum() + others_root.square().sum() - 2 * torch.linalg.svdvals(root.T @ others_root).sum()
    return max(0.0, float((mean - other).square().sum() + spread))


def neighbourhoods(real: Features, made: Features) -> dict[str, float]:
    """Precision, recall, density and coverage."""
    m, reach = len(made.rows), made.radii[0]
    precise, recalled, near, covered = torch.zeros(m, dtype=torch.bool, device=reach.device), 0, 0, 0
    for part, manifold, density in zip(*(x.split(BLOCK) for x in (real.rows, *real.radii)), strict=True):
        distances = squares(part, made.rows)
        inside = distances < density[:, None]
        precise |= (distances <= manifold[:, None]).any(0)
        recalled += int((distances <= reach).any(1).sum())
        near, covered = near + int(inside.sum()), covered + int(inside.any(1).sum())
    n = len(real.rows)
    return {
        "precision": int(precise.sum()) / m,
        "recall": recalled / n,
        "density": near / (K_DENSITY * m),
        "coverage": covered / n,
    }


def squares(a: Tensor, b: Tensor) -> Tensor:
    """Squared distances (n, m) of the rows of a (n, f) and b (m, f); exactly 0 of rows that are the same."""
    a, b = a.double(), b.double()
    norms = a.square().sum(1)[:, None] + b.square().sum(1)
    found = torch.addmm(norms, a, b.T, alpha=-2)
    return found.where(found > SAME * norms, 0.0)
