"""Trained models for evaluation: devices and threads, ensembles from saved weights, and encoding in blocks of images."""

from importlib import import_module
from math import prod
from typing import TYPE_CHECKING

from aebench.evaluation.settings import Compute
from aebench.storage import Trained

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from aebench.training.ensemble import Ensemble, Replica

BLOCK = 4096
"""Number of images that are encoded or decoded at once."""


def configure_compute(compute: Compute) -> "torch.device":
    """Return the device and limit every numerical library to `compute.threads` threads."""
    from threadpoolctl import threadpool_limits

    from aebench.training.device import configure_device

    for library in ("openTSNE", "scipy.optimize", "sklearn.cluster"):  # the limit applies only to loaded libraries
        import_module(library)
    threadpool_limits(compute.threads)
    return configure_device(compute.device, compute.threads, compute.blas)


def load_ensemble(trained: Trained, device: "torch.device") -> "Ensemble":
    """Build the ensemble of all seeds with its trained weights."""
    from aebench.models import build
    from aebench.training.ensemble import Ensemble

    ensemble = Ensemble(lambda: build(trained.settings, prod(trained.shape)), trained.seeds[:1], device)
    ensemble.set_state(trained.seeds, trained.state)
    return ensemble


def first_trained(trained: Trained) -> int:
    """Return the position of the first seed whose training did not fail, which the figures show; 0 if all failed."""
    failed = [any(bool(value[s].isnan().any()) for value in trained.state.values()) for s in range(len(trained.seeds))]
    return failed.index(False) if False in failed else 0


def in_blocks(replica: "Replica", method: str, rows: "Tensor") -> "Tensor":
    """Apply a method of the model to rows (n, ...), `BLOCK` rows at a time."""
    import torch

    return torch.cat([replica(method, part) for part in rows.split(BLOCK)])
