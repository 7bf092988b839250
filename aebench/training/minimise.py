"""The training loop of all models: Adam on mini-batches, for all seeds at once.

Images stay on the device. Each seed has its own order of images and its own noise. Each epoch uses the images once, in
random order; the last batch may be smaller, and epoch means are weighted by batch size. After each epoch every seed is
validated, and its weights with the lowest validation loss are kept; a seed without improvement for `patience` epochs stops.
Without validation images the final weights are kept. Random streams are indexed by epoch, so an interrupted training run can
be resumed with bit-identical results.
"""

import math

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from aebench.config import Training
from aebench.models.base import Images
from aebench.storage import History
from aebench.training.checkpoint import Checkpoint
from aebench.training.ensemble import Ensemble

VALIDATION_BATCH = 2048


def minimise(ensemble: Ensemble, images: Images, settings: Training, checkpoint: Checkpoint | None = None) -> History:
    """Minimise the sum of the model's terms; the ensemble ends with the best weights of each seed.

    Images are on the ensemble's device: (n, d), or (S, n, d) if each seed has its own. With a `checkpoint` the state is
    saved regularly, and an interrupted training run is resumed with bit-identical results.
    """
    loop = TrainingLoop(ensemble, images, settings)
    if checkpoint:
        checkpoint.restore(loop)
    with tqdm(total=settings.epochs, initial=loop.epoch, unit="epoch", desc="training", mininterval=0.5) as bar:
        while loop.active:
            loop.run_epoch()
            bar.set_postfix_str(loop.progress(), refresh=False)
            bar.update()
            if checkpoint:
                checkpoint.save_if_due(loop)
    history = loop.finish()
    if checkpoint:
        checkpoint.remove()
    return history


class TrainingLoop:
    """The state of a training run between two epochs.

    The ensemble holds the current weights of the `active` seeds (positions in `seeds`); `best_state` holds the best weights
    of all seeds.
    """

    def __init__(self, ensemble: Ensemble, images: Images, settings: Training):
        self.ensemble, self.images, self.settings = ensemble, images, settings
        self.seeds = list(ensemble.seeds)
        self.active = list(range(len(self.seeds)))
        self.epoch, self.earlier = 0, 0.0
        self.best_state = {name: value.clone() for name, value in ensemble.state.items()}
        self.best_loss = torch.full((len(self.seeds),), math.inf, dtype=torch.float64)
        self.best_epoch = torch.zeros(len(self.seeds), dtype=torch.int64)
        self.updates = torch.zeros(len(self.seeds), dtype=torch.int64)
        self.history: dict[str, list[Tensor]] = {}
        self.optimiser = self.adam()

    def run_epoch(self) -> None:
        """Train for one epoch, validate, keep the best weights, and stop seeds that have not improved."""
        train = self._train()
        validation = self._validate()
        self.epoch += 1
        self._record("train", train)
        if validation:
            self._record("validation", validation)
        self._keep_best(sum(validation.values()) if validation else -self.epoch)
        self._stop()

    def progress(self) -> str:
        """Return the text for the progress bar: mean losses and the number of active seeds."""
        losses = {name.removesuffix(".loss"): epochs[-1] for name, epochs in self.history.items() if name.endswith(".loss")}
        means = ", ".join(f"{split} {np.nanmean(loss):.4g}" for split, loss in losses.items())
        return f"{means}, seeds {len(self.active)}/{len(self.seeds)}"

    def finish(self) -> History:
        """Load the best weights of each seed into the ensemble and return the history."""
        self.ensemble.set_state(self.seeds, self.best_state)
        terms = {name: torch.stack(epochs).numpy() for name, epochs in self.history.items()}
        return History(terms, self.best_epoch.numpy(), self.updates.numpy(), self.earlier)

    def adam(self) -> torch.optim.Adam:
        """Return a new optimiser for the weights of the active seeds."""
        return torch.optim.Adam([self.ensemble.weights], lr=self.settings.learning_rate, fused=True)

    def _learning_rate(self) -> float:
        cosine = (1 + math.cos(math.pi * self.epoch / self.settings.epochs)) / 2
        return self.settings.learning_rate * (1.0 if self.settings.schedule == "constant" else cosine)

    def _train(self) -> dict[str, Tensor]:
        for group in self.optimiser.param_groups:
            group["lr"] = self._learning_rate()
        x = self.images.train
        n, progress = x.shape[-2], self.epoch / self.settings.epochs
        order = [torch.randperm(n, generator=g, device=g.device) for g in self.ensemble.generators("batches", self.epoch)]
        noise = self.ensemble.generators("noise", self.epoch)
        sums: dict[str, Tensor] = {}
        for indices in torch.stack(order).split(self.settings.batch_size, dim=1):
            terms = self.ensemble.terms(self._batch(x, indices), self.ensemble.draw(indices.shape[1], noise, progress))
            self.optimiser.zero_grad()
            sum(terms.values()).sum().backward()
            self.optimiser.step()
            _add(sums, terms, indices.shape[1])
        self.updates[self.active] += math.ceil(n / self.settings.batch_size)
        return {name: total / n for name, total in sums.items()}

    @torch.no_grad()
    def _validate(self) -> dict[str, Tensor]:
        noise = self.ensemble.generators("validation")
        sums: dict[str, Tensor] = {}
        everything = torch.arange(self.images.validation.shape[-2], device=self.ensemble.device)
        for indices in everything.split(VALIDATION_BATCH) if len(everything) else ():
            x = self._batch(self.images.validation, indices.expand(len(self.active), -1))
            _add(sums, self.ensemble.terms(x, self.ensemble.draw(len(indices), noise)), len(indices))
        return {name: total / len(everything) for name, total in sums.items()}

    def _batch(self, x: Tensor, indices: Tensor) -> Tensor:
        """Return images (S, b, d) at `indices` (S, b) of the active seeds, from x (n, d) or from x (all seeds, n, d)."""
        return x[indices] if x.ndim == 2 else x[torch.tensor(self.active, device=x.device)[:, None], indices]

    def _record(self, split: str, terms: dict[str, Tensor]) -> None:
        for name, values in (terms | {"loss": sum(terms.values())}).items():
            by_seed = torch.full((len(self.seeds),), math.nan, dtype=torch.float64)
            by_seed[self.active] = values.double().cpu()
            self.history.setdefault(f"{split}.{name}", []).append(by_seed)

    def _keep_best(self, losses: Tensor | int) -> None:
        losses = torch.as_tensor(losses, dtype=torch.float64).cpu().expand(len(self.active))
        better = (losses < self.best_loss[self.active]).nonzero().flatten().tolist()
        seeds = [self.active[p] for p in better]
        self.best_loss[seeds] = losses[better]
        self.best_epoch[seeds] = self.epoch
        for name, value in self.ensemble.state.items():
            self.best_state[name][seeds] = value[better]

    def _stop(self) -> None:
        """Remove the seeds that have finished; the others keep their Adam moments."""
        patience = self.settings.patience or self.settings.epochs
        going = [p for p, s in enumerate(self.active) if self.epoch - self.best_epoch[s] < patience]
        if self.epoch == self.settings.epochs:
            going = []
        if len(going) == len(self.active):
            return
        moments = self.optimiser.state[self.ensemble.weights]
        self.active = [self.active[p] for p in going]
        self.ensemble.keep(going)
        self.optimiser = self.adam()
        self.optimiser.state[self.ensemble.weights] = {k: v[going] if v.ndim else v for k, v in moments.items()}


def _add(sums: dict[str, Tensor], terms: dict[str, Tensor], n: int) -> None:
    for name, values in terms.items():
        sums[name] = sums.get(name, 0) + n * values.detach()
