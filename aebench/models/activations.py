"""Activations f(z) and their derivatives f'(z), both as elementwise functions of the pre-activation z.

silu   z σ(z) (Elfwing, Uchibe & Doya 2018)        gelu   z Φ(z), Φ: standard normal distribution (Hendrycks & Gimpel 2016)
"""

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import gelu, silu, softplus

Activation = Literal["linear", "relu", "silu", "gelu", "sigmoid", "softplus", "tanh"]
RECTIFIERS = ("relu", "silu", "gelu")
"""Activations that pass about half of their input, so that the weights before them have twice the variance."""
ACTIVATIONS = {
    "linear": lambda z: z,
    "relu": torch.relu,
    "silu": silu,
    "gelu": gelu,
    "sigmoid": torch.sigmoid,
    "softplus": softplus,
    "tanh": torch.tanh,
}


def _silu_derivative(z: Tensor) -> Tensor:
    s = torch.sigmoid(z)
    return s * (1 + z * (1 - s))


def _gelu_derivative(z: Tensor) -> Tensor:
    return torch.special.ndtr(z) + z * (-z.square() / 2).exp() / math.sqrt(2 * math.pi)


DERIVATIVES = {
    "linear": torch.ones_like,
    "relu": lambda z: (z > 0).to(z.dtype),
    "silu": _silu_derivative,
    "gelu": _gelu_derivative,
    "sigmoid": lambda z: torch.sigmoid(z) * torch.sigmoid(-z),
    "softplus": torch.sigmoid,
    "tanh": lambda z: 1 - torch.tanh(z).square(),
}
