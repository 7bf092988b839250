"""Tied weights: a decoder with the transposed weights of the encoder (Vincent et al. 2010).

h_{l-1} = f(h_l W_lᵀ + c_l), with W_l (inputs, outputs) of the encoder and separate biases c_l (inputs,), initialised to 0
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from aebench.models.activations import ACTIVATIONS, Activation
from aebench.models.layers import Dense


class TiedDecoder(nn.Module):
    """A decoder with layer widths `sizes`, with `activation` between layers and none after the last."""

    def __init__(self, sizes: Sequence[int], activation: Activation):
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        self.biases = nn.ParameterList(torch.zeros(size) for size in sizes[1:])

    def forward(self, h: Tensor, encoder: Dense) -> Tensor:
        """Return the pre-activations of the last layer: (n, k) -> (n, d)."""
        for bias, layer in zip(self.biases[:-1], reversed(encoder.layers[1:]), strict=True):
            h = self.activation(h @ layer.weight.T + bias)
        return h @ encoder.layers[0].weight.T + self.biases[-1]
