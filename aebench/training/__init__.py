"""Training of all seeds of a model at once."""

import torch

from aebench.errors import InputError


def select_device(device: str, threads: int) -> torch.device:
    """Return the device for the setting `device` (auto, cpu or cuda) and set the number of CPU threads."""
    torch.set_num_threads(threads)
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("device must be auto or cpu on a machine without CUDA, got cuda")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(device)
