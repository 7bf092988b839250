"""The cost of a training run: time, memory, epochs and number of parameters, and the machine used."""

import platform
import resource
import sys
from importlib.metadata import version
from typing import Any

import torch

from aebench.storage import Cost, History
from aebench.training.device import blas, processor
from aebench.training.ensemble import Ensemble

PACKAGES = ("aebench", "numpy", "torch")


def cost(ensemble: Ensemble, history: History, seconds: float, threads: int) -> Cost:
    """Return the cost of a training run of `seconds` (wall time). `parameters` counts the weights of one seed."""
    losses = history.terms.get("train.loss")
    return Cost(
        seconds=seconds,
        seeds=len(ensemble.seeds),
        parameters=ensemble.model.size,
        latent_dim=ensemble.model.latent_dim,
        epochs=[] if losses is None else (losses == losses).sum(0).tolist(),  # NaN after a seed has stopped
        best=history.best.tolist(),
        updates=history.updates.tolist(),
        failed=history.failed.tolist(),
        peak_memory=_peak_memory(ensemble.device),
        facts=ensemble.model.facts,
        **environment(ensemble.device, threads),
    )


def environment(device: torch.device, threads: int) -> dict[str, Any]:
    """Return the hardware and the software versions that determine the last bits of results."""
    return {
        "device": str(device),
        "threads": threads,
        "machine": platform.machine(),
        "processor": processor(device),
        "blas": blas(device),
        "versions": {name: version(name) for name in PACKAGES},
    }


def _peak_memory(device: torch.device) -> int:
    """Return the peak memory in bytes: of the process or, on CUDA, of the tensors."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
