"""The only gradient loop: Adam on mini-batches, every seed with its own order and noise, all seeds in one product.

Images stay on the device; an epoch is a permutation of them, its last batch may be ragged and counts by its size. After
each epoch every seed is validated; the epoch of least validation loss is kept, and a seed that has not improved for
`patience` epochs leaves the stack. Without validation images the last epoch is kept. Nothing depends on where a training
was interrupted: order and noise of an epoch come from streams named by it, the rest is in the checkpoint.
"""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from aebench.params import Training
from aebench.runs import History
from aebench.training.checkpoint import Checkpoint
from aebench.training.ensemble import Ensemble

VALIDATION_BLOCK = 2048


def minimise(ensemble: Ensemble, images: Any, settings: Training, checkpoint: Checkpoint | None = None) -> History:
    """Descend the sum of the model's terms; the ensemble ends with each seed's best weights.

    `images` has `train` and `validation` on the ensemble's device: (n, d), or (S, n, d) where each seed has its own. With a
    `checkpoint` the training is saved now and then, and goes on, bit for bit, from where an earlier process was killed.
    """
    descent = Descent(ensemble, images, settings)
    if checkpoint:
        checkpoint.restore(descent)
    with tqdm(total=settings.epochs, initial=descent.epoch, unit="epoch", desc="training", mininterval=0.5) as bar:
        while descent.active:
            descent.run_epoch()
            bar.set_postfix_str(descent.progress(), refresh=False)
            bar.update()
            if checkpoint:
                checkpoint.save_if_due(descent)
    history = descent.finish()
    if checkpoint:
        checkpoint.remove()
    return history


class Descent:
    """A training between two epochs: `active` seeds' weights in the ensemble, everyone's best weights here."""

    def __init__(self, ensemble: Ensemble, images: Any, settings: Training):
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
        """One pass over the training images, validation, selection and stopping."""
        train = self._train()
        validation = self._validate()
        self.epoch += 1
        self._record("train", train)
        if validation:
            self._record("validation", validation)
        self._select(sum(validation.values()) if validation else -self.epoch)

    def progress(self) -> str:
        """What the bar shows: mean losses of the running seeds, and how many run."""
        losses = {name.removesuffix(".loss"): values[-1] for name, values in self.history.items() if name.endswith(".loss")}
        told = ", ".join(f"{name} {np.nanmean(loss):.4g}" for name, loss in losses.items())
        return f"{told}, seeds {len(self.active)}/{len(self.seeds)}"

    def finish(self) -> History:
        """Load each seed's best weights into the ensemble and tell what happened."""
        self.ensemble.become(self.seeds, self.best_state)
        terms = {name: torch.stack(values).numpy() for name, values in self.history.items()}
        return History(terms, self.best_epoch.numpy(), self.updates.numpy(), self.earlier)

    def adam(self) -> torch.optim.Adam:
        """A fresh optimiser of the active seeds' weights."""
        return torch.optim.Adam([self.ensemble.weights], lr=self.settings.learning_rate, fused=True)

    def _rate(self) -> float:
        factor = (
            1.0 if self.settings.schedule == "constant" else (1 + math.cos(math.pi * self.epoch / self.settings.epochs)) / 2
        )
        return self.settings.learning_rate * factor

    def _train(self) -> dict[str, Tensor]:
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate()
        x = self.images.train
        n, progress = x.shape[-2], self.epoch / self.settings.epochs
        order = [torch.randperm(n, generator=g, device=g.device) for g in self.ensemble.generators("batches", self.epoch)]
        noise = self.ensemble.generators("noise", self.epoch)
        sums: dict[str, Tensor] = {}
        for rows in torch.stack(order).split(self.settings.batch_size, dim=1):
            terms = self.ensemble.terms(self._batch(x, rows), self.ensemble.draw(rows.shape[1], noise, progress))
            self.optimiser.zero_grad()
            sum(terms.values()).sum().backward()
            self.optimiser.step()
            _add(sums, terms, rows.shape[1])
        self.updates[self.active] += math.ceil(n / self.settings.batch_size)
        return {name: total / n for name, total in sums.items()}

    @torch.no_grad()
    def _validate(self) -> dict[str, Tensor]:
        noise = self.ensemble.generators("validation")
        sums: dict[str, Tensor] = {}
        everyone = torch.arange(self.images.validation.shape[-2], device=self.ensemble.device)
        for rows in everyone.split(VALIDATION_BLOCK) if len(everyone) else ():
            x = self._batch(self.images.validation, rows.expand(len(self.active), -1))
            _add(sums, self.ensemble.terms(x, self.ensemble.draw(len(rows), noise)), len(rows))
        return {name: total / len(everyone) for name, total in sums.items()}

    def _batch(self, x: Tensor, rows: Tensor) -> Tensor:
        """Each active seed's rows (S, b) of the images that all share (n, d), or of its own (seeds, n, d)."""
        return x[rows] if x.ndim == 2 else x[torch.tensor(self.active, device=x.device)[:, None], rows]

    def _record(self, part: str, terms: dict[str, Tensor]) -> None:
        for name, values in (terms | {"loss": sum(terms.values())}).items():
            line = torch.full((len(self.seeds),), math.nan, dtype=torch.float64)
            line[self.active] = values.double().cpu()
            self.history.setdefault(f"{part}.{name}", []).append(line)

    def _select(self, losses: Tensor | int) -> None:
        losses = torch.as_tensor(losses, dtype=torch.float64).cpu().expand(len(self.active))
        better = (losses < self.best_loss[self.active]).nonzero().flatten().tolist()
        seeds = [self.active[p] for p in better]
        self.best_loss[seeds] = losses[better]
        self.best_epoch[seeds] = self.epoch
        for name, value in self.ensemble.state.items():
            self.best_state[name][seeds] = value[better]
        self._stop()

    def _stop(self) -> None:
        patience = self.settings.patience or self.settings.epochs
        going = [p for p, s in enumerate(self.active) if self.epoch - self.best_epoch[s] < patience]
        if self.epoch == self.settings.epochs:
            going = []
        if len(going) < len(self.active):
            self.keep(going)

    def keep(self, positions: list[int]) -> None:
        """Go on with the active seeds at these positions; Adam's moments go with them."""
        moments = self.optimiser.state[self.ensemble.weights]
        self.active = [self.active[p] for p in positions]
        self.ensemble.keep(positions)
        self.optimiser = self.adam()
        self.optimiser.state[self.ensemble.weights] = {k: v[positions] if v.ndim else v for k, v in moments.items()}


def _add(sums: dict[str, Tensor], terms: dict[str, Tensor], n: int) -> None:
    for name, values in terms.items():
        sums[name] = sums.get(name, 0) + n * values.detach()
