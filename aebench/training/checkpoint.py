"""An unfinished training on disk: killed at any moment, it goes on bit for bit.

One safetensors file, replaced whole: weights, Adam's moments, best weights, history, and in its metadata the epoch, the
active seeds, the seconds spent and the `identity` of the training (its parameters, data and code). Another identity is
another training: its file is ignored and overwritten.
"""

import hashlib
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from tqdm import tqdm

from aebench.runs import whole

if TYPE_CHECKING:
    from aebench.training.minimise import Descent

SECONDS_BETWEEN_SAVES = 60.0


class Checkpoint:
    """Saves a `Descent` at most every `seconds` and restores it if `path` holds the same `identity`."""

    def __init__(self, path: Path, identity: Any, seconds: float = SECONDS_BETWEEN_SAVES):
        self.path, self.seconds = path, seconds
        self.identity = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        self._start = self._last = time.monotonic()

    def save_if_due(self, descent: "Descent") -> None:
        """Save if `seconds` have passed since the last time."""
        if descent.active and time.monotonic() - self._last >= self.seconds:
            self._save(descent)
            self._last = time.monotonic()

    def remove(self) -> None:
        """Forget a finished training."""
        self.path.unlink(missing_ok=True)

    def restore(self, descent: "Descent") -> None:
        """Bring a fresh `descent` to where the saved one was, if there is one of this identity."""
        if not self.path.exists():
            return
        with safe_open(self.path, "pt") as file:
            facts = file.metadata()
            if facts.get("identity") != self.identity:
                return
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        _unpack(descent, tensors, json.loads(facts["active"]), int(facts["epoch"]), json.loads(facts["terms"]))
        descent.earlier = float(facts["seconds"])
        tqdm.write(f"resuming after epoch {descent.epoch} from {self.path}", file=sys.stderr)

    def _save(self, descent: "Descent") -> None:
        seconds = descent.earlier + time.monotonic() - self._start
        facts = {"identity": self.identity, "active": json.dumps(descent.active), "epoch": str(descent.epoch)}
        facts |= {"terms": json.dumps(list(descent.history)), "seconds": str(seconds)}
        with whole(self.path) as partial:
            save_file(_pack(descent), partial, facts)


def _pack(descent: "Descent") -> dict[str, torch.Tensor]:
    tensors = {f"state/{name}": value for name, value in descent.ensemble.state.items()}
    tensors |= {f"best/{name}": value for name, value in descent.best_state.items()}
    tensors |= {f"seeds/{name}": getattr(descent, name) for name in ("best_loss", "best_epoch", "updates")}
    tensors |= {f"history/{name}": torch.stack(lines) for name, lines in descent.history.items()}
    moments = descent.optimiser.state[descent.ensemble.weights]
    tensors |= {f"adam/{name}": value for name, value in moments.items()}
    return {name: value.contiguous() for name, value in tensors.items()}


def _unpack(descent: "Descent", tensors: dict[str, torch.Tensor], active: list[int], epoch: int, terms: list[str]) -> None:
    descent.epoch, descent.active = epoch, active
    state = {name: tensors[f"state/{name}"] for name in descent.ensemble.state}
    descent.ensemble.become([descent.seeds[s] for s in active], state)
    descent.optimiser = descent.adam()
    device = descent.ensemble.device
    descent.best_state = {name: tensors[f"best/{name}"].to(device) for name in descent.best_state}
    for name in ("best_loss", "best_epoch", "updates"):
        setattr(descent, name, tensors[f"seeds/{name}"])
    descent.history = {name: list(tensors[f"history/{name}"]) for name in terms}
    moments = {name: value.to(device) for name, value in _under("adam/", tensors).items()}
    descent.optimiser.state[descent.ensemble.weights] = moments


def _under(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
