"""The engine: a model written for one seed is trained for all seeds at once."""

import torch

from aebench.errors import InputError


def place(device: str, threads: int) -> torch.device:
    """Set the CPU threads and return the device that `device` (auto, cpu or cuda) means on this machine."""
    torch.set_num_threads(threads)
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("device must be auto or cpu on a machine without CUDA, got cuda")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(device)
