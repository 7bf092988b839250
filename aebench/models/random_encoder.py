"""Random encoder: an untrained encoder with the best linear decoder, a baseline that shows what training adds.

    h = f(x),   x̂ = [h, 1] B,   B (k + 1, d) by least squares

x (n, d), h (n, k); f keeps its initial random weights. B is fitted to the training and validation images together,
in float64 and on the CPU: on CUDA, least squares requires codes of full rank.
"""

import torch
from torch import Tensor

from aebench.models.baselines import Baseline
from aebench.models.images import Images
from aebench.models.layers import Dense, EncoderSettings
from aebench.storage import History


class RandomEncoder(Baseline):
    """The initial encoder of a vanilla autoencoder, and a linear decoder."""

    Settings = EncoderSettings

    def __init__(self, settings: EncoderSettings, pixels: int):
        super().__init__(settings, pixels)
        self.encoder = Dense([pixels, *settings.hidden, settings.latent_dim], settings.activation)
        self.register_buffer("readout", torch.zeros(settings.latent_dim + 1, pixels))

    def encode(self, x: Tensor) -> Tensor:
        """Return the pre-activations (n, k) of the last layer for images (n, d)."""
        return self.encoder(x)

    def decode(self, h: Tensor) -> Tensor:
        """Return the reconstructions (n, d) of codes (n, k), not limited to [0, 1]."""
        return h @ self.readout[:-1] + self.readout[-1]

    def fit(self, ensemble, images: Images, minimise) -> History:
        """Fit B for each seed."""
        for replica in ensemble.replicas():
            h = replica("encode", images.both)
            h = torch.cat([h, torch.ones_like(h[:, :1])], 1)
            # Singular values below this fraction of the largest are rounding noise.
            rounding = max(h.shape) * torch.finfo(h.dtype).eps
            inputs, targets = h.double().cpu(), images.both.double().cpu()
            solution = torch.linalg.lstsq(inputs, targets, rcond=rounding, driver="gelsd").solution  # by SVD: the rank is exact
            replica.state["readout"].copy_(solution + 0.0)  # turns -0 into 0: the sign varies where a pixel is always 0
        return History()
