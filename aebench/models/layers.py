"""Fully connected layers, as every chapter uses them."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from aebench.models.base import ModelParams

Activation = Literal["linear", "relu", "sigmoid", "softplus", "tanh"]
ACTIVATIONS = {
    "linear": lambda z: z,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "softplus": nn.functional.softplus,
    "tanh": torch.tanh,
}
SLOPES = {
    "linear": torch.ones_like,
    "relu": lambda z: (z > 0).to(z.dtype),
    "sigmoid": lambda z: torch.sigmoid(z) * torch.sigmoid(-z),
    "softplus": torch.sigmoid,
    "tanh": lambda z: 1 - torch.tanh(z).square(),
}
"""Derivatives of the activations, as functions of the pre-activation z."""

Start = Literal["scaled", "uniform"]
"""`scaled`: weights uniform with variance 2 / (fan_in + fan_out) (Glorot & Bengio 2010), doubled before a ReLU (He et al.
2015). `uniform`: U[-1/sqrt(fan_in), 1/sqrt(fan_in)], as stacked autoencoders were first compared with (Erhan et al. 2009)."""


class EncoderParams(ModelParams):
    """Encoder sizes d -> hidden... -> code; a decoder mirrors them."""

    hidden: list[PositiveInt] = Field(default_factory=list)
    code: PositiveInt
    activation: Activation = "relu"


class Dense(nn.Module):
    """sizes[0] -> ... -> sizes[-1]: `activation` between layers, none after the last, which gives pre-activations.

    Biases start at 0. Layers are drawn in order, so equal leading sizes start equal from an equal seed.
    """

    def __init__(self, sizes: Sequence[int], activation: Activation, start: Start = "scaled"):
        super().__init__()
        self.activation = activation
        self.layers = nn.ModuleList(nn.utils.skip_init(nn.Linear, i, o) for i, o in pairwise(sizes))
        for layer in self.layers:
            gain = nn.init.calculate_gain("relu") if activation == "relu" and layer is not self.layers[-1] else 1.0
            if start == "scaled":
                nn.init.xavier_uniform_(layer.weight, gain)
            else:
                nn.init.uniform_(layer.weight, -(layer.in_features**-0.5), layer.in_features**-0.5)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(..., sizes[0]) -> (..., sizes[-1]) pre-activations."""
        for layer in self.layers[:-1]:
            x = ACTIVATIONS[self.activation](layer(x))
        return self.layers[-1](x)

    def pullback(self, x: Tensor, rows: Tensor, last: Activation) -> Tensor:
        """V J of h = last(self(x)), J = dh/dx (k, d): V (n, p, k) -> (n, p, d), through x (n, d).

        The product of layer Jacobians diag(f'(z_l)) W_l, accumulated from the code: p rows pass each layer, not d columns.
        """
        slopes = []
        for layer, name in zip(self.layers, [*[self.activation] * (len(self.layers) - 1), last], strict=True):
            z = layer(x)
            x = ACTIVATIONS[name](z)
            slopes.append(SLOPES[name](z))
        for layer, slope in zip(reversed(self.layers), reversed(slopes), strict=True):
            rows = (rows * slope[:, None]) @ layer.weight
        return rows


class Transposed(nn.Module):
    """The mirror of a `Dense`, with its weights transposed and biases of its own: a tied decoder has no weights to add."""

    def __init__(self, sizes: Sequence[int], activation: Activation):
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        self.biases = nn.ParameterList(torch.zeros(size) for size in sizes[1:])

    def forward(self, h: Tensor, encoder: Dense) -> Tensor:
        """(n, k) -> (n, d) pre-activations."""
        for bias, layer in zip(self.biases[:-1], reversed(encoder.layers[1:]), strict=True):
            h = self.activation(nn.functional.linear(h, layer.weight.T, bias))
        return nn.functional.linear(h, encoder.layers[0].weight.T, self.biases[-1])
