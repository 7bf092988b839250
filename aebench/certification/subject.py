"""What is certified: a model in float64, at weights that have seen an epoch, on images with exact 0s and 1s among them."""

from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from aebench import models
from aebench.certification.oracles import ORACLES
from aebench.params import Training
from aebench.randomness import Streams
from aebench.runs import History
from aebench.training.ensemble import Ensemble
from aebench.training.minimise import Descent

SEED = 0
EPOCH = Training(epochs=1, batch_size=16, learning_rate=0.01)
RAGGED = 37
"""Images where their number does not matter."""
BATCHES = ((1, 1.0), (RAGGED, 0.3), (100, 1.0))
"""Numbers of images, each with the share of the training that is done: a schedule is somewhere, then at its end."""
SWITCHES = ("weight", "beta")
"""Parameters that at 0 take a penalty away."""


class Subject:
    """The model of a params block for images of `pixels` numbers; `path` is where the block was written, for errors."""

    def __init__(self, block: dict[str, Any], pixels: int, path: str):
        self.block, self.pixels, self.path = block, pixels, path
        self.kind = models.find(block, path)
        self._start = Ensemble(self._build, [SEED])

    def _build(self) -> models.Autoencoder:
        return models.build(self.block, self.pixels, self.path)

    @cached_property
    def model(self) -> models.Autoencoder:
        """Fitted in float32 by the engine, then held in float64."""
        images = _images(48, self.pixels, Streams(SEED).torch("split")).float()
        self._start.model.fit(self._start, models.Images(images[:40], images[40:]), _descend)
        with Streams(SEED).initialising():
            model = self._build().double()
        model.load_state_dict({name: value[0] for name, value in self._start.state.items()})
        return model

    @property
    def switched_off(self) -> bool:
        """Whether the block takes its penalty away."""
        return any(getattr(self.model.params, name, None) == 0 for name in SWITCHES)

    def batch(self, n: int = RAGGED, progress: float = 1.0) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Images (n, d) and the noise drawn for them, float64."""
        generator = Streams(SEED).torch("evaluation", n)
        x, noise = _images(n, self.pixels, generator), self.model.draw(n, generator, progress)
        return x, tuple(part.double() if part.is_floating_point() else part for part in noise)

    def terms(self, x: Tensor, noise: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """The model's terms, of copies."""
        return self.model.terms(x.clone(), tuple(part.clone() for part in noise))

    @torch.no_grad()
    def values(self, x: Tensor, noise: tuple[Tensor, ...]) -> dict[str, float]:
        """The terms as numbers."""
        return {name: term.item() for name, term in self.terms(x, noise).items()}

    def expected(self, x: Tensor, noise: tuple[Tensor, ...]) -> dict[str, float] | None:
        """The terms as the oracle of the model calculates them; None if it has none."""
        name = self.block["kind"]
        oracle = ORACLES[name] if name in ORACLES else getattr(self.kind, "oracle", None)
        if oracle is None:
            return None
        weights = {name: value.numpy().copy() for name, value in self.model.state_dict().items()}
        told = oracle(self.model.params, weights, x.numpy().copy(), tuple(part.numpy().copy() for part in noise))
        return {name: float(np.asarray(term)) for name, term in told.items()}

    @cached_property
    def weights(self) -> Tensor:
        """Every weight that can be descended, in one row (P,)."""
        parameters = list(self.model.parameters())
        return parameters_to_vector(parameters).detach().clone() if parameters else torch.zeros(0)

    def gradients(self, n: int = RAGGED) -> dict[str, Tensor]:
        """Each term's gradient (P,) by autograd, at n images; zeros of a term that is detached from the weights."""
        parameters = list(self.model.parameters())
        return {name: _gradient(term, parameters) for name, term in self.terms(*self.batch(n)).items()}

    def beside(self, step: Tensor, n: int) -> dict[str, float]:
        """The terms at `weights` + `step` (P,), at the same n images."""
        vector_to_parameters(self.weights + step, self.model.parameters())
        try:
            return self.values(*self.batch(n))
        finally:
            vector_to_parameters(self.weights.clone(), self.model.parameters())


def _images(n: int, pixels: int, generator: torch.Generator) -> Tensor:
    uniform = torch.rand(n, pixels, generator=generator, dtype=torch.float64)
    return (1.5 * uniform - 0.25).clamp(0, 1)


def _descend(ensemble: Ensemble, images: models.Images, changes: Any = None) -> History:
    descent = Descent(ensemble, images, EPOCH)
    descent.run_epoch()
    return descent.finish()


def _gradient(term: Tensor, parameters: list[Tensor]) -> Tensor:
    if not term.requires_grad:
        return torch.zeros(sum(p.numel() for p in parameters), dtype=torch.float64)
    parts = torch.autograd.grad(term, parameters, retain_graph=True, allow_unused=True, materialize_grads=True)
    return parameters_to_vector(parts)
