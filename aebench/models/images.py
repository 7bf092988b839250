"""The images that a model is fitted to."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from aebench.storage import Split


class Images(NamedTuple):
    """Unlabelled images to fit a model to: (n, d), or (S, n, d) if each of S seeds has its own (codes of a lower layer)."""

    train: Tensor
    validation: Tensor  # for selecting the best epoch
    probabilities: Tensor | None = None  # of `train`; if given, gradient descent draws binary images from them in every epoch

    @classmethod
    def of(cls, train: Split, validation: Split, device: torch.device) -> "Images":
        """Move the images of two splits to the device."""
        arrays = (train.images, validation.images, train.probabilities)
        return cls(*arrays).map(lambda array: torch.from_numpy(array).to(device))

    @property
    def both(self) -> Tensor:
        """All images, concatenated, for models without model selection."""
        return torch.cat([self.train, self.validation], -2)

    def map(self, change: Callable[[Any], Tensor]) -> "Images":
        """Apply a function to all three parts, except to missing probabilities."""
        return Images(*(None if part is None else change(part) for part in self))
