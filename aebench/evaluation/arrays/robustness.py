"""Codes and reconstructions of test images under six corruptions, by default at three levels each.

    masking, gaussian, salt_and_pepper   the corruptions of `aebench.corruptions`, which are also used in training
    blur        a Gaussian filter of standard deviation level * side; border pixels are repeated beyond the border
    occlusion   a square with sides of level * side pixels, rounded to an integer >= 1, is set to 0 at a random position
    shift       the image is moved by level * side pixels up, down, left or right; pixels from beyond the border are 0, and
                shifts by a fraction of a pixel are interpolated linearly

`side` is the shorter of height and width.

The random numbers of each corruption are drawn on the CPU from a stream of its own, and every level restarts it, so that all
levels use the same random numbers. Corrupted images depend only on the data set, the corruption and the level.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from aebench.corruptions import CORRUPTIONS, corrupt
from aebench.evaluation.settings import Robustness
from aebench.evaluation.view import evenly_spaced
from aebench.randomness import EVALUATION, Use

if TYPE_CHECKING:
    from aebench.evaluation.view import View


@dataclass(frozen=True, eq=False)
class Corrupted:
    """m test images, evenly spaced in the test set, under each of s `corruptions`, which are pairs (name, level).

    `images` and `reconstructions` have shape (s, m, d), `codes` (s, m, k).
    """

    corruptions: tuple[tuple[str, float], ...]
    images: Tensor
    codes: Tensor
    reconstructions: Tensor


def robustness(view: "View") -> Corrupted:
    """Encode and reconstruct test images under every corruption and level of the settings."""
    settings = view.settings.robustness
    corrupted_images = corrupt_images(evenly_spaced(view.images, settings.images).cpu(), view.shape, settings.levels)
    images = torch.cat(list(corrupted_images.values())).to(view.images.device)
    codes = view.encode(images)
    parts = (part.unflatten(0, (len(corrupted_images), -1)) for part in (images, codes, view.decode(codes)))
    return Corrupted(tuple(corrupted_images), *parts)


def corrupted(images: Tensor, settings: Robustness) -> Tensor:
    """Corrupt images (n, d) for `sse_corrupted` with noise that is drawn on the CPU for reproducibility."""
    draw = CORRUPTIONS[settings.corruption](*images.shape, settings.level, EVALUATION.torch("evaluation", Use.CORRUPTION))
    return corrupt(images, tuple(part.to(images.device) for part in draw))


def corrupt_images(x: Tensor, shape: tuple[int, ...], levels: Mapping[str, Sequence[float]]) -> dict[tuple[str, float], Tensor]:
    """Corrupt images x (m, d) of `shape` (height, width[, channels]) on the CPU: {(corruption, level): x̃ (m, d)}."""
    return {(name, level): _corrupt(x, shape, name, level) for name in levels for level in levels[name]}


def blur(x: Tensor, level: float, generator: Generator) -> Tensor:
    """Blur images (m, h, w, c)."""
    from scipy.ndimage import gaussian_filter

    sigma = level * min(x.shape[1:3])
    return torch.from_numpy(gaussian_filter(x.numpy(), (0, sigma, sigma, 0), mode="nearest"))


def occlusion(x: Tensor, level: float, generator: Generator) -> Tensor:
    """Occlude a square of images (m, h, w, c)."""
    size, inside = max(1, round(level * min(x.shape[1:3]))), []
    for axis, side in enumerate(x.shape[1:3]):
        start = (torch.rand(len(x), 1, generator=generator) * (side - size + 1)).long()
        index = torch.arange(side)
        inside.append(((index >= start) & (index < start + size)).unsqueeze(2 - axis))
    return x.masked_fill((inside[0] & inside[1])[..., None], 0)


def shift(x: Tensor, level: float, generator: Generator) -> Tensor:
    """Shift images (m, h, w, c), each in a random direction."""
    distance, direction = level * min(x.shape[1:3]), torch.randint(4, (len(x),), generator=generator)
    return torch.lerp(_moved(x, int(distance), direction), _moved(x, int(distance) + 1, direction), distance % 1)


def _moved(x: Tensor, pixels: int, direction: Tensor) -> Tensor:
    """Move images by an integer number of pixels; `direction` (m,) is 0 for up, 1 for down, 2 for left and 3 for right."""
    padded, (_, height, width, _) = torch.nn.functional.pad(x, (0, 0, pixels, pixels, pixels, pixels)), x.shape
    corners = ((2 * pixels, pixels), (0, pixels), (pixels, 2 * pixels), (pixels, 0))
    moved = torch.stack([padded[:, top : top + height, left : left + width] for top, left in corners])
    return moved[direction, torch.arange(len(x))]


SPATIAL: dict[str, Callable[[Tensor, float, Generator], Tensor]] = {"blur": blur, "occlusion": occlusion, "shift": shift}
"""Corruptions that depend on the position of a pixel; the others are in `aebench.corruptions`."""


def _corrupt(x: Tensor, shape: tuple[int, ...], name: str, level: float) -> Tensor:
    generator = EVALUATION.torch(f"corruption {name}")
    if name in SPATIAL:
        return SPATIAL[name](x.reshape(len(x), *shape[:2], -1), level, generator).flatten(1)
    return corrupt(x, CORRUPTIONS[name](*x.shape, level, generator))
