"""The contract of a data source: a block of parameters that can read."""

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import NonNegativeInt, PlainValidator

from aebench.errors import InputError
from aebench.params import Schema
from aebench.runs import About, Split


def _amount(value: Any) -> int | float:
    whole = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    if whole or (isinstance(value, float) and 0 < value < 1):
        return value
    raise ValueError("must be a count of at least 1 or a fraction in (0, 1)")


Amount = Annotated[int | float, PlainValidator(_amount)]
"""How many images to hold out: an integer counts them, a float is their fraction."""


@dataclass(frozen=True)
class Raw:
    """A data set before it is divided; `test` is the official test set, or how much of `train` to hold out as one."""

    train: Split
    about: About
    test: Split | int | float


class Source(Schema):
    """The `data:` block of conf/<dataset>.yaml; a subclass adds its own keys and says how to read."""

    source: str
    """A name in `aebench.data.SOURCES`."""
    validation: Amount
    """Images held out of training to choose epochs and hyper-parameters: a count, or a fraction of what is not test."""
    split_seed: NonNegativeInt = 0
    """Alone decides which images are held out."""

    def read(self) -> Raw:
        """The images and labels; raises `InputError` if they cannot be had or cannot be used."""
        raise NotImplementedError


def accept(split: Split, about: About, where: str) -> None:
    """Raise `InputError` unless images and labels are what `Split` promises and no class is empty; `where` names them."""
    images, labels = split.images, split.labels
    if not images.size or labels.ndim != 1 or images.shape != (len(labels), about.pixels):
        raise InputError(f"{where}: images must be (n >= 1, {about.pixels}) with n labels, got {images.shape}, {labels.shape}")
    if (images.dtype, labels.dtype) != (np.float32, np.int64):
        raise InputError(f"{where}: images must be float32 and labels int64, got {images.dtype} and {labels.dtype}")
    outside = np.flatnonzero(~((images.min(1) >= 0) & (images.max(1) <= 1)))
    if outside.size:
        low, high = images[outside[0]].min(), images[outside[0]].max()
        raise InputError(f"{where}: pixels / maximum must be in [0, 1], got {low:g} to {high:g} in image {outside[0]}")
    if labels.min() < 0 or labels.max() >= len(about.classes):
        raise InputError(f"{where}: labels must be 0 to {len(about.classes) - 1}, got {labels.min()} to {labels.max()}")
    empty = np.flatnonzero(np.bincount(labels, minlength=len(about.classes)) == 0)
    if empty.size:
        raise InputError(f"{where}: every class must have an image, got none of '{about.classes[empty[0]]}'")
