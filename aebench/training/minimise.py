"""The training loop of all models: Adam or SGD on mini-batches, for all seeds at once.

Images stay on the device. Each seed has its own order of images and its own noise. Each epoch uses the images once, in random
order; the last batch may be smaller, and epoch means are weighted by batch size. After each epoch every seed is validated, and
its weights with the lowest validation loss, or error, are kept; a seed without improvement for `patience` epochs stops. Without
validation images the final weights are kept. A seed fails, and stops, in the first epoch whose loss is NaN or infinite; its
weights become NaN, and the other seeds continue. Random streams are indexed by epoch, so an interrupted training run can be
resumed with bit-identical results.
"""

import math
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from aebench.config import Training
from aebench.errors import InputError
from aebench.models.images import Images
from aebench.storage import History
from aebench.training.checkpoint import Checkpoint
from aebench.training.device import flush_denormals
from aebench.training.ensemble import Ensemble
from aebench.training.memory import seeds_at_once
from aebench.training.seed_group import ERROR, SeedGroup


def minimise(
    ensemble: Ensemble, images: Images, settings: Training, checkpoint: Checkpoint | None = None, keep: bool = False
) -> History:
    """Minimise the sum of the model's terms; the ensemble ends with the best weights of each seed.

    Images are on the ensemble's device: (n, d), or (S, n, d) if each seed has its own. With a `checkpoint` the state is
    saved regularly, and an interrupted training run is resumed with bit-identical results. If not all seeds fit into memory at
    once, groups of seeds are trained one after the other, with the same results. With `keep` the checkpoint of the finished run
    stays, so that the same call later returns its weights and history at once.
    """
    if settings.criterion == ERROR and not hasattr(ensemble.model, ERROR):
        raise InputError("training.criterion must be loss for a model that is not a classifier, got error")
    count = -(-len(ensemble.seeds) // seeds_at_once(ensemble, images, settings))
    if count == 1:
        history = _minimise(ensemble, images, settings, checkpoint, keep)
    else:
        positions = range(len(ensemble.seeds))
        parts = [slice(group[0], group[-1] + 1) for group in np.array_split(positions, count)]
        history = _joined([_minimise_part(ensemble, mine, images, settings, checkpoint) for mine in parts])
    if checkpoint and not keep:
        checkpoint.remove()
    return history


def _minimise_part(
    ensemble: Ensemble, mine: slice, images: Images, settings: Training, checkpoint: Checkpoint | None
) -> History:
    """Train the seeds at `mine` in an ensemble of their own. Its checkpoint is kept in case another part is interrupted."""
    part, own = ensemble.part(mine), images.map(lambda x: x[mine] if x.ndim == 3 else x)
    history = _minimise(part, own, settings, checkpoint and checkpoint.part(part.seeds), keep=True)
    state = ensemble.state
    for name, value in part.state.items():
        state[name][mine].copy_(value)
    return history


def _minimise(
    ensemble: Ensemble, images: Images, settings: Training, checkpoint: Checkpoint | None, keep: bool = False
) -> History:
    """Train all seeds at once; with `keep` the checkpoint of the finished run is saved."""
    loop = TrainingLoop(ensemble, images, settings)
    if checkpoint:
        checkpoint.restore(loop)
    bar = tqdm(total=settings.epochs, initial=loop.epoch, unit="epoch", desc="training", mininterval=0.5)
    with bar, flush_denormals():
        while loop.active:
            loop.run_epoch()
            bar.set_postfix_str(loop.progress(), refresh=False)
            bar.update()
            if checkpoint:
                checkpoint.save_if_due(loop)
    if checkpoint and keep:
        checkpoint.save(loop)
    return loop.finish()


def _joined(histories: Sequence[History]) -> History:
    """Join the histories of parts; NaN after the last epoch of a part."""
    epochs = max(len(next(iter(history.terms.values()))) for history in histories)

    def padded(values: np.ndarray) -> np.ndarray:
        return np.pad(values, [(0, epochs - len(values)), (0, 0)], constant_values=math.nan)

    terms = {name: np.concatenate([padded(h.terms[name]) for h in histories], 1) for name in histories[0].terms}
    by_seed = (np.concatenate([getattr(history, name) for history in histories]) for name in ("best", "updates", "failed"))
    return History(terms, *by_seed, sum(history.earlier for history in histories))


class TrainingLoop:
    """The state of a training run between two epochs.

    The ensemble holds the current weights of the `active` seeds (positions in `seeds`); `best_state` holds the best weights
    of all seeds, NaN for those that failed in the epoch `failed` (0: not). The active seeds are divided among the threads. Each
    thread trains its own seeds, so the results do not depend on the number of threads; only a single seed is trained with
    several threads in each product. Threads within a product wait for each other, and on a busy machine they are slower than
    one thread. `earlier` is the time in seconds that interrupted processes spent on this training run.
    """

    def __init__(self, ensemble: Ensemble, images: Images, settings: Training):
        self.ensemble, self.images, self.settings = ensemble, images, settings
        self.seeds = list(ensemble.seeds)
        self.epoch, self.earlier = 0, 0.0
        self.best_state = {name: value.clone() for name, value in ensemble.state.items()}
        self.best_loss = torch.full((len(self.seeds),), math.inf, dtype=torch.float64)
        self.best_epoch = torch.zeros(len(self.seeds), dtype=torch.int64)
        self.updates, self.failed = torch.zeros(2, len(self.seeds), dtype=torch.int64)
        self.history: dict[str, list[Tensor]] = {}
        self.set_active(range(len(self.seeds)))

    def set_active(self, active: Iterable[int]) -> None:
        """Divide the active seeds, whose weights the ensemble holds, among the threads; each part has a new optimiser."""
        self.active = list(active)
        positions = torch.tensor(self.active, device=self.ensemble.device)
        threads = self.settings.threads if self.ensemble.device.type == "cpu" else 1
        parts = self.ensemble.split(min(threads, max(1, len(self.active))))
        self.groups = [SeedGroup(part, own, self) for part, own in zip(parts, positions.tensor_split(len(parts)), strict=True)]

    def run_epoch(self) -> None:
        """Train for one epoch, validate, keep the best weights, and stop seeds that have not improved."""
        if self.settings.threads == 1 or len(self.seeds) == 1 or self.ensemble.device.type != "cpu":
            results = [group.run_epoch() for group in self.groups]
        else:  # one thread per group, even if fewer groups than threads are left, so that results do not depend on `threads`
            with ThreadPoolExecutor(len(self.groups), initializer=torch.set_num_threads, initargs=(1,)) as pool:
                results = list(pool.map(SeedGroup.run_epoch, self.groups))
        self.epoch += 1
        self.updates[self.active] += self.settings.batches(self.images.train.shape[-2])
        train, validation = map(_concatenated, zip(*results, strict=True))
        finite = self._record("train", train)
        if validation:
            error = validation.pop(ERROR, None)
            finite = finite & self._record("validation", validation)
            if error is not None:
                self._append(f"validation.{ERROR}", error)
            self._keep_best(sum(validation.values()) if error is None else error)
        else:
            self.best_epoch[self.active] = self.epoch
            if self.epoch == self.settings.epochs:
                self._keep(range(len(self.active)))
                finite = finite & self.ensemble.finite().cpu()
        self._fail([s for s, is_finite in zip(self.active, finite.tolist(), strict=True) if not is_finite])
        self._stop()

    def progress(self) -> str:
        """Return the text for the progress bar: mean losses and the number of active seeds."""
        losses = {name.removesuffix(".loss"): epochs[-1] for name, epochs in self.history.items() if name.endswith(".loss")}
        means = ", ".join(f"{split} {loss.nanmean().item():.4g}" for split, loss in losses.items())
        return f"{means}, seeds {len(self.active)}/{len(self.seeds)}"

    def finish(self) -> History:
        """Load the best weights of each seed into the ensemble and return the history."""
        self.ensemble.set_state(self.seeds, self.best_state)
        terms = {name: torch.stack(epochs).numpy() for name, epochs in self.history.items()}
        return History(terms, self.best_epoch.numpy(), self.updates.numpy(), self.failed.numpy(), self.earlier)

    @property
    def moments(self) -> dict[str, Tensor]:
        """State of the optimiser by `<moment>/<name of the weights>`: moments of active seeds (S, padded size), steps ()."""
        by_group = [group.moments() for group in self.groups]
        return {key: torch.cat([m[key] for m in by_group]) if value.ndim else value for key, value in by_group[0].items()}

    @moments.setter
    def moments(self, values: dict[str, Tensor]) -> None:
        start = 0
        for group in self.groups:
            mine = slice(start, start := start + len(group.ensemble.seeds))
            group.set_moments({key: value[mine] if value.ndim else value.clone() for key, value in values.items()})

    def _record(self, split: str, terms: dict[str, Tensor]) -> Tensor:
        """Record the terms (active seeds,) and their sum, the loss; return whether the loss of each seed is finite."""
        for name, values in (terms | {"loss": sum(terms.values())}).items():
            self._append(f"{split}.{name}", values)
        return self.history[f"{split}.loss"][-1][self.active].isfinite()

    def _append(self, name: str, values: Tensor) -> None:
        by_seed = torch.full((len(self.seeds),), math.nan, dtype=torch.float64)
        by_seed[self.active] = values.double().cpu()
        self.history.setdefault(name, []).append(by_seed)

    def _keep_best(self, losses: Tensor) -> None:
        losses = losses.double().cpu()
        better = (losses < self.best_loss[self.active]).nonzero().flatten().tolist()
        self.best_loss[[self.active[p] for p in better]] = losses[better]
        self._keep(better)

    def _keep(self, positions: Sequence[int]) -> None:
        """Keep the weights of the seeds at these positions in `active` as their best."""
        positions = list(positions)
        seeds = [self.active[p] for p in positions]
        self.best_epoch[seeds] = self.epoch
        for name, value in self.ensemble.state.items():
            self.best_state[name][seeds] = value[positions]

    def _fail(self, seeds: list[int]) -> None:
        """Mark seeds (positions in `seeds`) as failed in this epoch: no weights of them are kept."""
        self.failed[seeds], self.best_epoch[seeds] = self.epoch, 0
        for s in seeds:
            tqdm.write(f"seed {self.seeds[s]} failed in epoch {self.epoch}: its loss was not finite", file=sys.stderr)
            for value in self.best_state.values():
                if value.is_floating_point():
                    value[s] = math.nan

    def _stop(self) -> None:
        """Remove the seeds that have finished or failed; the others keep the state of their optimiser."""
        patience = self.settings.patience or self.settings.epochs
        going = [p for p, s in enumerate(self.active) if self.epoch - self.best_epoch[s] < patience and not self.failed[s]]
        if self.epoch == self.settings.epochs:
            going = []
        if len(going) == len(self.active):
            return
        moments = {key: value[going] if value.ndim else value for key, value in self.moments.items()}
        self.ensemble.keep(going)
        self.set_active(self.active[p] for p in going)
        self.moments = moments


def _concatenated(terms: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Concatenate the terms of all groups along the seeds."""
    return {name: torch.cat([each[name] for each in terms]) for name in terms[0]}
