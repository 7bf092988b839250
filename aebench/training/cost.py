"""The cost of a training run: time, memory, epochs and number of parameters, and the machine used."""

import platform
import re
import resource
import sys
from importlib.metadata import version
from pathlib import Path

import torch

from aebench.storage import Cost, History
from aebench.training.ensemble import Ensemble

PACKAGES = ("aebench", "numpy", "torch")


def cost(ensemble: Ensemble, history: History, seconds: float, threads: int) -> Cost:
    """Return the cost of a training run of `seconds` (wall time). `parameters` counts the weights and buffers of one seed."""
    losses = history.terms.get("train.loss")
    return Cost(
        seconds=seconds,
        seeds=len(ensemble.seeds),
        parameters=sum(value[0].numel() for value in ensemble.state.values()),
        latent_dim=ensemble.model.latent_dim,
        epochs=[] if losses is None else (losses == losses).sum(0).tolist(),  # NaN after a seed has stopped
        best=history.best.tolist(),
        updates=history.updates.tolist(),
        peak_memory=_peak_memory(ensemble.device),
        device=str(ensemble.device),
        threads=threads,
        machine=platform.machine(),
        processor=_processor(ensemble.device),
        blas=_blas(ensemble.device),
        versions={name: version(name) for name in PACKAGES},
        facts=ensemble.model.facts,
    )


def _processor(device: torch.device) -> str:
    """Return the model name of the GPU or CPU; the latter from /proc/cpuinfo if it exists."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    info = Path("/proc/cpuinfo")
    names = re.findall(r"^model name\s*: (.+)$", info.read_text(), re.MULTILINE) if info.exists() else []
    return names[0].strip() if names else platform.processor()


def _blas(device: torch.device) -> str:
    """Return the libraries for matrix products and their vector instructions, such as "mkl, oneDNN, AVX512"."""
    if device.type == "cuda":
        return f"cuBLAS, CUDA {torch.version.cuda}"
    names = re.findall(r"\bBLAS_INFO=(\w+)", torch.__config__.show()) or ["unknown"]
    return ", ".join([*names, *["oneDNN"] * torch.backends.mkldnn.is_available(), torch.backends.cpu.get_cpu_capability()])


def _peak_memory(device: torch.device) -> int:
    """Return the peak memory in bytes: of the process or, on CUDA, of the tensors."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
