"""Exact Jacobians of the encoder of any model, and their singular values.

    J = ∂h/∂x (k, d),   ‖J‖²_F = sum_j ‖∂h_j/∂x‖² = sum_i s_i²,   with singular values s_1 >= s_2 >= ... of J

The code of an image does not depend on the other images in its batch, so one backward pass computes one row of the Jacobian of
every image. `UNITS` rows of `IMAGES` images share a pass, which takes 16 MB per layer of 1000 units. Singular values are square
roots of the eigenvalues of the smaller of JJᵀ and JᵀJ in float64, with errors below 1e-8 of the largest.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from aebench.evaluation.view import View

UNITS = 32
IMAGES = 128
FULL_JACOBIANS = 10
"""Number of full Jacobians in memory at once. For 1000 units and 784 pixels they take 31 MB in float32, 63 MB in float64."""


@dataclass(frozen=True, eq=False)
class Jacobians:
    """Jacobians at the first m test images, and spectra at the first s test images and at s images of uniform noise.

    `norms` (m,) are ‖J‖_F and `unit_norms` (m, k) are ‖∂h_j/∂x‖ for each unit; `spectra` and `noise_spectra` (s, min(k, d)) are
    singular values, the largest first.
    """

    norms: Tensor
    unit_norms: Tensor
    spectra: Tensor
    noise_spectra: Tensor


def contraction(view: "View") -> Jacobians:
    """Compute norms and spectra at test images and spectra at noise images, which depend on the seed but not on the model."""
    encode, settings = view.replica.function("encode"), view.settings.contraction
    test, few = view.images[: settings.images], view.images[: settings.spectra]
    noise = torch.rand(few.shape, generator=view.generator(5)).to(few.device)
    return Jacobians(*norms(encode, test), spectra(encode, few), spectra(encode, noise))


def norms(encode: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """Compute ‖∂h/∂x‖_F (n,) and, for each unit, ‖∂h_j/∂x‖ (n, k) at images (n, d)."""
    images, units = zip(*(_squared_norms(encode, part) for part in x.split(IMAGES)), strict=True)
    return torch.cat(images).sqrt(), torch.cat(units).sqrt()


def spectra(encode: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Compute the singular values (n, min(k, d)) of the Jacobian at images (n, d), the largest first, in float64."""
    parts = x.split(FULL_JACOBIANS)
    return torch.cat([_singular_values(torch.cat(list(_rows(encode, part))).transpose(0, 1).double()) for part in parts])


def _squared_norms(encode: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    total, units = torch.zeros(len(x), dtype=x.dtype, device=x.device), []
    for rows in _rows(encode, x):
        squares = rows.square()
        total += squares.sum((0, 2))
        units.append(squares.sum(2))
    return total, torch.cat(units).T


def _rows(encode: Callable[[Tensor], Tensor], x: Tensor) -> Iterator[Tensor]:
    """Yield rows of the Jacobians at all images, (units, n, d), `UNITS` at a time."""
    x = x.clone().requires_grad_()
    h = encode(x)
    for units in torch.eye(h.shape[1], dtype=x.dtype, device=x.device).split(UNITS):
        rows = units[:, None].expand(-1, len(x), -1)
        if h.requires_grad:
            yield torch.autograd.grad(h, x, rows, retain_graph=True, is_grads_batched=True)[0]
        else:
            yield x.new_zeros(len(units), *x.shape)


def _singular_values(matrices: Tensor) -> Tensor:
    """Compute the singular values (n, min(k, d)) of matrices (n, k, d)."""
    wide = matrices if matrices.shape[1] <= matrices.shape[2] else matrices.mT
    return torch.linalg.eigvalsh(wide @ wide.mT).clamp(min=0).sqrt().flip(1)
