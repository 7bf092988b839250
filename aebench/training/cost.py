"""What a training took, and on what."""

import platform
import resource
import sys
from importlib.metadata import version

import torch

from aebench.runs import Cost, History
from aebench.training.ensemble import Ensemble

PACKAGES = ("aebench", "numpy", "torch")


def cost(ensemble: Ensemble, history: History, seconds: float, threads: int) -> Cost:
    """The record of a finished training of `seconds` wall time; `parameters` counts one replica's weights and buffers."""
    return Cost(
        seconds=seconds,
        seeds=len(ensemble.seeds),
        parameters=sum(value[0].numel() for value in ensemble.state.values()),
        code=ensemble.model.code,
        epochs=_epochs(history),
        best=history.best.tolist(),
        updates=history.updates.tolist(),
        peak_memory=_peak_memory(ensemble.device),
        device=str(ensemble.device),
        threads=threads,
        machine=platform.machine(),
        versions={name: version(name) for name in PACKAGES},
        facts=ensemble.model.facts,
    )


def _peak_memory(device: torch.device) -> int:
    """Most bytes the process held at once; on CUDA, that its tensors held there."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def _epochs(history: History) -> list[int]:
    losses = history.terms.get("train.loss")
    return [] if losses is None else (losses == losses).sum(0).tolist()
