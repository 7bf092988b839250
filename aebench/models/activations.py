"""Activations f(z) and their derivatives f'(z), both as elementwise functions of the pre-activation z."""

from typing import Literal

import torch
from torch.nn.functional import softplus

Activation = Literal["linear", "relu", "sigmoid", "softplus", "tanh"]
ACTIVATIONS = {
    "linear": lambda z: z,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "softplus": softplus,
    "tanh": torch.tanh,
}
DERIVATIVES = {
    "linear": torch.ones_like,
    "relu": lambda z: (z > 0).to(z.dtype),
    "sigmoid": lambda z: torch.sigmoid(z) * torch.sigmoid(-z),
    "softplus": torch.sigmoid,
    "tanh": lambda z: 1 - torch.tanh(z).square(),
}
