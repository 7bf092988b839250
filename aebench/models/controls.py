"""Controls: the zero of every scale. What a representation is worth is its distance from these.

mean_image      every image is reconstructed as the mean image, from a code that says nothing: no compression is coarser
raw_pixels      the code is the image: no reconstruction is better, and a code should beat its neighbours
random_encoder  an untrained encoder with the best linear decoder: what the architecture gives without learning
"""

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from aebench import objectives
from aebench.models.base import Autoencoder, Images, ModelParams
from aebench.models.layers import Activation, Dense
from aebench.runs import History


class Control(Autoencoder):
    """A model without gradient descent; its error is still told in the family's terms."""

    def terms(self, x: Tensor, noise: tuple) -> dict[str, Tensor]:
        """The squared error."""
        return {"reconstruction": objectives.squared_error(x, self.decode(self.encode(x)))}


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


class RandomEncoderParams(ModelParams):
    """Encoder sizes d -> hidden... -> code, as of `vanilla`."""

    hidden: list[PositiveInt] = Field(default_factory=list)
    code: PositiveInt
    activation: Activation = "relu"


class RandomEncoder(Control):
    """A vanilla encoder as it starts; the decoder is h -> [h, 1] B with B (k + 1, d) by least squares."""

    Params = RandomEncoderParams

    def __init__(self, params: RandomEncoderParams, pixels: int):
        super().__init__(params, pixels)
        self.encoder = Dense([pixels, *params.hidden, params.code], params.activation)
        self.register_buffer("readout", torch.zeros(params.code + 1, pixels))

    def encode(self, x: Tensor) -> Tensor:
        """(n, d) -> (n, k)."""
        return self.encoder(x)

    def decode(self, h: Tensor) -> Tensor:
        """(n, k) -> (n, d); may leave [0, 1]."""
        return h @ self.readout[:-1] + self.readout[-1]

    def fit(self, ensemble, images: Images, minimise) -> History:
        """Least squares in float64 on train and validation: nothing is chosen."""
        for replica in ensemble.replicas():
            h = replica("encode", images.both).double()
            h = torch.cat([h, torch.ones_like(h[:, :1])], 1)
            replica.state["readout"].copy_(torch.linalg.lstsq(h, images.both.double()).solution)
        return History()
