"""Principal component analysis: the best linear autoencoder, in closed form (Pearson 1901; Hotelling 1933).

    h = C (x - m),  x̂ = C^T h + m,   C (k, d): leading eigenvectors of the covariance, m: the mean image

No linear code of k numbers has a lower squared error. Computed in float64 from train and validation together, since it
chooses nothing; each component's largest entry is made positive, so that signs do not depend on the machine.
"""

import torch
from pydantic import PositiveInt
from torch import Tensor

from aebench import objectives
from aebench.errors import InputError
from aebench.models.base import Autoencoder, Images, ModelParams
from aebench.runs import History


class PCAParams(ModelParams):
    """`code` components."""

    code: PositiveInt


class PCA(Autoencoder):
    """Mean m (d,) and components C (k, d)."""

    Params = PCAParams
    stochastic = False

    def __init__(self, params: PCAParams, pixels: int):
        super().__init__(params, pixels)
        if params.code > pixels:
            raise InputError(f"code of {params.kind} must be at most {pixels}, the pixels of an image, got {params.code}")
        self.register_buffer("mean", torch.zeros(pixels))
        self.register_buffer("components", torch.eye(params.code, pixels))

    def encode(self, x: Tensor) -> Tensor:
        """(n, d) -> (n, k)."""
        return (x - self.mean) @ self.components.T

    def decode(self, h: Tensor) -> Tensor:
        """(n, k) -> (n, d); may leave [0, 1]."""
        return h @ self.components + self.mean

    def terms(self, x: Tensor, noise: tuple) -> dict[str, Tensor]:
        """The squared error that PCA minimises."""
        return {"reconstruction": objectives.squared_error(x, self.decode(self.encode(x))).mean()}

    def fit(self, ensemble, images: Images, minimise) -> History:
        """Eigenvectors of the covariance of all images that are not for testing."""
        x = images.both.double()
        mean = x.mean(0)
        x = x - mean
        components = torch.linalg.eigh(x.T @ x).eigenvectors.flip(1)[:, : self.code].T
        largest = components.gather(1, components.abs().argmax(1, keepdim=True))
        ensemble.assign(mean=mean, components=components * largest.sign())
        return History()
