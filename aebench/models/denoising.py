"""Denoising autoencoder: bring back the clean image from a corrupted one (Vincent et al. 2008, 2010).

    x̃ ~ q(x̃ | x),  loss = E ‖x - g(f(x̃))‖²

The target is the clean x, never x̃; evaluation encodes clean images. At corruption 0 it is the vanilla autoencoder.
"""

from typing import Literal

from pydantic import Field
from torch import Generator, Tensor

from aebench.corruptions import CORRUPTIONS, Draw, corrupt
from aebench.models.vanilla import Vanilla, VanillaParams


class DenoisingParams(VanillaParams):
    """`corruption` is a probability for masking and salt_and_pepper, a standard deviation for gaussian."""

    noise: Literal["masking", "gaussian", "salt_and_pepper"] = "masking"
    corruption: float = Field(ge=0, le=1)


class Denoising(Vanilla):
    """A vanilla autoencoder that sees x̃ and is asked for x."""

    Params = DenoisingParams

    def draw(self, n: int, generator: Generator) -> Draw:
        """What happens to each pixel of n images."""
        return CORRUPTIONS[self.params.noise](n, self.pixels, self.params.corruption, generator)

    def terms(self, x: Tensor, noise: Draw) -> dict[str, Tensor]:
        """The error of the reconstruction of x from x̃."""
        return {"reconstruction": self.reconstruction(x, self.encode(corrupt(x, noise)))}
