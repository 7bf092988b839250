"""Uniform quantisation of each unit of the codes: reconstruction errors and code lengths at every number of bits per unit.

    cell   c = floor(2^b (h - low) / (high - low)), clipped to 0 ... 2^b - 1;  [low, high]: the unit's range over training codes
    value  mean of the training codes in the cell, which minimises the squared error; midpoint of a cell without training codes
    bits   sum over units of -log2 p(c),  p(c) = (n_c + 1/2) / (n + 2^b / 2),  with n_c of the n training codes in the cell

The bits are the code length of an arithmetic coder fitted to the training codes of each unit. Adding 1/2 to every count
(Krichevsky & Trofimov 1981) keeps the length finite for a test code in a cell without training codes. A nearly constant unit
costs nearly 0 bits. A unit that is constant over the training codes costs 0 bits and has that value for all images. At b = 0
every unit costs 0 bits and has its mean for all images.

The range extends to the extremes, not to quantiles, because the rare large values of a sparse unit carry its information. Cells
at b bits are unions of cells at b + 1 bits, so training codes are counted only once, in the finest cells.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from aebench.evaluation.replicas import BLOCK
from aebench.evaluation.view import View, evenly_spaced


@dataclass(frozen=True)
class Coded:
    """Squared errors ‖x - x̂‖² and code lengths in bits (levels, m) of m images; `exact` (m,): errors without quantisation."""

    errors: Tensor
    lengths: Tensor
    exact: Tensor


@dataclass(frozen=True)
class Quantised:
    """Images coded at several levels: `bits` are numbers of bits per unit, from 0 upwards, and `budgets` those per image."""

    bits: tuple[int, ...]
    budgets: tuple[int, ...]
    validation: Coded
    test: Coded


class Quantiser:
    """Cells of at most `finest` bits per unit, fitted to codes (n, k) on the CPU, where the order of summation is fixed."""

    def __init__(self, codes: Tensor, finest: int):
        self.finest, units = finest, codes.shape[1]
        self.low, high = codes.amin(0), codes.amax(0)
        self.varies = high > self.low
        self.width = torch.where(self.varies, high - self.low, torch.inf)
        self.counts, self.sums = torch.zeros(2, units << finest, dtype=torch.float64)
        for part in codes.split(BLOCK):
            indices = (self.cells(part) + (torch.arange(units, device=codes.device) << finest)).flatten().cpu()
            self.counts += torch.bincount(indices, minlength=units << finest)
            self.sums += torch.bincount(indices, part.flatten().double().cpu(), units << finest)

    def cells(self, codes: Tensor) -> Tensor:
        """Return the finest cells (n, k) of codes (n, k). NaN is in cell 0, infinite codes are in an outermost cell."""
        fractions = ((codes - self.low) / self.width).nan_to_num()
        return (fractions * 2**self.finest).floor().clamp(0, 2**self.finest - 1).long()

    def tables(self, bits: int) -> tuple[Tensor, Tensor]:
        """Compute value and length in bits of every cell of every unit, (k, 2^bits) each."""
        counts, sums = (x.view(len(self.low), 2**bits, -1).sum(2).to(self.low.device) for x in (self.counts, self.sums))
        half = self.varies[:, None] / 2
        lengths = (counts.sum(1, keepdim=True) + half * 2**bits).log2() - (counts + half).log2()
        width = torch.where(self.varies, self.width, 0).double()[:, None]
        midpoints = self.low[:, None] + width * (torch.arange(2**bits, device=self.low.device) + 0.5) / 2**bits
        return torch.where(counts > 0, sums / counts.clamp(min=1), midpoints), lengths

    def __call__(self, codes: Tensor, bits: int) -> tuple[Tensor, Tensor]:
        """Return quantised codes (n, k) and their lengths in bits (n,)."""
        values, lengths = self.tables(bits)
        indices = (self.cells(codes) >> self.finest - bits) + (torch.arange(len(values), device=codes.device) << bits)
        return values.flatten()[indices].to(codes.dtype), lengths.flatten()[indices].sum(1)


def compression(view: View) -> Quantised:
    """Quantise test and validation codes at every level, in cells fitted to the training codes."""
    settings = view.settings.compression
    levels = tuple(sorted({0, *settings.bits}))
    quantiser = Quantiser(view.reference_codes[: -view.validation_count], levels[-1])

    def coded(images: Tensor, codes: Tensor) -> Coded:
        images, codes = evenly_spaced(images, settings.images), evenly_spaced(codes, settings.images)
        quantised, lengths = zip(*(quantiser(codes, bits) for bits in levels), strict=True)
        errors = [_errors(view, images, h) for h in quantised]
        return Coded(torch.stack(errors), torch.stack(lengths), _errors(view, images, codes))

    validation = coded(view.reference[-view.validation_count :], view.reference_codes[-view.validation_count :])
    return Quantised(levels, tuple(settings.budgets), validation, coded(view.images, view.codes))


def _errors(view: View, images: Tensor, codes: Tensor) -> Tensor:
    return (images.double() - view.decode(codes).double()).square().sum(1)
