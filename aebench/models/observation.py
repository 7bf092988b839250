"""Observation models: the distribution p(x|z), whose mean is the decoder's output x̂ = g(z); -log p(x|z) = error / c + constant.

    bernoulli   error = -sum_j [x_j log x̂_j + (1 - x_j) log(1 - x̂_j)],   c = 1
    gaussian    error = ‖x - x̂‖²,   c = 2 s²,   constant d/2 log(2π s²);   s² fixed, or learnt (Rybkin et al. 2021)

x, x̂ (..., d) in [0, 1]; z (..., k). -log p(x|z) is in nats, summed over pixels. The learnt s² is optimal at the mean squared
error per pixel. Limit: as s² increases, the error becomes negligible compared with the other terms of a loss.
"""

import math
from typing import Literal

import torch
from pydantic import PositiveFloat
from torch import Tensor, nn

from aebench import objectives
from aebench.models.base import Autoencoder
from aebench.models.layers import EncoderSettings


class ObservationSettings(EncoderSettings):
    """`variance` is s², for `gaussian` only."""

    observation: Literal["bernoulli", "gaussian"] = "bernoulli"
    variance: PositiveFloat | Literal["learnt"] = 0.5


class ObservationModel(Autoencoder):
    """An autoencoder whose `decoder` returns the logits of the mean of p(x|z); `decode` applies the sigmoid."""

    def __init__(self, settings: ObservationSettings, pixels: int):
        super().__init__(settings, pixels)
        learnt = settings.variance == "learnt"
        self.log_variance = nn.Parameter(torch.tensor(math.log(0.5))) if learnt else math.log(settings.variance)

    def decode(self, h: Tensor) -> Tensor:
        """Return the mean of p(x|z): (..., k) -> (..., d)."""
        return torch.sigmoid(self.decoder(h))

    def nll(self, x: Tensor, z: Tensor) -> Tensor:
        """Return -log p(x|z) in nats: (..., d) and (..., k) -> (...)."""
        if self.settings.observation == "bernoulli":
            return objectives.bernoulli_nll(x, self.decoder(z))
        return objectives.gaussian_nll(x, self.decode(z), self.log_variance)

    def scale(self) -> Tensor:
        """Return c: 1 for `bernoulli`, 2 s² for `gaussian`, with the trained s² if it is learnt."""
        gaussian = self.settings.observation == "gaussian"
        return 2 * torch.as_tensor(self.log_variance).exp() if gaussian else torch.ones(())
