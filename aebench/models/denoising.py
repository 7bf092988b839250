"""Denoising autoencoder: reconstruct the clean image from a corrupted one (Vincent et al. 2008, 2010).

    x̃ ~ q(x̃|x),   h = f(x̃),   x̂ = g(h),   loss = E ‖x - x̂‖²

x, x̃ (n, d); h (n, k). The target is the clean x, never x̃, and evaluation encodes clean images. Limit: level 0 is the
vanilla autoencoder. The corruption `dropout` is a dropout layer on the input, which scales the remaining pixels by 1 / (1 - p);
`masking` omits this factor, so clean images are brighter by it than the training inputs, on average. Denoising augments the
input but not the target: the loss of m corrupted copies of each image, with clean targets, is the mean loss over m draws.
"""

from pydantic import Field, field_validator
from torch import Generator, Tensor

from aebench.config import Corruption
from aebench.corruptions import CORRUPTIONS, Draw, corrupt
from aebench.models.vanilla import Vanilla, VanillaSettings


class DenoisingSettings(VanillaSettings):
    """`level` is a standard deviation for `gaussian`, a fraction of the pixels otherwise.

    If `initial_level` is given, the level changes linearly from it to `level` during training (Geras & Sutton 2015).
    """

    corruption: Corruption = "masking"
    level: float = Field(ge=0, le=1)
    initial_level: float | None = Field(None, ge=0, le=1)

    @field_validator("level", "initial_level")
    @classmethod
    def _dropout_keeps_some_pixels(cls, level: float | None, info) -> float | None:
        if level == 1 and info.data.get("corruption") == "dropout":
            raise ValueError("must be less than 1 for dropout")
        return level


class Denoising(Vanilla):
    """A vanilla autoencoder with corrupted input and clean target."""

    Settings = DenoisingSettings

    def level(self, progress: float) -> float:
        """Return the corruption level after a fraction `progress` of the epochs. Validation uses the final level."""
        end, start = self.settings.level, self.settings.initial_level
        return end if start is None else start + progress * (end - start)

    def draw(self, n: int, generator: Generator, progress: float = 1.0) -> Draw:
        """Draw the corruption of n images."""
        return CORRUPTIONS[self.settings.corruption](n, self.pixels, self.level(progress), generator)

    def terms(self, x: Tensor, noise: Draw) -> dict[str, Tensor]:
        """Return the error of reconstructing x from x̃."""
        return {"reconstruction": self.reconstruction(x, self.encode(corrupt(x, noise)))}
