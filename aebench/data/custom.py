"""User-provided data: conversion of arrays to images in [0, 1] and class indices.

Pixels are divided by `maximum`, the value of white. The default is 255 for uint8 and 1 for floats; for other integers it must
be given. Labels are integers or names. Without `classes`, the classes are the distinct labels in sorted order; with it, an
integer label is an index into `classes` and a name must be one of them.
"""

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Self

import numpy as np
from pydantic import AfterValidator, Field, PositiveFloat, PositiveInt, model_validator

from aebench.data.base import Amount, Raw, Source
from aebench.errors import InputError
from aebench.storage import About, Split

CHANNELS = ((), (1,), (3,), (4,))


@dataclass(frozen=True)
class Labelled:
    """Images (n, height, width[, channels]) float32 in [0, 1]; labels (n,), integers or names, as in `file`."""

    images: np.ndarray
    labels: np.ndarray
    file: str

    def __post_init__(self) -> None:
        kind, shape, n = self.labels.dtype, self.labels.shape, len(self.images)
        if kind.kind not in "biuU" or shape != (n,):
            raise InputError(f"{self.file}: labels must be {n} integers or names, one per image, got {kind} {shape}")


def _distinct(names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        raise ValueError("must not contain duplicates")
    return names


class Custom(Source):
    """Settings of every source of user-provided data."""

    OFFICIAL: ClassVar[tuple[str, ...]]
    """Keys that name an official test set."""
    test: Amount | None = None
    """Number or fraction of all images to hold out as a test set, if there is no official one."""
    title: str | None = None
    """Title in the reports; null: the path of the file."""
    licence: str = "not stated"
    classes: Annotated[list[str], Field(min_length=2), AfterValidator(_distinct)] | None = None
    """Names of the classes; null: the distinct labels, sorted."""

    @model_validator(mode="after")
    def _one_test_set(self) -> Self:
        given = [getattr(self, key) is not None for key in self.OFFICIAL]
        if any(given) != all(given) or any(given) == (self.test is not None):
            raise ValueError(f"must have either test or {' and '.join(self.OFFICIAL)}")
        return self

    def raw(self, path: str, train: Labelled, test: Labelled | int | float) -> Raw:
        """Return `train` and `test` with labels as class indices; the reports name `path` as the source."""
        indices, shape = class_indices(train.labels, self.classes), train.images.shape[1:]
        about = About(self.title or path, shape, tuple(self.classes or map(str, indices)), path, self.licence)
        if isinstance(test, Labelled):
            if test.images.shape[1:] != shape:
                got = test.images.shape[1:]
                raise InputError(f"{test.file}: test images must be of shape {shape} like the training images, got {got}")
            test = _split(test, indices)
        return Raw(_split(train, indices), about, test)


class Arrays(Custom):
    """Settings of sources whose files contain arrays, not image formats."""

    shape: Annotated[list[PositiveInt], Field(min_length=2, max_length=3)] | None = None
    """[height, width] or [height, width, channels] of flattened images; null: square and grey."""
    maximum: PositiveFloat | None = None
    """The value of white, by which pixels are divided; null: 255 for uint8, 1 for floats."""

    @property
    def pixels(self) -> int | None:
        """Number of values per image, if `shape` is given."""
        return math.prod(self.shape) if self.shape else None

    def normalise(self, images: np.ndarray, labels: np.ndarray, file: str) -> Labelled:
        """Reshape images (n, pixels) or (n, height, width[, channels]) of any numeric type and divide them by white."""
        shape, white = image_shape(images, self.shape, file), white_of(images, self.maximum, file)
        return Labelled(images.reshape(-1, *shape).astype(np.float32) / np.float32(white), labels, file)


def image_shape(images: np.ndarray, shape: list[int] | None, file: str) -> tuple[int, ...]:
    """Return the shape of an image: `shape`, else that of the array, else a square; a single channel is dropped."""
    own = images.shape[1:]
    pixels, side = math.prod(own), math.isqrt(math.prod(own))
    chosen = tuple(shape or (own if len(own) > 1 else (side, side)))
    if not images.size or not 2 <= images.ndim <= 4 or chosen[2:] not in CHANNELS:
        constraint = "(n, pixels), (n, height, width) or (n, height, width, channels) with 1, 3 or 4 channels"
        raise InputError(f"{file}: images must be {constraint} and not empty, got {images.shape}")
    if math.prod(chosen) != pixels:
        got = list(shape) if shape else "nothing (and the images are not square)"
        raise InputError(f"data.shape must have {pixels} values, like the images of {file}, got {got}")
    return chosen[:2] if chosen[2:] == (1,) else chosen


def white_of(images: np.ndarray, maximum: float | None, file: str) -> float:
    """Return the value of white: `maximum`, else 255 for uint8 and 1 for floats."""
    kind = images.dtype
    if kind.kind not in "biuf":
        raise InputError(f"{file}: pixels must be numbers, got {kind}")
    if maximum is None and kind != np.uint8 and kind.kind != "f":
        raise InputError(f"data.maximum must be given for {kind} pixels (the value of white in {file}), got nothing")
    return maximum or (255 if kind == np.uint8 else 1)


def class_indices(labels: np.ndarray, classes: list[str] | None) -> dict[int | str, int]:
    """Return the class index of each label of the file."""
    known = classes if labels.dtype.kind == "U" else range(len(classes or ()))
    return {label: c for c, label in enumerate(known if classes else np.unique(labels).tolist())}


def _split(data: Labelled, indices: dict[int | str, int]) -> Split:
    labels = data.labels.tolist()
    unknown = [label for label in labels if label not in indices]
    if unknown:
        raise InputError(f"{data.file}: labels must be one of {', '.join(map(str, indices))}, got {unknown[0]!r}")
    images = data.images.reshape(len(labels), math.prod(data.images.shape[1:]))
    return Split(images, np.array([indices[label] for label in labels], dtype=np.int64))
