"""Corruptions of images, for training and for evaluation: pure functions (Vincent et al. 2010, section 3.3).

Every corruption is x̃ = keep * x + add, with keep and add (n, d) drawn in advance, so that all models can use the same draw. At
level 0 it is the identity, bit for bit.
"""

import torch
from torch import Generator, Tensor

Draw = tuple[Tensor, Tensor]


def masking(n: int, d: int, level: float, generator: Generator) -> Draw:
    """Set each pixel to 0 with probability `level` in [0, 1]."""
    keep = (torch.rand(n, d, generator=generator, device=generator.device) >= level).float()
    return keep, torch.zeros_like(keep)


def subset_masking(n: int, d: int, level: float, generator: Generator) -> Draw:
    """Set round(level d) random pixels of each image to 0 (Vincent et al. 2008; Erhan et al. 2009)."""
    rank = torch.rand(n, d, generator=generator, device=generator.device).argsort(1).argsort(1)
    keep = (rank >= round(level * d)).float()
    return keep, torch.zeros_like(keep)


def dropout(n: int, d: int, level: float, generator: Generator) -> Draw:
    """Mask, then multiply the rest by 1 / (1 - level), level in [0, 1): dropout on the input (Srivastava et al. 2014).

    Unlike masking, dropout has E x̃ = x, so clean images are as bright on average as those that the model was trained on.
    """
    keep, add = masking(n, d, level, generator)
    return keep / (1 - level), add


def gaussian(n: int, d: int, level: float, generator: Generator) -> Draw:
    """Add N(0, level²) noise to each pixel. The result is not limited to [0, 1]."""
    add = level * torch.randn(n, d, generator=generator, device=generator.device)
    return torch.ones_like(add), add


def salt_and_pepper(n: int, d: int, level: float, generator: Generator) -> Draw:
    """Set each pixel to 0 or to 1, each with probability `level` / 2, level in [0, 1]."""
    keep, _ = masking(n, d, level, generator)
    salt = (torch.rand(n, d, generator=generator, device=generator.device) < 0.5).float()
    return keep, (1 - keep) * salt


CORRUPTIONS = {
    "masking": masking,
    "subset_masking": subset_masking,
    "dropout": dropout,
    "gaussian": gaussian,
    "salt_and_pepper": salt_and_pepper,
}


def corrupt(x: Tensor, draw: Draw) -> Tensor:
    """Apply a draw to images: x̃ = keep * x + add, (n, d) -> (n, d)."""
    keep, add = draw
    return keep * x + add
