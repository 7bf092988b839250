"""Fully connected layers, shared by all models: h_l = f(h_{l-1} W_l + b_l), with W_l (inputs, outputs) and b_l (outputs,).

Initialisation `scaled`: weights uniform with variance 2 / (fan_in + fan_out) (Glorot & Bengio 2010), doubled before ReLU, SiLU
and GELU (He et al. 2015), except in the last layer, even if a model applies one of these to its output. `uniform`:
U[-1/sqrt(fan_in), 1/sqrt(fan_in)], as in the first comparisons of stacked autoencoders (Erhan et al. 2009). Biases are
initialised to 0.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from aebench.models.activations import ACTIVATIONS, DERIVATIVES, RECTIFIERS, Activation
from aebench.models.base import ModelSettings

Initialisation = Literal["scaled", "uniform"]


class EncoderSettings(ModelSettings):
    """Sizes of the encoder, d -> hidden... -> latent_dim; the decoder mirrors them."""

    hidden: list[PositiveInt] = Field(default_factory=list)
    latent_dim: PositiveInt
    activation: Activation = "relu"


class Linear(nn.Module):
    """z = x W + b. With W (inputs, outputs) no product of the forward pass needs a transposed copy of the weights."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Return pre-activations: (..., inputs) -> (..., outputs)."""
        return x @ self.weight + self.bias


class Dense(nn.Module):
    """A network with layer widths `sizes`, with `activation` between layers and none after the last."""

    def __init__(self, sizes: Sequence[int], activation: Activation, initialisation: Initialisation = "scaled"):
        super().__init__()
        self.activation = activation
        self.layers = nn.ModuleList(Linear(i, o) for i, o in pairwise(sizes))
        for layer in self.layers:  # in order: networks with the same leading sizes and seed have the same initial weights
            gain = 2**0.5 if activation in RECTIFIERS and layer is not self.layers[-1] else 1.0
            weight = torch.empty(layer.weight.shape[::-1])  # (outputs, inputs), to draw the same numbers as for torch.nn.Linear
            if initialisation == "scaled":
                nn.init.xavier_uniform_(weight, gain)
            else:
                nn.init.uniform_(weight, -(weight.shape[1] ** -0.5), weight.shape[1] ** -0.5)
            layer.weight.data = weight.T.contiguous()

    def forward(self, x: Tensor) -> Tensor:
        """Return the pre-activations of the last layer: (..., sizes[0]) -> (..., sizes[-1])."""
        for layer in self.layers[:-1]:
            x = ACTIVATIONS[self.activation](layer(x))
        return self.layers[-1](x)

    def pullback(self, x: Tensor, v: Tensor, last: Activation) -> Tensor:
        """Return V J (n, p, d) for x (n, d) and V (n, p, k), where J = ∂h/∂x (k, d) and h = last(self(x)).

        J is the product of the layers' Jacobians diag(f'(z_l)) W_lᵀ; multiplied from the left, it needs only p rows per layer.
        """
        derivatives = []
        for layer, name in zip(self.layers, [*[self.activation] * (len(self.layers) - 1), last], strict=True):
            z = layer(x)
            x = ACTIVATIONS[name](z)
            derivatives.append(DERIVATIVES[name](z))
        for layer, derivative in zip(reversed(self.layers), reversed(derivatives), strict=True):
            v = (v * derivative[:, None]) @ layer.weight.T
        return v
