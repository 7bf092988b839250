"""What becomes of test images that are degraded further and further: six corruptions, the same images for every model.

    masking, gaussian, salt_and_pepper   as in training, `aebench.corruptions`
    blur        by a Gaussian of standard deviation level * side; beyond its edge an image goes on as it ends
    occlusion   a square of sides level * side, in whole pixels and at least one, becomes 0, anywhere within the image
    shift       by level * side up, down, left or right, linear between whole pixels; what comes in is 0

side is the shorter of height and width.

Draws are frozen: of a stream of seed 0 that is named for the corruption, not of the model's seed, on the CPU, and the same
for every level, so that more is done to an image at the same places. Data set, corruption and level decide them alone.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from aebench.corruptions import CORRUPTIONS, corrupt
from aebench.randomness import Streams

if TYPE_CHECKING:
    from aebench.representation.view import View

FROZEN = 0


@dataclass(frozen=True, eq=False)
class Degraded:
    """The first m test images at each of s `places`, which are a corruption and its level.

    `images` and `reconstructions` are (s, m, d), `codes` (s, m, k).
    """

    places: tuple[tuple[str, float], ...]
    images: Tensor
    codes: Tensor
    reconstructions: Tensor

    @property
    def checksum(self) -> str:
        """SHA-256 of the images: two runs that agree have shown their models the same."""
        return hashlib.sha256(self.images.cpu().numpy().tobytes()).hexdigest()


def degraded(view: "View") -> Degraded:
    """Every corruption at every level that the settings name."""
    asked = view.settings.robustness
    images = degradations(view.images[: asked.images].cpu(), view.shape, asked.levels)
    shown = torch.cat(list(images.values())).to(view.images.device)
    codes = view.encode(shown)
    parts = (part.unflatten(0, (len(images), -1)) for part in (shown, codes, view.decode(codes)))
    return Degraded(tuple(images), *parts)


def degradations(x: Tensor, shape: tuple[int, ...], levels: Mapping[str, Sequence[float]]) -> dict[tuple[str, float], Tensor]:
    """(corruption, level) -> x̃ (m, d), of images x (m, d) on the CPU that are of `shape`, (height, width[, channels])."""
    return {(name, level): _degrade(x, shape, name, level) for name, each in levels.items() for level in each}


def blur(x: Tensor, level: float, generator: Generator) -> Tensor:
    """(m, h, w, c) -> the same."""
    from scipy.ndimage import gaussian_filter

    sigma = level * min(x.shape[1:3])
    return torch.from_numpy(gaussian_filter(x.numpy(), (0, sigma, sigma, 0), mode="nearest"))


def occlusion(x: Tensor, level: float, generator: Generator) -> Tensor:
    """(m, h, w, c) -> the same."""
    size, hidden = max(1, round(level * min(x.shape[1:3]))), []
    for axis, side in enumerate(x.shape[1:3]):
        first = (torch.rand(len(x), 1, generator=generator) * (side - size + 1)).long()
        place = torch.arange(side)
        hidden.append(((place >= first) & (place < first + size)).unsqueeze(2 - axis))
    return x.masked_fill((hidden[0] & hidden[1])[..., None], 0)


def shift(x: Tensor, level: float, generator: Generator) -> Tensor:
    """(m, h, w, c) -> the same."""
    by, way = level * min(x.shape[1:3]), torch.randint(4, (len(x),), generator=generator)
    return torch.lerp(_moved(x, int(by), way), _moved(x, int(by) + 1, way), by % 1)


def _moved(x: Tensor, by: int, way: Tensor) -> Tensor:
    """By whole pixels up, down, left or right, as `way` (m,) says."""
    wide, (_, height, width, _) = torch.nn.functional.pad(x, (0, 0, by, by, by, by)), x.shape
    corners = ((2 * by, by), (0, by), (by, 2 * by), (by, 0))
    moved = torch.stack([wide[:, top : top + height, left : left + width] for top, left in corners])
    return moved[way, torch.arange(len(x))]


SPATIAL: dict[str, Callable[[Tensor, float, Generator], Tensor]] = {"blur": blur, "occlusion": occlusion, "shift": shift}
"""Those that know where a pixel lies; the others are of `aebench.corruptions`."""


def _degrade(x: Tensor, shape: tuple[int, ...], name: str, level: float) -> Tensor:
    generator = Streams(FROZEN).torch(f"degraded {name}")
    if name in SPATIAL:
        return SPATIAL[name](x.reshape(len(x), *shape[:2], -1), level, generator).flatten(1)
    return corrupt(x, CORRUPTIONS[name](*x.shape, level, generator))
