"""How many seeds fit into memory when they are trained at once.

A seed, whose weights are allocated before training, needs memory for its gradients, two moments of Adam and best weights, for
the noise of a block of batches, and for the activations that the backward pass stores. The last is measured on one batch of the
first seed; the backward pass itself may need as much again. Results do not depend on how seeds are grouped, except as
listed in ensemble.py.
"""

from typing import Any

import torch
from torch import Tensor

from aebench import models
from aebench.config import Training
from aebench.data.limits import free_memory, must_fit
from aebench.errors import InputError
from aebench.models.images import Images
from aebench.randomness import Streams
from aebench.training.ensemble import Ensemble
from aebench.training.parallel import side_by_side
from aebench.training.seed_group import block_size

SHARE = 0.8
"""Fraction of the available memory that may be used, divided by the number of computations side by side."""
COPIES = 4
"""Tensors of the size of a weight that training allocates for it: gradient, two moments and best value."""
CPU = torch.device("cpu")


def check_size(settings: dict[str, Any], pixels: int, path: str, device: torch.device = CPU, copies: int = 1) -> None:
    """Raise `InputError` if this many copies of the weights of one seed of a model do not fit into memory.

    Nothing is allocated. `path` is where the settings are written. A model that cannot be built without data is not checked.
    """
    try:
        with torch.device("meta"):
            state = models.build(settings, pixels, path).state_dict()
        size = copies * sum(map(_bytes, state.values()))
    except (RuntimeError, TypeError) as failure:
        if "overflow" not in str(failure).lower():
            return
        raise InputError(f"{path} must fit into memory, got more weights than can be counted") from None
    must_fit(size, f"{path} (one seed)", available_bytes(device), SHARE)


def seeds_at_once(ensemble: Ensemble, images: Images, settings: Training) -> int:
    """Return the number of seeds to train at once: all if they fit, at least 1."""
    available = available_bytes(ensemble.device)
    needed = bytes_per_seed(ensemble, images, settings)
    if available is None:
        return len(ensemble.seeds)
    return max(1, min(len(ensemble.seeds), int(SHARE * available / side_by_side() / needed)))


def bytes_per_seed(ensemble: Ensemble, images: Images, settings: Training) -> int:
    """Return the number of bytes that one more seed needs."""
    count = min(settings.batch_size, images.train.shape[-2])
    batch = images.train[0, :count] if images.train.ndim == 3 else images.train[:count]
    noise = ensemble.model.draw(count, Streams(ensemble.seeds[0]).torch("memory", 0, ensemble.device))
    block = sum(map(_bytes, noise)) * max(1, block_size(images.train, settings) // count)
    weights = sum(_bytes(rows[:1]) for rows in ensemble.weights.values())
    return COPIES * weights + block + 2 * (_bytes(batch) + _kept_bytes(ensemble, batch, noise))


def available_bytes(device: torch.device) -> int | None:
    """Return the free memory of the device; None if it is unknown."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else free_memory()


def _kept_bytes(ensemble: Ensemble, batch: Tensor, noise: tuple[Tensor, ...]) -> int:
    """Return the size of all tensors that the backward pass of one batch of the first seed needs."""
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.data_ptr()] = _bytes(tensor)
        return tensor

    (first, *_) = ensemble.replicas()
    state = {name: value.detach().requires_grad_(value.is_floating_point()) for name, value in first.state.items()}
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        terms = first.with_state(state).function("terms")(batch, noise)
    del terms
    return sum(kept.values())


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
