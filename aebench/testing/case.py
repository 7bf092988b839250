"""The object of the checks: a model in float64, trained for one epoch on images that include exact 0s and 1s."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from aebench import models
from aebench.config import Training
from aebench.randomness import Streams
from aebench.training.ensemble import Ensemble
from aebench.training.minimise import TrainingLoop

Oracle = Callable[..., dict[str, float]]
"""An independent calculation of the terms; `aebench.testing` describes its arguments."""
SEED = 0
TRAINING = Training(epochs=1, batch_size=16, learning_rate=0.01)
RAGGED = 37
"""A number of images that is not a multiple of the batch size."""
BATCHES = ((1, 1.0), (RAGGED, 0.3), (100, 1.0))
"""Pairs of a number of images and a fraction of training, so that schedules are checked midway and at their end."""
WEIGHTS = ("weight", "beta")
"""Settings whose value 0 removes a penalty."""


class Case:
    """A model built from its settings for images with `pixels` pixels."""

    def __init__(self, settings: dict[str, Any], pixels: int, path: str, oracle: Oracle | None):
        self.settings, self.pixels, self.path = settings, pixels, path
        self.kind = models.find(settings, path)
        self.oracle = oracle or getattr(self.kind, "oracle", None)
        self._ensemble = Ensemble(self._build, [SEED])

    def _build(self) -> models.Autoencoder:
        return models.build(self.settings, self.pixels, self.path)

    @cached_property
    def model(self) -> models.Autoencoder:
        """The model, fitted in float32 by the training engine and then converted to float64."""
        images = _images(48, self.pixels, Streams(SEED).torch("split")).float()
        self._ensemble.model.fit(self._ensemble, models.Images(images[:40], images[40:]), _minimise)
        with Streams(SEED).initialising():
            model = self._build().double()
        model.load_state_dict({name: value[0] for name, value in self._ensemble.state.items()})
        return model

    def encode_and_decode(self) -> None:
        """Encode and decode images with the initial weights; raises `InputError` if a result has a wrong shape."""
        replica = next(self._ensemble.replicas())
        replica("decode", replica("encode", _images(RAGGED, self.pixels, Streams(SEED).torch("split")).float()))

    @property
    def unpenalised(self) -> bool:
        """Whether the settings give a penalty the weight 0."""
        return any(getattr(self.model.settings, name, None) == 0 for name in WEIGHTS)

    def batch(self, n: int = RAGGED, progress: float = 1.0) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Images (n, d) and the noise drawn for them, float64."""
        generator = Streams(SEED).torch("evaluation", n)
        x, noise = _images(n, self.pixels, generator), self.model.draw(n, generator, progress)
        return x, tuple(part.double() if part.is_floating_point() else part for part in noise)

    def terms(self, x: Tensor, noise: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """The model's terms, computed from copies of x and the noise."""
        return self.model.terms(x.clone(), tuple(part.clone() for part in noise))

    @torch.no_grad()
    def values(self, x: Tensor, noise: tuple[Tensor, ...]) -> dict[str, float]:
        """The values of the terms."""
        return {name: term.item() for name, term in self.terms(x, noise).items()}

    def expected(self, x: Tensor, noise: tuple[Tensor, ...]) -> dict[str, float]:
        """The terms as the oracle calculates them."""
        weights = {name: value.numpy().copy() for name, value in self.model.state_dict().items()}
        terms = self.oracle(self.model.settings, weights, x.numpy().copy(), tuple(part.numpy().copy() for part in noise))
        return {name: float(np.asarray(term)) for name, term in terms.items()}

    @cached_property
    def weights(self) -> Tensor:
        """All trainable weights in one vector (P,)."""
        parameters = list(self.model.parameters())
        return parameters_to_vector(parameters).detach().clone() if parameters else torch.zeros(0)

    def gradients(self, n: int = RAGGED) -> dict[str, Tensor]:
        """Gradient (P,) of each term for n images by autograd; zeros for a term that does not depend on the weights."""
        parameters = list(self.model.parameters())
        return {name: _gradient(term, parameters) for name, term in self.terms(*self.batch(n)).items()}

    def values_at(self, step: Tensor, n: int) -> dict[str, float]:
        """Values of the terms for n images with the weights `weights` + `step` (P,)."""
        vector_to_parameters(self.weights + step, self.model.parameters())
        try:
            return self.values(*self.batch(n))
        finally:
            vector_to_parameters(self.weights.clone(), self.model.parameters())


def _images(n: int, pixels: int, generator: torch.Generator) -> Tensor:
    uniform = torch.rand(n, pixels, generator=generator, dtype=torch.float64)
    return (1.5 * uniform - 0.25).clamp(0, 1)


def _minimise(ensemble: Ensemble, images: models.Images, changes: Any = None) -> Any:
    loop = TrainingLoop(ensemble, images, TRAINING)
    loop.run_epoch()
    return loop.finish()


def _gradient(term: Tensor, parameters: list[Tensor]) -> Tensor:
    if not term.requires_grad:
        return torch.zeros(sum(p.numel() for p in parameters), dtype=torch.float64)
    parts = torch.autograd.grad(term, parameters, retain_graph=True, allow_unused=True, materialize_grads=True)
    return parameters_to_vector(parts)
