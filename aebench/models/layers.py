"""Fully connected layers: h_l = f(W_l h_{l-1} + b_l), shared by all models.

Initialisation `scaled`: weights uniform with variance 2 / (fan_in + fan_out) (Glorot & Bengio 2010), doubled before a ReLU
between layers (He et al. 2015). The variance of the last layer is never doubled, even if a model applies a ReLU to its output.
`uniform`: U[-1/sqrt(fan_in), 1/sqrt(fan_in)], as in the first comparisons of stacked autoencoders (Erhan et al. 2009). Biases
are initialised to 0.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from aebench.models.activations import ACTIVATIONS, DERIVATIVES, Activation
from aebench.models.base import ModelSettings

Start = Literal["scaled", "uniform"]


class EncoderSettings(ModelSettings):
    """Sizes of the encoder, d -> hidden... -> latent_dim; the decoder mirrors them."""

    hidden: list[PositiveInt] = Field(default_factory=list)
    latent_dim: PositiveInt
    activation: Activation = "relu"


class Dense(nn.Module):
    """A network with layer widths `sizes`, with `activation` between layers and none after the last."""

    def __init__(self, sizes: Sequence[int], activation: Activation, start: Start = "scaled"):
        super().__init__()
        self.activation = activation
        self.layers = nn.ModuleList(nn.utils.skip_init(nn.Linear, i, o) for i, o in pairwise(sizes))
        for layer in self.layers:  # in order: networks with the same leading sizes and seed have the same initial weights
            gain = nn.init.calculate_gain("relu") if activation == "relu" and layer is not self.layers[-1] else 1.0
            if start == "scaled":
                nn.init.xavier_uniform_(layer.weight, gain)
            else:
                nn.init.uniform_(layer.weight, -(layer.in_features**-0.5), layer.in_features**-0.5)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return the pre-activations of the last layer: (..., sizes[0]) -> (..., sizes[-1])."""
        for layer in self.layers[:-1]:
            x = ACTIVATIONS[self.activation](layer(x))
        return self.layers[-1](x)

    def pullback(self, x: Tensor, v: Tensor, last: Activation) -> Tensor:
        """Return V J (n, p, d) for x (n, d) and V (n, p, k), where J = ∂h/∂x (k, d) and h = last(self(x)).

        J is the product of the layers' Jacobians diag(f'(z_l)) W_l; multiplying from V on, only p rows pass through each layer.
        """
        derivatives = []
        for layer, name in zip(self.layers, [*[self.activation] * (len(self.layers) - 1), last], strict=True):
            z = layer(x)
            x = ACTIVATIONS[name](z)
            derivatives.append(DERIVATIVES[name](z))
        for layer, derivative in zip(reversed(self.layers), reversed(derivatives), strict=True):
            v = (v * derivative[:, None]) @ layer.weight
        return v


class Transposed(nn.Module):
    """A tied decoder: the transposed weights of a `Dense` encoder, and separate biases."""

    def __init__(self, sizes: Sequence[int], activation: Activation):
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        self.biases = nn.ParameterList(torch.zeros(size) for size in sizes[1:])

    def forward(self, h: Tensor, encoder: Dense) -> Tensor:
        """Return the pre-activations of the last layer: (n, k) -> (n, d)."""
        for bias, layer in zip(self.biases[:-1], reversed(encoder.layers[1:]), strict=True):
            h = self.activation(nn.functional.linear(h, layer.weight.T, bias))
        return nn.functional.linear(h, encoder.layers[0].weight.T, self.biases[-1])
