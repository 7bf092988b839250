"""The interface of data sources: settings with a method that reads the images."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import PlainValidator

from aebench.config import Schema, Seed
from aebench.data.binarised import Binarised
from aebench.errors import InputError
from aebench.storage import About, Split


def _amount(value: Any) -> int | float:
    count = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    if count or (isinstance(value, float) and 0 < value < 1):
        return value
    raise ValueError("must be a count of at least 1 or a fraction in (0, 1)")


Amount = Annotated[int | float, PlainValidator(_amount)]
"""Number (int) or fraction (float) of images to hold out."""


@dataclass(frozen=True)
class Raw:
    """A data set before it is split.

    `test` is the official test set, or the number or fraction of images of `train` to hold out as a test set. `notes` say
    what was skipped; they are printed, and are part of the data card.
    """

    train: Split
    about: About
    test: Split | int | float
    notes: tuple[str, ...] = ()


class Source(Schema):
    """The `data:` block of conf/<dataset>.yaml. A subclass adds its own keys and implements `read`."""

    source: str
    """A name in `aebench.data.SOURCES`."""
    validation: Amount
    """Number of images to hold out for choosing epochs and hyper-parameters, or their fraction of all but the test images."""
    hold_out: Literal["random", "last"] = "random"
    """Which training images are held out for validation: a random choice, stratified by class, or the last ones."""
    split_seed: Seed = 0
    """Seed of the random choice of held-out images and of binary images, independent of the seeds of the models."""
    binarised: Binarised | None = None
    """Whether images are made binary, see `aebench.data.binarised`; null: they keep their grey values."""

    @property
    def pixels(self) -> int | None:
        """Number of values per image if known before reading, else None; used to check models before anything runs."""
        return None

    @property
    def white(self) -> float | None:
        """The value of white in the source's files; None if it is not known before they are read."""
        return None

    @property
    def black(self) -> float:
        """The value of black in the source's files."""
        return 0

    def read(self) -> Raw:
        """Read the images and labels; raises `InputError` if they cannot be read or used."""
        raise NotImplementedError


def accept(split: Split, about: About, where: str) -> None:
    """Raise `InputError` unless `split` is valid and every class has an image; `where` identifies the images in messages."""
    images, labels = split.images, split.labels
    if not images.size or labels.ndim != 1 or images.shape != (len(labels), about.pixels):
        raise InputError(f"{where}: images must be (n >= 1, {about.pixels}) with n labels, got {images.shape}, {labels.shape}")
    if (images.dtype, labels.dtype) != (np.float32, np.int64):
        raise InputError(f"{where}: images must be float32 and labels int64, got {images.dtype} and {labels.dtype}")
    outside = np.flatnonzero(~((images.min(1) >= 0) & (images.max(1) <= 1)))
    if outside.size:
        image = images[outside[0]]
        pixel = int(np.flatnonzero(~((image >= 0) & (image <= 1)))[0])
        raise InputError(f"{where}: pixels / maximum must be in [0, 1], got {image[pixel]!s} in image {outside[0]}")
    if labels.min() < 0 or labels.max() >= len(about.classes):
        raise InputError(f"{where}: labels must be 0 to {len(about.classes) - 1}, got {labels.min()} to {labels.max()}")
    empty = np.flatnonzero(np.bincount(labels, minlength=len(about.classes)) == 0)
    if empty.size:
        raise InputError(f"{where}: every class must have an image, got none of '{about.classes[empty[0]]}'")
