"""The contract of a model: a dictionary of named loss terms whose sum is its loss.

A model is written for one seed and one batch; `aebench.training` lifts it over all seeds at once. Randomness comes in as
an argument, drawn by `draw` from the seed's own stream, so that `terms` is a pure function of weights, images and noise. What
changes while training (a level, a weight that warms up) is drawn too: `terms` has no memory.

Shapes: n images, d pixels, k code units. Units: every term is a mean over images; reconstruction is summed over pixels.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Generator, Tensor, nn

from aebench.params import Schema
from aebench.runs import History


class ModelParams(Schema):
    """What every model's block may say: its kind, and what it changes of the data set's `training`."""

    kind: str
    training: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True)
class Images:
    """Unlabelled images (n, d) for fitting, or (S, n, d) where each seed has its own (codes of a layer below).

    Epochs are chosen on `validation`; what chooses nothing may use `both`.
    """

    train: Tensor
    validation: Tensor

    @cached_property
    def both(self) -> Tensor:
        """Train, then validation, for closed forms."""
        return torch.cat([self.train, self.validation], -2)


class Autoencoder(nn.Module):
    """A model of images of `pixels` numbers. Subclasses give `code` (k) and override what is theirs."""

    Params: ClassVar[type[ModelParams]] = ModelParams
    stochastic: ClassVar[bool] = True
    """False if the fit does not depend on the seed: then one replica is fitted, and its numbers are exact."""
    signed: ClassVar[frozenset[str]] = frozenset()
    """Terms that may be negative: logs of densities."""

    def __init__(self, params: ModelParams, pixels: int):
        super().__init__()
        self.params, self.pixels = params, pixels
        self.facts: dict[str, Any] = {}
        """What a reader of the tables should know of this row beyond its parameters."""

    @property
    def code(self) -> int:
        """k, the numbers in a code."""
        return self.params.code

    def encode(self, x: Tensor) -> Tensor:
        """(n, d) -> (n, k): the deterministic code; a distribution's is its mean, and then this need not be written."""
        return self.posterior(x)[0]

    def decode(self, h: Tensor) -> Tensor:
        """(n, k) -> (n, d): the reconstruction."""
        raise NotImplementedError

    def draw(self, n: int, generator: Generator, progress: float = 1.0) -> tuple[Tensor, ...]:
        """What `terms` needs for n images beside them: tensors with n rows.

        `progress` in [0, 1] is the share of the epochs that is done; validation and evaluation are at 1.
        """
        return ()

    def terms(self, x: Tensor, noise: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Scalars by name, whose sum is the loss; x (n, d) stays as it is."""
        raise NotImplementedError

    def posterior(self, x: Tensor) -> tuple[Tensor, ...]:
        """Mean and log-variance (n, k) of the code's distribution q(z|x), a Gaussian; an empty tuple if a code is a point."""
        return ()

    def nll(self, x: Tensor, z: Tensor) -> Tensor | None:
        """-log p(x|z) in nats of images (..., d) and codes (..., k) -> (...); None if the model has no density."""
        return None

    def prior(self, n: int, generator: Generator) -> Tensor | None:
        """n codes (n, k) of the distribution that the model was trained to decode; None if it has none."""
        return None

    def fit(self, ensemble: Any, images: Images, minimise: Callable[..., History]) -> History:
        """Fit every replica of `ensemble`; the default descends the loss.

        `minimise(ensemble, images)` does; with a third argument, `changes` of the data set's settings, in their place.
        """
        return minimise(ensemble, images)
