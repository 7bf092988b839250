"""Corruptions of images, for training and for evaluation: pure functions (Vincent et al. 2010, section 3.3).

Every corruption is x̃ = keep * x + add, with keep and add (n, d) drawn in advance, so that all models can use the same draw. A
draw without `add` adds nothing. At level 0 a corruption is the identity, bit for bit.
"""

import torch
from torch import Generator, Tensor

Draw = tuple[Tensor] | tuple[Tensor, Tensor]


def masking(n: int, d: int, level: float, generator: Generator) -> Draw:
    """Set each pixel to 0 with probability `level` in [0, 1]."""
    return ((torch.rand(n, d, generator=generator, device=generator.device) >= level).float(),)


def subset_masking(n: int, d: int, level: float, generator: Generator) -> Draw:
    """Set round(level d) random pixels of each image to 0 (Vincent et al. 2008; Erhan et al. 2009)."""
    values = torch.rand(n, d, generator=generator, device=generator.device)
    lost = values.topk(round(level * d), largest=False, sorted=False).indices
    return (torch.ones_like(values).scatter_(1, lost, 0.0),)


def dropout(n: int, d: int, level: float, generator: Generator) -> Draw:
    """Mask, then multiply the rest by 1 / (1 - level), level in [0, 1): dropout on the input (Srivastava et al. 2014).

    Unlike masking, dropout has E x̃ = x, so clean images are as bright on average as those that the model was trained on.
    """
    (keep,) = masking(n, d, level, generator)
    return (keep / (1 - level),)


def gaussian(n: int, d: int, level: float, generator: Generator) -> Draw:
    """Add N(0, level²) noise to each pixel. The result is not limited to [0, 1]."""
    add = level * torch.randn(n, d, generator=generator, device=generator.device)
    return torch.ones_like(add), add


def salt_and_pepper(n: int, d: int, level: float, generator: Generator) -> Draw:
    """Set each pixel to 0 or to 1, each with probability `level` / 2, level in [0, 1]."""
    (keep,) = masking(n, d, level, generator)
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
    keep, *add = draw
    return torch.addcmul(add[0], keep, x) if add else keep * x
