"""Fully connected layers, as every chapter uses them."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

Activation = Literal["linear", "relu", "sigmoid", "softplus", "tanh"]
ACTIVATIONS = {
    "linear": lambda z: z,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "softplus": nn.functional.softplus,
    "tanh": torch.tanh,
}


class Dense(nn.Module):
    """sizes[0] -> ... -> sizes[-1]: `activation` between layers, none after the last, which gives pre-activations.

    Weights start uniform with variance 2 / (fan_in + fan_out) (Glorot & Bengio 2010), doubled before a ReLU (He et al.
    2015); biases start at 0. Layers are drawn in order, so equal leading sizes start equal from an equal seed.
    """

    def __init__(self, sizes: Sequence[int], activation: Activation):
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        self.layers = nn.ModuleList(nn.utils.skip_init(nn.Linear, i, o) for i, o in pairwise(sizes))
        for layer in self.layers:
            gain = nn.init.calculate_gain("relu") if activation == "relu" and layer is not self.layers[-1] else 1.0
            nn.init.xavier_uniform_(layer.weight, gain)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(n, sizes[0]) -> (n, sizes[-1]) pre-activations."""
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        return self.layers[-1](x)


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
