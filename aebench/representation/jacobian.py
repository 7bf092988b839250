"""How far does a code move with its image? Jacobians of an encoder, exactly, for any model.

    J = ∂h/∂x (k, d),   ‖J‖²_F = sum_j ‖∂h_j/∂x‖² = sum_i s_i²,   s_1 >= s_2 >= ... its singular values

An image's code does not depend on the others in its batch, so that one backward pass gives a row of the Jacobian of every
image, and `AT_ONCE` rows of `IMAGES` images share a pass; with layers of 1000 units that is 17 MB a layer. Singular values
are roots of the eigenvalues of the smaller of JJᵀ and JᵀJ in float64, exact to 1e-8 of the largest.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from aebench.representation.view import View

AT_ONCE = 32
IMAGES = 128
WHOLE = 10
"""Images whose Jacobians are held in whole at a time: of 1000 units and 784 pixels 31 MB, and twice as much in float64."""


@dataclass(frozen=True, eq=False)
class Contraction:
    """Jacobians at the first m test images, and spectra at the first s and at s images of uniform noise.

    `norms` (m,) is ‖J‖_F, `slopes` (m, k) ‖∂h_j/∂x‖ of each unit; `spectra` and `noise_spectra` (s, min(k, d)) are singular
    values, greatest first.
    """

    norms: Tensor
    slopes: Tensor
    spectra: Tensor
    noise_spectra: Tensor


def contraction(view: "View") -> Contraction:
    """Off the data are pixels that are independent and uniform in [0, 1], the same for every model with that seed."""
    encode, settings = view.replica.function("encode"), view.settings
    near, few = view.images[: settings.jacobian_images], view.images[: settings.spectra]
    noise = torch.rand(few.shape, generator=view.generator(5)).to(few.device)
    return Contraction(*norms(encode, near), spectra(encode, few), spectra(encode, noise))


def norms(encode: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """‖∂h/∂x‖_F of each image (n,) and ‖∂h_j/∂x‖ of each image and unit (n, k), of images (n, d)."""
    images, units = zip(*(_squares(encode, part) for part in x.split(IMAGES)), strict=True)
    return torch.cat(images).sqrt(), torch.cat(units).sqrt()


def spectra(encode: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The Jacobian's singular values at each image, greatest first, (n, d) -> (n, min(k, d)) in float64."""
    return torch.cat([_singular(torch.cat(list(_rows(encode, part))).transpose(0, 1).double()) for part in x.split(WHOLE)])


def _squares(encode: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    total, units = torch.zeros(len(x), dtype=x.dtype, device=x.device), []
    for rows in _rows(encode, x):
        squares = rows.square()
        total += squares.sum((0, 2))
        units.append(squares.sum(2))
    return total, torch.cat(units).T


def _rows(encode: Callable[[Tensor], Tensor], x: Tensor) -> Iterator[Tensor]:
    """The Jacobians' rows, `AT_ONCE` units after another: (units, n, d)."""
    x = x.clone().requires_grad_()
    h = encode(x)
    for units in torch.eye(h.shape[1], dtype=x.dtype, device=x.device).split(AT_ONCE):
        rows = units[:, None].expand(-1, len(x), -1)
        if h.requires_grad:
            yield torch.autograd.grad(h, x, rows, retain_graph=True, is_grads_batched=True)[0]
        else:
            yield x.new_zeros(len(units), *x.shape)


def _singular(matrices: Tensor) -> Tensor:
    """(n, k, d) -> (n, min(k, d))."""
    wide = matrices if matrices.shape[1] <= matrices.shape[2] else matrices.mT
    return torch.linalg.eigvalsh(wide @ wide.mT).clamp(min=0).sqrt().flip(1)
