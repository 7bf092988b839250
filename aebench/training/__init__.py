"""Training: a model is written for one seed, and all seeds are trained at once."""

import torch

from aebench.errors import InputError


def select_device(device: str, threads: int) -> torch.device:
    """The device for the setting `device` (auto, cpu or cuda). Also sets the number of CPU threads."""
    torch.set_num_threads(threads)
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("device must be auto or cpu on a machine without CUDA, got cuda")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(device)
