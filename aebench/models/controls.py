"""Controls: the zero of every scale. What a representation is worth is its distance from these.

mean_image  every image is reconstructed as the mean image, from a code that says nothing: no compression is coarser
raw_pixels  the code is the image: no reconstruction is better, and a code should beat its neighbours
"""

import torch
from torch import Tensor

from aebench import objectives
from aebench.models.base import Autoencoder, Images
from aebench.runs import History


class Control(Autoencoder):
    """A model without gradient descent; its error is still told in the family's terms."""

    def terms(self, x: Tensor, noise: tuple) -> dict[str, Tensor]:
        """The squared error."""
        return {"reconstruction": objectives.squared_error(x, self.decode(self.encode(x))).mean()}


class MeanImage(Control):
    """m (d,), the mean of train and validation; the code is one 0."""

    stochastic = False
    code = 1

    def __init__(self, params, pixels: int):
        super().__init__(params, pixels)
        self.register_buffer("mean", torch.zeros(pixels))

    def encode(self, x: Tensor) -> Tensor:
        """(n, d) -> (n, 1) zeros."""
        return torch.zeros_like(x[:, :1])

    def decode(self, h: Tensor) -> Tensor:
        """(n, 1) -> (n, d)."""
        return h + self.mean

    def fit(self, ensemble, images: Images, minimise) -> History:
        """The mean image."""
        ensemble.assign(mean=images.both.double().mean(0))
        return History()


class RawPixels(Control):
    """The identity."""

    stochastic = False
    code = property(lambda self: self.pixels)

    def encode(self, x: Tensor) -> Tensor:
        """(n, d) -> (n, d)."""
        return x

    def decode(self, h: Tensor) -> Tensor:
        """(n, d) -> (n, d)."""
        return h

    def fit(self, ensemble, images: Images, minimise) -> History:
        """Nothing to fit."""
        return History()
