"""What of an image survives when its code is quantised, and at how many bits? Uniform cells, one unit at a time.

    cell   c = floor(2^b (h - low) / (high - low)), cut to 0 ... 2^b - 1;  low, high: the unit's extremes over training codes
    value  the mean of the training codes in the cell (its middle if there are none): the best that it can stand for
    bits   sum over units of -log2 p(c),  p(c) = (n_c + 1/2) / (n + 2^b / 2),  n_c of the n training codes are in the cell

The bits are what an arithmetic coder spends that was fitted to the training codes of each unit (Krichevsky & Trofimov 1981:
the halves keep it finite where a test code falls into a cell that no training code did), so a unit that hardly ever moves is
nearly free; one that never did is free, and all images have its value. At b = 0 every unit is.

Extremes, not quantiles: a sparse unit's whole message is beyond them. Cells at b bits are unions of cells at b + 1, so
training codes are counted once, at the finest.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from aebench.representation.view import BLOCK, View, spread


@dataclass(frozen=True)
class Coded:
    """Squared errors ‖x - x̂‖² and code lengths in bits, (levels, m), of m images; `exact` (m,): errors without quantising."""

    errors: Tensor
    lengths: Tensor
    exact: Tensor


@dataclass(frozen=True)
class Quantised:
    """`bits` per unit, from 0 upwards, are the levels; `budgets` are in bits per image."""

    bits: tuple[int, ...]
    budgets: tuple[int, ...]
    validation: Coded
    test: Coded


class Quantiser:
    """Cells of codes (n, k) of up to `finest` bits a unit, counted on the CPU, where sums have one order."""

    def __init__(self, codes: Tensor, finest: int):
        self.finest, units = finest, codes.shape[1]
        self.low, high = codes.amin(0), codes.amax(0)
        self.moves = high > self.low
        self.width = torch.where(self.moves, high - self.low, torch.inf)
        self.counts, self.sums = torch.zeros(2, units << finest, dtype=torch.float64)
        for part in codes.split(BLOCK):
            places = (self.cells(part) + (torch.arange(units, device=codes.device) << finest)).flatten().cpu()
            self.counts += torch.bincount(places, minlength=units << finest)
            self.sums += torch.bincount(places, part.flatten().double().cpu(), units << finest)

    def cells(self, codes: Tensor) -> Tensor:
        """(n, k) whole numbers at the finest; a code that is no number is in the first cell."""
        shares = ((codes - self.low) / self.width).nan_to_num()
        return (shares * 2**self.finest).floor().clamp(0, 2**self.finest - 1).long()

    def tables(self, bits: int) -> tuple[Tensor, Tensor]:
        """The value and the length in bits of every unit's every cell, (k, 2^bits) each."""
        counts, sums = (x.view(len(self.low), 2**bits, -1).sum(2).to(self.low.device) for x in (self.counts, self.sums))
        half = self.moves[:, None] / 2
        lengths = (counts.sum(1, keepdim=True) + half * 2**bits).log2() - (counts + half).log2()
        width = torch.where(self.moves, self.width, 0).double()[:, None]
        middles = self.low[:, None] + width * (torch.arange(2**bits, device=self.low.device) + 0.5) / 2**bits
        return torch.where(counts > 0, sums / counts.clamp(min=1), middles), lengths

    def __call__(self, codes: Tensor, bits: int) -> tuple[Tensor, Tensor]:
        """Quantised codes (n, k) and their lengths in bits (n,)."""
        values, lengths = self.tables(bits)
        places = (self.cells(codes) >> self.finest - bits) + (torch.arange(len(values), device=codes.device) << bits)
        return values.flatten()[places].to(codes.dtype), lengths.flatten()[places].sum(1)


def quantised(view: View) -> Quantised:
    """At every level, test images and the validation images that a level may be chosen on; the rest of the reference trains."""
    settings = view.settings.quantised
    levels = tuple(sorted({0, *settings.bits}))
    quantiser = Quantiser(view.reference_codes[: -view.validation], levels[-1])

    def coded(images: Tensor, codes: Tensor) -> Coded:
        images, codes = spread(images, settings.images), spread(codes, settings.images)
        made = [quantiser(codes, bits) for bits in levels]
        errors = [_errors(view, images, h) for h, _ in made]
        return Coded(torch.stack(errors), torch.stack([lengths for _, lengths in made]), _errors(view, images, codes))

    validation = coded(view.reference[-view.validation :], view.reference_codes[-view.validation :])
    return Quantised(levels, tuple(settings.budgets), validation, coded(view.images, view.codes))


def _errors(view: View, images: Tensor, codes: Tensor) -> Tensor:
    return (images.double() - view.decode(codes).double()).square().sum(1)
