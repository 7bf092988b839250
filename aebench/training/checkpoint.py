"""Checkpoints: an interrupted training run is resumed with bit-identical results.

A checkpoint is one safetensors file, written atomically: weights, state of the optimiser, best weights and history. The
metadata hold the epoch, the active seeds, the seconds spent, and a hash of the run's identity (settings, data and code). A
checkpoint with a different identity is ignored and overwritten.
"""

import hashlib
import json
import sys
import time
from collections.abc import Sequence
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from tqdm import tqdm

from aebench.storage import atomic_write

if TYPE_CHECKING:
    from aebench.training.minimise import TrainingLoop

SECONDS_BETWEEN_SAVES = 60.0


class Checkpoint:
    """The checkpoint of a `TrainingLoop`: saved to `path` at most every `seconds`, restored if `identity` (JSON) is equal."""

    def __init__(self, path: Path, identity: Any, seconds: float = SECONDS_BETWEEN_SAVES):
        self.path, self.seconds = path, seconds
        self.identity = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        self._start = self._last = time.monotonic()

    def save_if_due(self, loop: "TrainingLoop") -> None:
        """Save if `seconds` have passed since the last save."""
        if loop.active and time.monotonic() - self._last >= self.seconds:
            self.save(loop)
            self._last = time.monotonic()

    def remove(self) -> None:
        """Delete the checkpoint of a finished training run, and those of its parts."""
        for file in (self.path, *self.path.parent.glob(f"{escape(self.path.stem)}-seed*{self.path.suffix}")):
            file.unlink(missing_ok=True)

    def restore(self, loop: "TrainingLoop") -> None:
        """Load the saved state into a new `loop` if a checkpoint with this identity exists."""
        if not self.path.exists():
            return
        with safe_open(self.path, "pt") as file:
            metadata = file.metadata()
            if metadata.get("identity") != self.identity:
                return
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        _unpack(loop, tensors, json.loads(metadata["active"]), int(metadata["epoch"]), json.loads(metadata["terms"]))
        loop.earlier = float(metadata["seconds"])
        tqdm.write(f"resuming after epoch {loop.epoch} from {self.path}", file=sys.stderr)

    def part(self, seeds: Sequence[int]) -> "Checkpoint":
        """Return the checkpoint of a part of the seeds."""
        path = self.path.with_name(f"{self.path.stem}-seed{seeds[0]}{self.path.suffix}")
        return Checkpoint(path, [self.identity, list(seeds)], self.seconds)

    def save(self, loop: "TrainingLoop") -> None:
        """Save the state of the loop."""
        seconds = loop.earlier + time.monotonic() - self._start
        metadata = {"identity": self.identity, "active": json.dumps(loop.active), "epoch": str(loop.epoch)}
        metadata |= {"terms": json.dumps(list(loop.history)), "seconds": str(seconds)}
        with atomic_write(self.path) as partial:
            save_file(_pack(loop), partial, metadata)


def _pack(loop: "TrainingLoop") -> dict[str, torch.Tensor]:
    groups = {
        "state": loop.ensemble.state,
        "best": loop.best_state,
        "seeds": {name: getattr(loop, name) for name in ("best_loss", "best_epoch", "updates", "failed")},
        "history": {name: torch.stack(epochs) for name, epochs in loop.history.items()},
        "moments": loop.moments,
    }
    return {f"{group}/{name}": value.contiguous() for group, values in groups.items() for name, value in values.items()}


def _unpack(loop: "TrainingLoop", tensors: dict[str, torch.Tensor], active: list[int], epoch: int, terms: list[str]) -> None:
    loop.epoch = epoch
    loop.ensemble.set_state([loop.seeds[s] for s in active], _group("state", tensors))
    loop.set_active(active)
    device = loop.ensemble.device
    loop.best_state = {name: value.to(device) for name, value in _group("best", tensors).items()}
    for name, value in _group("seeds", tensors).items():
        setattr(loop, name, value)
    loop.history = {name: list(tensors[f"history/{name}"]) for name in terms}
    loop.moments = {name: value.to(device) for name, value in _group("moments", tensors).items()}


def _group(name: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {key.removeprefix(f"{name}/"): value for key, value in tensors.items() if key.startswith(f"{name}/")}
