"""Baselines: the two trivial representations.

    mean_image   x̂ = m, the mean image (d,), and the code is constant: any useful model has a smaller reconstruction error
    raw_pixels   h = x̂ = x: zero reconstruction error; a useful code classifies better by nearest neighbours

The mean is computed over training and validation images. Neither model depends on the seed.
"""

import torch
from torch import Tensor

from aebench import objectives
from aebench.models.base import Autoencoder
from aebench.models.images import Images
from aebench.storage import History


class Baseline(Autoencoder):
    """A model that is not trained by gradient descent."""

    def terms(self, x: Tensor, noise: tuple) -> dict[str, Tensor]:
        """Return the squared error."""
        return {"reconstruction": objectives.squared_error(x, self.decode(self.encode(x))).mean()}


class MeanImage(Baseline):
    """A model that reconstructs every image as the mean image, from a code (n, 1) of zeros."""

    stochastic = False
    latent_dim = 1

    def __init__(self, settings, pixels: int):
        super().__init__(settings, pixels)
        self.register_buffer("mean", torch.zeros(pixels))

    def encode(self, x: Tensor) -> Tensor:
        """Return codes (n, 1) of zeros."""
        return torch.zeros_like(x[:, :1])

    def decode(self, h: Tensor) -> Tensor:
        """Return the mean image for each code: (n, 1) -> (n, d)."""
        return h + self.mean

    def fit(self, ensemble, images: Images, minimise) -> History:
        """Compute the mean image, in float64."""
        ensemble.load({"mean": images.both.double().mean(0)})
        return History()


class RawPixels(Baseline):
    """The identity, with k = d."""

    stochastic = False
    latent_dim = property(lambda self: self.pixels)

    def encode(self, x: Tensor) -> Tensor:
        """Return the images x (n, d)."""
        return x

    def decode(self, h: Tensor) -> Tensor:
        """Return the codes h (n, d), which are the images."""
        return h

    def fit(self, ensemble, images: Images, minimise) -> History:
        """Return an empty history: the model has no parameters."""
        return History()
