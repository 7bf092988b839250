"""Your own data: from arrays as they lie in a file to images in [0, 1] and class numbers.

Pixels are divided by `maximum`, the value of white: 255 for uint8 and 1 for floats unless it is given, and it must be given
for other integers, whose white cannot be known. Labels are whole numbers or names. Without `classes` the labels found are the
classes, in their order; with it, a whole number counts from 0 and a name must be one of `classes`.
"""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Self

import numpy as np
from pydantic import AfterValidator, Field, PositiveFloat, PositiveInt, model_validator

from aebench.data.base import Amount, Raw, Source
from aebench.errors import InputError
from aebench.runs import About, Split

CHANNELS = ((), (1,), (3,), (4,))


@dataclass(frozen=True)
class Found:
    """Images (n, height, width[, channels]) float32 and labels (n,), numbers or names, as they lie in `file`."""

    images: np.ndarray
    labels: np.ndarray
    file: str

    def __post_init__(self) -> None:
        kind, shape, n = self.labels.dtype, self.labels.shape, len(self.images)
        if kind.kind not in "biuU" or shape != (n,):
            raise InputError(f"{self.file}: labels must be {n} whole numbers or names, one an image, got {kind} {shape}")


def _distinct(names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        raise ValueError("must be without repetition")
    return names


class Own(Source):
    """What every source of one's own data may say."""

    OFFICIAL: ClassVar[tuple[str, ...]]
    """The keys that name an official test set."""
    test: Amount | None = None
    """Images held out where there is no official test set: a count, or a fraction of all."""
    title: str | None = None
    """null: the file's path."""
    licence: str = "not stated"
    classes: Annotated[list[str], Field(min_length=2), AfterValidator(_distinct)] | None = None
    """Names of the classes; null: the labels found."""

    @model_validator(mode="after")
    def _one_test_set(self) -> Self:
        given = [getattr(self, key) is not None for key in self.OFFICIAL]
        if any(given) != all(given) or any(given) == (self.test is not None):
            raise ValueError(f"must have either test or {' and '.join(self.OFFICIAL)}")
        return self

    def raw(self, path: str, train: Found, test: Found | int | float) -> Raw:
        """`train` and `test` with labels as class numbers; `path` is the source that the reports name."""
        numbers, shape = class_numbers(train.labels, self.classes), train.images.shape[1:]
        about = About(self.title or path, shape, tuple(self.classes or map(str, numbers)), path, self.licence)
        if isinstance(test, Found):
            if test.images.shape[1:] != shape:
                got = test.images.shape[1:]
                raise InputError(f"{test.file}: test images must be of shape {shape} like the training images, got {got}")
            test = _split(test, numbers)
        return Raw(_split(train, numbers), about, test)


class Arrays(Own):
    """What a source of bare arrays may say besides."""

    shape: Annotated[list[PositiveInt], Field(min_length=2, max_length=3)] | None = None
    """[height, width] or [height, width, channels] of images that lie flat; null: square and grey."""
    maximum: PositiveFloat | None = None
    """The value of white, by which pixels are divided; null: 255 for uint8, 1 for floats."""

    def found(self, images: np.ndarray, labels: np.ndarray, file: str) -> Found:
        """Images (n, pixels) or (n, height, width[, channels]) of any number type, in their shape and over white."""
        shape, white = image_shape(images, self.shape, file), white_of(images, self.maximum, file)
        return Found(images.reshape(-1, *shape).astype(np.float32) / np.float32(white), labels, file)


def image_shape(images: np.ndarray, shape: list[int] | None, file: str) -> tuple[int, ...]:
    """(height, width) or (height, width, channels) of an image: its own, or `shape`, or a square; one channel is dropped."""
    own = images.shape[1:]
    pixels, side = math.prod(own), math.isqrt(math.prod(own))
    wanted = tuple(shape or (own if len(own) > 1 else (side, side)))
    if not images.size or not 2 <= images.ndim <= 4 or wanted[2:] not in CHANNELS:
        constraint = "(n, pixels), (n, height, width) or (n, height, width, channels) with 1, 3 or 4 channels"
        raise InputError(f"{file}: images must be {constraint} and not empty, got {images.shape}")
    if math.prod(wanted) != pixels:
        got = list(shape) if shape else "nothing (and that is no square)"
        raise InputError(f"data.shape must make {pixels} pixels, as many as the images of {file} have, got {got}")
    return wanted[:2] if wanted[2:] == (1,) else wanted


def white_of(images: np.ndarray, maximum: float | None, file: str) -> float:
    """The value of white: `maximum`, else what the number type says (255 for uint8, 1 for floats)."""
    kind = images.dtype
    if kind.kind not in "biuf":
        raise InputError(f"{file}: pixels must be numbers, got {kind}")
    if maximum is None and kind != np.uint8 and kind.kind != "f":
        raise InputError(f"data.maximum must be given for {kind} pixels (the value of white in {file}), got nothing")
    return maximum or (255 if kind == np.uint8 else 1)


def class_numbers(labels: np.ndarray, classes: list[str] | None) -> dict[int | str, int]:
    """Label as found -> class number."""
    known = classes if labels.dtype.kind == "U" else range(len(classes or ()))
    return {label: c for c, label in enumerate(known if classes else np.unique(labels).tolist())}


def _split(found: Found, numbers: dict[int | str, int]) -> Split:
    labels = found.labels.tolist()
    strange = [label for label in labels if label not in numbers]
    if strange:
        raise InputError(f"{found.file}: labels must be one of {', '.join(map(str, numbers))}, got {strange[0]!r}")
    images = found.images.reshape(len(labels), math.prod(found.images.shape[1:]))
    return Split(images, np.array([numbers[label] for label in labels], dtype=np.int64))
