"""Exact Jacobians of the encoder of any model, their singular values, and the accuracy of the linearised encoder.

    J = ∂h/∂x (k, d),   ‖J‖²_F = sum_j ‖∂h_j/∂x‖² = sum_i s_i²,   with singular values s_1 >= s_2 >= ... of J
    f(x + δ) ≈ f(x) + J δ,   with an error of ‖f(x + δ) - f(x) - J δ‖ = O(‖δ‖²) where f is twice differentiable

The code of an image does not depend on the other images in its batch, so one backward pass computes one row of the Jacobian of
every image. `UNITS` rows of `IMAGES` images share a pass, which takes 16 MB per layer of 1000 units. Singular values are square
roots of the eigenvalues of the smaller of JJᵀ and JᵀJ in float64, with errors below 1e-8 of the largest. The product J δ is one
forward pass (`torch.func.jvp`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from aebench.evaluation.view import evenly_spaced
from aebench.models.external.adapter import ENCODER_DERIVATIVE
from aebench.randomness import Use

if TYPE_CHECKING:
    from aebench.evaluation.view import View

UNITS = 32
IMAGES = 128
FULL_JACOBIANS = 10
"""Number of full Jacobians in memory at once. For 1000 units and 784 pixels they take 31 MB in float32, 63 MB in float64."""
FRACTIONS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
"""Lengths of the changes δ, as fractions of the distance to another image."""


@dataclass(frozen=True, eq=False)
class Linearised:
    """`errors` ‖f(x + δ) - f(x) - J δ‖ and `changes` ‖f(x + δ) - f(x)‖, (t, n), for t lengths of δ at n images."""

    errors: Tensor
    changes: Tensor


@dataclass(frozen=True, eq=False)
class Jacobians:
    """Jacobians at m test images, and spectra at s test images and at s images of uniform noise.

    `norms` (m,) are ‖J‖_F and `unit_norms` (m, k) are ‖∂h_j/∂x‖ for each unit; `spectra` and `noise_spectra` (s, min(k, d)) are
    singular values, the largest first. `along` and `across` linearise the encoder at the s test images, or fewer, in the two
    directions of `directions`.
    """

    norms: Tensor
    unit_norms: Tensor
    spectra: Tensor
    noise_spectra: Tensor
    along: Linearised
    across: Linearised


def contraction(view: "View") -> Jacobians:
    """Compute all arrays; they are NaN without the encoder's derivative.

    Noise images and directions are the same for every model and seed.
    """
    if ENCODER_DERIVATIVE in view.missing:
        return _not_measured(view)
    encode, settings = view.replica.function("encode"), view.settings.contraction
    test, few = (evenly_spaced(view.images, count) for count in (settings.images, settings.spectra))
    noise = torch.rand(few.shape, generator=view.generator(Use.JACOBIANS)).to(few.device)
    x, *changes = directions(view)
    linearised = (linearise(encode, x, change) for change in changes)
    return Jacobians(*norms(encode, test), spectra(encode, few), spectra(encode, noise), *linearised)


def directions(view: "View") -> tuple[Tensor, Tensor, Tensor]:
    """Return images x (n, d) and, for each, a change δ along the data and one across, (n, d), of the same length.

    Along the data, x + δ is the nearest other test image of the class of x. Across, the direction is uniform on the sphere.
    Of the `settings.contraction.spectra` test images, those without another image of their class are left out.
    """
    count = view.settings.contraction.spectra
    x, labels = evenly_spaced(view.images, count), evenly_spaced(view.labels, count)
    generator = view.generator(Use.DIRECTIONS)
    random = torch.randn(x.shape, generator=generator).to(x)
    distances = torch.cdist(x, view.images, compute_mode="donot_use_mm_for_euclid_dist")
    distances[(labels[:, None] != view.labels) | (distances == 0)] = torch.inf
    lengths, nearest = distances.min(1)
    along, across = view.images[nearest] - x, random * (lengths / random.norm(dim=1))[:, None]
    near = lengths.isfinite()
    return x[near], along[near], across[near]


def linearise(encode: Callable[[Tensor], Tensor], x: Tensor, change: Tensor) -> Linearised:
    """Compare f(x + δ) with its linearisation for images x (n, d) and changes δ (n, d), times each of `FRACTIONS`."""
    code, slope = torch.func.jvp(encode, (x,), (change,))
    moved = torch.stack([encode(x + t * change) - code for t in FRACTIONS])
    linear = torch.stack([t * slope for t in FRACTIONS])
    return Linearised((moved - linear).norm(dim=2), moved.norm(dim=2))


def norms(encode: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """Compute ‖∂h/∂x‖_F (n,) and, for each unit, ‖∂h_j/∂x‖ (n, k) at images (n, d)."""
    images, units = zip(*(_squared_norms(encode, part) for part in x.split(IMAGES)), strict=True)
    return torch.cat(images).sqrt(), torch.cat(units).sqrt()


def spectra(encode: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Compute the singular values (n, min(k, d)) of the Jacobian at images (n, d), the largest first, in float64."""
    parts = x.split(FULL_JACOBIANS)
    return torch.cat([_singular_values(torch.cat(list(_rows(encode, part))).transpose(0, 1).double()) for part in parts])


def _not_measured(view: "View") -> Jacobians:
    (images, pixels), units, settings = view.images.shape, view.codes.shape[1], view.settings.contraction
    norms, few = (view.codes.new_full((min(n, images),), torch.nan) for n in (settings.images, settings.spectra))
    spectra, errors = few[:, None].expand(-1, min(units, pixels)), few.expand(len(FRACTIONS), -1)
    linearised = Linearised(errors, errors)
    return Jacobians(norms, norms[:, None].expand(-1, units), spectra, spectra, linearised, linearised)


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
