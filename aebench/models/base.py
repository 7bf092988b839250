"""The interface of all models: a dictionary of named loss terms, whose sum is the loss.

A model is written for one seed and one batch; `aebench.training` trains all seeds at once. The randomness of a batch is an
argument: `draw` takes it from the seed's own generator, so `terms` is a pure function of weights, images and noise. What
changes during training (a corruption level, a weight that warms up) is part of the noise too.
Shapes: n images, d pixels, k = latent_dim. Terms are means over images; reconstruction errors are summed over pixels.
"""

from typing import Any, ClassVar, NamedTuple

import torch
from pydantic import Field
from torch import Generator, Tensor, nn

from aebench.config import Schema
from aebench.storage import History


class ModelSettings(Schema):
    """Settings of every model. `training` overrides the training settings of the data set."""

    kind: str
    training: dict[str, Any] = Field(default_factory=dict)


class Images(NamedTuple):
    """Unlabelled images to fit a model to: (n, d), or (S, n, d) if each of S seeds has its own (codes of a lower layer)."""

    train: Tensor
    validation: Tensor  # selects the best epoch

    @property
    def both(self) -> Tensor:
        """Training and validation images, concatenated, for fits that select nothing."""
        return torch.cat(self, -2)


class Autoencoder(nn.Module):
    """Base class. Subclasses define `encode` (or `posterior`), `decode` and `terms`."""

    Settings: ClassVar[type[ModelSettings]] = ModelSettings
    stochastic: ClassVar[bool] = True  # False: the fit does not depend on the seed, so one replica is enough
    signed: ClassVar[frozenset[str]] = frozenset()  # terms that may be negative, such as log-densities
    latent_dim = property(lambda self: self.settings.latent_dim, doc="k, the number of units of a code.")

    def __init__(self, settings: ModelSettings, pixels: int):
        super().__init__()
        self.settings, self.pixels = settings, pixels
        self.facts: dict[str, Any] = {}  # reported in the tables beside the settings

    def encode(self, x: Tensor) -> Tensor:
        """(n, d) -> (n, k): the deterministic code, by default the mean of q(z|x)."""
        return self.posterior(x)[0]

    def decode(self, h: Tensor) -> Tensor:
        """(n, k) -> (n, d): the reconstruction."""
        raise NotImplementedError

    def draw(self, n: int, generator: Generator, progress: float = 1.0) -> tuple[Tensor, ...]:
        """Noise for n images, tensors of length n. `progress` in [0, 1] is the fraction of epochs done; 1 in validation."""
        return ()

    def terms(self, x: Tensor, noise: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Scalar loss terms by name. x (n, d) must not be modified."""
        raise NotImplementedError

    def posterior(self, x: Tensor) -> tuple[Tensor, ...]:
        """Mean and log-variance, each (n, k), of a Gaussian q(z|x); empty if the code is deterministic."""
        return ()

    def nll(self, x: Tensor, z: Tensor) -> Tensor | None:
        """-log p(x|z) in nats: (..., d) and (..., k) -> (...); None if the model has no likelihood."""

    def prior(self, n: int, generator: Generator) -> Tensor | None:
        """n samples (n, k) of the prior p(z); None if the model has no prior."""

    def fit(self, ensemble: Any, images: Images, minimise: Any) -> History:
        """Fit all replicas by `minimise(ensemble, images)`; a third argument replaces the model's own `training` settings."""
        return minimise(ensemble, images)
