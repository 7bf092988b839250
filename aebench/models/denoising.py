"""Denoising autoencoder: bring back the clean image from a corrupted one (Vincent et al. 2008, 2010).

    x̃ ~ q(x̃ | x),  loss = E ‖x - g(f(x̃))‖²

The target is the clean x, never x̃; evaluation encodes clean images. At corruption 0 it is the vanilla autoencoder. With
noise `dropout` it is a vanilla autoencoder with a dropout layer before the first; `masking` is the same without the
factor 1 / (1 - p), so that clean images are 1 / (1 - p) times brighter than those it was trained on.
"""

from typing import Literal

from pydantic import Field, field_validator
from torch import Generator, Tensor

from aebench.corruptions import CORRUPTIONS, Draw, corrupt
from aebench.models.vanilla import Vanilla, VanillaParams


class DenoisingParams(VanillaParams):
    """`corruption` is a share for masking, dropout and salt_and_pepper, a standard deviation for gaussian."""

    noise: Literal["masking", "subset_masking", "dropout", "gaussian", "salt_and_pepper"] = "masking"
    corruption: float = Field(ge=0, le=1)
    initial_corruption: float | None = Field(None, ge=0, le=1)
    """The first epoch's level, from which it goes to `corruption`, which validation has, in a straight line; null: constant.

    (Geras & Sutton 2015.)"""

    @field_validator("corruption", "initial_corruption")
    @classmethod
    def _leaves_something(cls, level: float | None, info) -> float | None:
        if level == 1 and info.data.get("noise") == "dropout":
            raise ValueError("must be less than 1 for dropout")
        return level


class Denoising(Vanilla):
    """A vanilla autoencoder that sees x̃ and is asked for x."""

    Params = DenoisingParams

    def level(self, progress: float) -> float:
        """The corruption when a share `progress` of the training is done."""
        end, start = self.params.corruption, self.params.initial_corruption
        return end if start is None else start + progress * (end - start)

    def draw(self, n: int, generator: Generator, progress: float = 1.0) -> Draw:
        """What happens to each pixel of n images."""
        return CORRUPTIONS[self.params.noise](n, self.pixels, self.level(progress), generator)

    def terms(self, x: Tensor, noise: Draw) -> dict[str, Tensor]:
        """The error of the reconstruction of x from x̃."""
        return {"reconstruction": self.reconstruction(x, self.encode(corrupt(x, noise)))}
