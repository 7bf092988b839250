"""One epoch of gradient descent for the seeds that share a thread."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from aebench.models.images import Images
from aebench.training.ensemble import Ensemble
from aebench.training.schedules import factor

if TYPE_CHECKING:
    from aebench.config import Training
    from aebench.training.minimise import TrainingLoop

ERROR = "error"
"""The fraction of misclassified validation images, beside the terms."""
VALIDATION_BATCH = 2048
BLOCK = 2**18
"""Number of pixels per seed whose noise is drawn at once; a block has at least one batch."""


def block_size(x: Tensor, settings: "Training") -> int:
    """Return the number of images whose noise is drawn at once, a multiple of the batch size."""
    return max(1, BLOCK // x.shape[-1] // settings.batch_size) * settings.batch_size


class SeedGroup:
    """The seeds that one thread trains: an ensemble, their positions in the training run, and an optimiser."""

    def __init__(self, ensemble: Ensemble, positions: Tensor, loop: "TrainingLoop"):
        self.ensemble, self.positions, self.loop, self.settings = ensemble, positions, loop, loop.settings
        self.weights = ensemble.weights
        self.optimiser = _optimiser(self.settings, self.weights, ensemble.shapes)

    def run_epoch(self) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Train for one epoch and validate; return the means of the terms (S,) on training and on validation images.

        Those on validation images include `ERROR` if it is the criterion.
        """
        return self._train(self.loop.images), self._validate(self.loop.images.validation)

    def moments(self) -> dict[str, Tensor]:
        """Return the state of the optimiser by `<moment>/<name of the weights>`; without momentum, sgd has none."""
        states = {name: self.optimiser.state[rows] for name, rows in self.weights.items()}
        moments = {f"{moment}/{name}": value for name, state in states.items() for moment, value in state.items()}
        return {key: value for key, value in moments.items() if value is not None}

    def set_moments(self, values: dict[str, Tensor]) -> None:
        """Replace the state of the optimiser."""
        for key, value in values.items():
            moment, _, name = key.partition("/")
            self.optimiser.state[self.weights[name]][moment] = value

    def _train(self, images: Images) -> dict[str, Tensor]:
        epoch, n, size = self.loop.epoch, images.train.shape[-2], self.settings.batch_size
        order = [torch.randperm(n, generator=g, device=g.device) for g in self.ensemble.generators("batches", epoch)]
        generators, presentation = (self.ensemble.generators(stream, epoch) for stream in ("noise", "presentation"))
        sums: dict[str, Tensor] = {}
        batch, batches = 0, self.settings.batches(n)
        for block in torch.stack(order).split(block_size(images.train, self.settings), dim=1):
            noise = self.ensemble.draw(block.shape[1], generators, epoch / self.settings.epochs)
            for indices, *drawn in zip(*(part.split(size, dim=1) for part in (block, *noise)), strict=True):
                with torch.autocast(self.ensemble.device.type, torch.bfloat16, self.settings.precision == "bfloat16"):
                    terms = self.ensemble.terms(self._present(images, indices, presentation), tuple(drawn))
                self.optimiser.zero_grad()
                sum(terms.values()).sum().backward()
                self._set_learning_rate(factor(self.settings, epoch, batch, batches))
                self.optimiser.step()
                batch += 1
                _add(sums, terms, indices.shape[1])
        return {name: total / n for name, total in sums.items()}

    @torch.no_grad()
    def _validate(self, x: Tensor) -> dict[str, Tensor]:
        noise = self.ensemble.generators("validation")
        sums: dict[str, Tensor] = {}
        everything = torch.arange(x.shape[-2], device=x.device)
        for indices in everything.split(VALIDATION_BATCH) if len(everything) else ():
            batch = self._batch(x, indices.expand(len(self.positions), -1))
            terms = self.ensemble.terms(batch, self.ensemble.draw(len(indices), noise))
            if self.settings.criterion == ERROR:
                pairs = zip(self.ensemble.replicas(), batch, strict=True)
                terms |= {ERROR: torch.stack([replica(ERROR, images) for replica, images in pairs])}
            _add(sums, terms, len(indices))
        return {name: total / len(everything) for name, total in sums.items()}

    def _set_learning_rate(self, factor: float) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.learning_rate * factor

    def _present(self, images: Images, indices: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        """Return training images (S, b, d) at `indices` (S, b), drawn from their probabilities if these are given."""
        if images.probabilities is None:
            return self._batch(images.train, indices)
        probabilities = self._batch(images.probabilities, indices)
        uniform = [torch.rand(probabilities.shape[1:], generator=g, device=g.device) for g in generators]
        return (torch.stack(uniform) < probabilities).to(probabilities.dtype)

    def _batch(self, x: Tensor, indices: Tensor) -> Tensor:
        """Return images (S, b, d) at `indices` (S, b) of x (n, d), or of x (all seeds, n, d) at the seeds' positions."""
        return x[indices] if x.ndim == 2 else x[self.positions[:, None], indices]


def _optimiser(settings: "Training", weights: dict[str, Tensor], shapes: dict[str, torch.Size]) -> torch.optim.Optimizer:
    """Return the optimiser of weights (S, padded size) of these shapes; only matrices decay."""
    groups = [
        {"params": [rows for name, rows in weights.items() if (len(shapes[name]) > 1) == matrices], "weight_decay": decay}
        for matrices, decay in ((True, settings.weight_decay), (False, 0.0))
    ]
    if settings.optimiser == "adam":
        return torch.optim.Adam(groups, lr=settings.learning_rate, fused=True)
    nesterov = settings.optimiser == "nesterov"
    return torch.optim.SGD(groups, settings.learning_rate, settings.momentum, nesterov=nesterov, fused=True)


def _add(sums: dict[str, Tensor], terms: dict[str, Tensor], n: int) -> None:
    for name, values in terms.items():
        sums[name] = sums.get(name, 0) + n * values.detach().float()
