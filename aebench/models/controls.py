"""Controls: the two trivial representations between which all others lie.

    mean_image   x̂ = m, the mean image (d,), and the code is constant: the largest reconstruction error of a sensible model
    raw_pixels   h = x̂ = x: no reconstruction error; a useful code should have better neighbours than the pixels have

The mean is taken over training and validation images. Neither model depends on the seed.
"""

import torch
from torch import Tensor

from aebench import objectives
from aebench.models.base import Autoencoder, Images
from aebench.storage import History


class Control(Autoencoder):
    """A model that is not trained by gradient descent."""

    def terms(self, x: Tensor, noise: tuple) -> dict[str, Tensor]:
        """The squared error."""
        return {"reconstruction": objectives.squared_error(x, self.decode(self.encode(x))).mean()}


class MeanImage(Control):
    """Reconstructs every image as the mean image, from a code (n, 1) of zeros."""

    stochastic = False
    latent_dim = 1

    def __init__(self, settings, pixels: int):
        super().__init__(settings, pixels)
        self.register_buffer("mean", torch.zeros(pixels))

    def encode(self, x: Tensor) -> Tensor:
        """(n, d) -> (n, 1)."""
        return torch.zeros_like(x[:, :1])

    def decode(self, h: Tensor) -> Tensor:
        """(n, 1) -> (n, d)."""
        return h + self.mean

    def fit(self, ensemble, images: Images, minimise) -> History:
        """Compute the mean image in float64."""
        ensemble.load({"mean": images.both.double().mean(0)})
        return History()


class RawPixels(Control):
    """The identity: k = d."""

    stochastic = False
    latent_dim = property(lambda self: self.pixels)

    def encode(self, x: Tensor) -> Tensor:
        """(n, d) -> (n, d)."""
        return x

    def decode(self, h: Tensor) -> Tensor:
        """(n, d) -> (n, d)."""
        return h

    def fit(self, ensemble, images: Images, minimise) -> History:
        """Nothing to fit."""
        return History()
