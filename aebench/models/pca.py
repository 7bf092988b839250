"""Principal component analysis: the best linear autoencoder, in closed form (Pearson 1901; Hotelling 1933).

    h = (x - m) C,   x̂ = h Cᵀ + m

x (n, d), h (n, k); m (d,) is the mean image, and the columns of C (d, k) are the leading eigenvectors of the covariance. No
linear code of k units has a smaller squared error. PCA needs no model selection, so it is fitted to the training and
validation images together, in float64. The largest entry of each component is made positive, so that signs do not depend on
the machine.
"""

import torch
from pydantic import PositiveInt
from torch import Tensor

from aebench.errors import InputError
from aebench.models.base import ModelSettings
from aebench.models.baselines import Baseline
from aebench.models.images import Images
from aebench.storage import History


class PCASettings(ModelSettings):
    """`latent_dim` is the number of components k, at most d."""

    latent_dim: PositiveInt


class PCA(Baseline):
    """Projection onto the principal subspace."""

    Settings = PCASettings
    stochastic = False

    def __init__(self, settings: PCASettings, pixels: int):
        super().__init__(settings, pixels)
        if (k := settings.latent_dim) > pixels:
            raise InputError(f"latent_dim must be at most {pixels}, the number of pixels of an image, got {k}")
        self.register_buffer("mean", torch.zeros(pixels))
        self.register_buffer("components", torch.eye(pixels, k))

    def encode(self, x: Tensor) -> Tensor:
        """Project images (n, d) onto the components: codes (n, k)."""
        return (x - self.mean) @ self.components

    def decode(self, h: Tensor) -> Tensor:
        """Return the reconstructions (n, d) of codes (n, k), not limited to [0, 1]."""
        return h @ self.components.T + self.mean

    def fit(self, ensemble, images: Images, minimise) -> History:
        """Compute the mean and the leading eigenvectors of the covariance."""
        x = images.both.double()
        mean = x.mean(0)
        x = x - mean
        components = torch.linalg.eigh(x.T @ x).eigenvectors.flip(1)[:, : self.latent_dim]
        largest = components.gather(0, components.abs().argmax(0, keepdim=True))
        ensemble.load({"mean": mean, "components": components * largest.sign()})
        return History()
