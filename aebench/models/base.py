"""The interface of all models. A model returns a dictionary of named loss terms, whose sum is the loss.

A model is written for one seed; all seeds are trained at once. Random numbers, and values that change during training, come
from `draw`, so `terms` is a pure function. n images, d pixels, k = latent_dim; terms are means over images.
"""

from typing import Any, ClassVar

from pydantic import Field
from torch import Generator, Tensor, nn

from aebench.config import Schema
from aebench.models.images import Images
from aebench.storage import History


class ModelSettings(Schema):
    """Settings common to all models. `training` overrides the training settings of the data set."""

    kind: str
    training: dict[str, Any] = Field(default_factory=dict)


class Autoencoder(nn.Module):
    """Base class of models. Subclasses define `encode` (or `posterior`), `decode` and `terms`."""

    Settings: ClassVar[type[ModelSettings]] = ModelSettings
    stochastic: ClassVar[bool] = True  # False: the fit does not depend on the seed, so one replica suffices
    signed: ClassVar[frozenset[str]] = frozenset()  # terms that may be negative, such as log-densities
    missing: ClassVar[dict[str, str]] = {}  # what the model lacks -> reason (see external/adapter.py)
    latent_dim = property(lambda self: self.settings.latent_dim, doc="Number of units of a code, k.")
    size = property(lambda self: sum(v.numel() for v in self.state_dict().values()), doc="Number of weights and buffers.")

    def __init__(self, settings: ModelSettings, pixels: int):
        super().__init__()
        self.settings, self.pixels = settings, pixels
        self.facts: dict[str, Any] = {}  # shown in the tables next to the settings

    def encode(self, x: Tensor) -> Tensor:
        """Return the deterministic codes (n, k) of images (n, d), by default the means of q(z|x)."""
        return self.posterior(x)[0]

    def decode(self, h: Tensor) -> Tensor:
        """Return the reconstructions (n, d) of codes (n, k)."""
        raise NotImplementedError

    def draw(self, n: int, generator: Generator, progress: float = 1.0) -> tuple[Tensor, ...]:
        """Draw noise for n images: tensors of length n. `progress` is the fraction of epochs completed; 1 during validation."""
        return ()

    def terms(self, x: Tensor, noise: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Return the scalar loss terms by name. `terms` must not modify x (n, d)."""
        raise NotImplementedError

    def posterior(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return mean and log-variance, each (n, k), of a Gaussian q(z|x); empty if the code is deterministic."""
        return ()

    def nll(self, x: Tensor, z: Tensor) -> Tensor | None:
        """Return -log p(x|z) in nats: (..., d) and (..., k) -> (...); None if the model has no likelihood."""

    def prior(self, n: int, generator: Generator) -> Tensor | None:
        """Draw n samples (n, k) of the prior p(z); None if the model has no prior."""

    def effective_beta(self) -> Tensor | None:
        """Return the weight of the divergence relative to the error (see variational.py); None without a divergence."""

    def fit(self, ensemble: Any, images: Images, minimise: Any) -> History:
        """Fit all replicas by `minimise(ensemble, images)`; a third argument replaces the model's own `training` settings."""
        return minimise(ensemble, images)
