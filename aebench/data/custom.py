"""User-provided data: conversion of arrays to images in [0, 1] and class indices.

Pixels x become (x - minimum) / (maximum - minimum): `minimum` is the value of black, 0 by default, and `maximum` that of white.
Its default is 255 for uint8 and 1 for floats; for other integers it must be given, and also if no pixel reaches half of it.
Labels are integers or names, see `aebench.data.labels`.

A flat row of a colour image has its pixels in row-major order and the channels of a pixel together: r, g, b, r, g, b, ...
"""

import math
from dataclasses import dataclass
from hashlib import blake2b
from typing import Annotated, ClassVar, Self

import numpy as np
from pydantic import AfterValidator, Field, PositiveFloat, PositiveInt, model_validator

from aebench.data.base import Amount, Raw, Source
from aebench.data.labels import as_indices, check_names, class_indices, listed
from aebench.errors import InputError
from aebench.storage import About, Split

CHANNELS = (1, 3, 4)
DEFAULT_MUST_REACH, MUST_REACH, BLACK_MUST_REACH = 1 / 2, 1 / 8, 1 / 2
"""Fractions of the range from black to white. The brightest pixel must reach the first if `maximum` is not given and the second
if it is; otherwise white is probably wrong: digits with pixels of 0 to 16 that are divided by 255, or by 16 once more, reach
1/16. If `minimum` is not 0, the darkest pixel must be below the third."""


@dataclass(frozen=True)
class Labelled:
    """Images (n, height, width[, channels]) float32 in [0, 1]; labels (n,), integers or names, as in `file`."""

    images: np.ndarray
    labels: np.ndarray
    file: str
    notes: tuple[str, ...] = ()
    """What was skipped."""

    def __post_init__(self) -> None:
        kind, shape, n = self.labels.dtype, self.labels.shape, len(self.images)
        if kind.kind not in "biuU" or shape != (n,):
            raise InputError(f"{self.file}: labels must be {n} integers or names, one per image, got {kind} {shape}")


def _distinct(names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        raise ValueError("must not contain duplicates")
    check_names(names, "classes")
    return names


def _one_line(text: str) -> str:
    if not text.isprintable() or not text.strip():
        raise ValueError("must be one line of text")
    return text


Line = Annotated[str, AfterValidator(_one_line)]


class Custom(Source):
    """Settings of every source of user-provided data."""

    OFFICIAL: ClassVar[tuple[str, ...]]
    """Keys that name an official test set."""
    test: Amount | None = None
    """Number or fraction of all images to hold out as a test set, if there is no official one."""
    title: Line | None = None
    """Title in the reports; null: the name of the data set."""
    licence: Line = "not stated"
    classes: Annotated[list[str], Field(min_length=2), AfterValidator(_distinct)] | None = None
    """Names of the classes; null: the distinct labels, sorted."""
    maximum: PositiveFloat | None = None
    """The value of white; null: 255 for uint8 and pictures, 1 for floats."""
    minimum: float = 0.0
    """The value of black, such as -1 for pixels in [-1, 1]."""

    @model_validator(mode="after")
    def _one_test_set(self) -> Self:
        given = [getattr(self, key) is not None for key in self.OFFICIAL]
        if any(given) != all(given) or any(given) == (self.test is not None):
            raise ValueError(f"must have either test or {' and '.join(self.OFFICIAL)}")
        return self

    @model_validator(mode="after")
    def _white_is_brighter(self) -> Self:
        if self.maximum is not None and self.maximum <= self.minimum:
            raise ValueError(f"must have a maximum above minimum = {self.minimum:g}")
        return self

    @property
    def black(self) -> float:
        """The value of black."""
        return self.minimum

    def raw(self, path: str, train: Labelled, test: Labelled | int | float) -> Raw:
        """Return `train` and `test` with labels as class indices; the reports name `path` as the source."""
        indices, shape = class_indices(train.labels, self.classes, train.file), train.images.shape[1:]
        about = About(self.title or "", shape, tuple(self.classes or indices), path, self.licence)
        if len(indices) < 2:
            raise InputError(f"{train.file}: labels must be of at least two classes, got only {listed(indices)!r}")
        notes = train.notes
        if isinstance(test, Labelled):
            if test.images.shape[1:] != shape:
                got = test.images.shape[1:]
                raise InputError(f"{test.file}: test images must be of shape {shape} like the training images, got {got}")
            notes += test.notes + _shared(train, test)
            test = _split(test, indices)
        else:
            notes += _repeated(train)
        return Raw(_split(train, indices), about, test, notes)


class Arrays(Custom):
    """Settings of sources whose files contain arrays, not image formats."""

    shape: Annotated[list[PositiveInt], Field(min_length=2, max_length=3)] | None = None
    """[height, width] or [height, width, channels] of images that are flat rows; null: square and grey."""

    @property
    def pixels(self) -> int | None:
        """Number of values per image, if `shape` is given."""
        return math.prod(self.shape) if self.shape else None

    @property
    def white(self) -> float | None:
        """The value of white, if it is given."""
        return self.maximum

    def normalise(self, images: np.ndarray, labels: np.ndarray, file: str) -> Labelled:
        """Reshape images (n, pixels) or (n, height, width[, channels]) of any numeric type and divide them by white."""
        shape = image_shape(images, self.shape, file)
        return Labelled(scaled(images.reshape(-1, *shape), self.maximum, file, self.minimum), labels, file)


def image_shape(images: np.ndarray, shape: list[int] | None, file: str) -> tuple[int, ...]:
    """Return the shape of an image without a single channel: that of the array, or for flat rows `shape` or a square."""
    own = images.shape[1:]
    if not images.size or not 2 <= images.ndim <= 4 or (len(own) == 3 and own[2] not in CHANNELS):
        constraint = "(n, pixels), (n, height, width) or (n, height, width, channels) with 1, 3 or 4 channels"
        raise InputError(f"{file}: images must be {constraint} and not empty, got {images.shape}{_remedy(own)}")
    if len(own) == 1:
        return _shape_of_rows(own[0], shape, file)
    if shape is not None and _grey(tuple(shape)) != _grey(own):
        raise InputError(f"data.shape must be that of the images in {file}, {own}, or left out, got {shape}{_remedy(own)}")
    if shape is None and _is_ambiguous(own):
        remedy = "or give the array in the file another shape"
        raise InputError(f"data.shape must be given for images of shape {own} in {file} ({remedy}), got nothing")
    return _grey(own)


def _shape_of_rows(pixels: int, shape: list[int] | None, file: str) -> tuple[int, ...]:
    side = math.isqrt(pixels)
    chosen = tuple(shape or (side, side))
    if math.prod(chosen) != pixels or chosen[2:] not in ((), *((count,) for count in CHANNELS)):
        got = shape or "nothing (and the images are not square)"
        raise InputError(f"data.shape must have {pixels} values, in 1, 3 or 4 channels, like the images of {file}, got {got}")
    return _grey(chosen)


def _grey(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[:2] if shape[2:] == (1,) else shape


def _is_ambiguous(own: tuple[int, ...]) -> bool:
    """Whether images look like rows with an axis for the channels, such as (n, 1, 784), or tiny ones with channels first."""
    if len(own) == 3:
        return own[0] in CHANNELS and own[0] != own[1] == own[2]
    few, many = sorted(own)
    return few in CHANNELS and many >= 16 and few != many and math.isqrt(many) ** 2 == many


def _remedy(own: tuple[int, ...]) -> str:
    return " (channels must be last: save images.transpose(0, 2, 3, 1))" if len(own) == 3 and own[0] in CHANNELS else ""


def scaled(images: np.ndarray, maximum: float | None, file: str, minimum: float = 0.0) -> np.ndarray:
    """Map black to 0 and white, `maximum` or else 255 for uint8 and 1 for floats, to 1. Returns float32.

    Raises `InputError` if white is unknown, too far above the brightest pixel to be right, or black too far below the darkest.
    """
    kind = images.dtype
    if kind.kind not in "biuf":
        raise InputError(f"{file}: pixels must be numbers, got {kind}")
    white, known = maximum or (255 if kind == np.uint8 else 1), kind == np.uint8 or kind.kind == "f"
    if maximum is None and not known:
        raise InputError(f"data.maximum must be given for {kind} pixels (the value of white in {file}), got nothing")
    brightest = float(images.max())
    if maximum is None and brightest < DEFAULT_MUST_REACH * white:
        constraint = f"given for {kind} pixels of at most {brightest:g} (the value of white in {file}; the default is {white})"
        raise InputError(f"data.maximum must be {constraint}, got nothing")
    if brightest - minimum < MUST_REACH * (white - minimum):
        constraint = f"the value of white in {file}, where no pixel is above {brightest:g}"
        raise InputError(f"data.maximum must be {constraint}, got {white:g}")
    darkest = float(images.min())
    if minimum and darkest - minimum >= BLACK_MUST_REACH * (white - minimum):
        constraint = f"the value of black in {file}, where no pixel is below {darkest:g}"
        raise InputError(f"data.minimum must be {constraint}, got {minimum:g}")
    with np.errstate(all="ignore"):  # `accept` reports what is not in [0, 1]
        pixels, black = images.astype(np.float32), np.float32(minimum)
        pixels -= black
        pixels /= np.float32(white) - black
    return pixels


def _shared(train: Labelled, test: Labelled) -> tuple[str, ...]:
    """A note of the number of test images that are training images, too; raises `InputError` if the two sets are the same."""
    known, tested = set(_digests(train.images)), _digests(test.images)
    if known == set(tested):
        raise InputError(f"{test.file}: test images must not be the training images, got the same {len(known)}")
    shared = sum(digest in known for digest in tested)
    return (f"{test.file}: {shared} of {len(test.images)} test images are also training images",) if shared else ()


def _repeated(data: Labelled) -> tuple[str, ...]:
    """A note of the number of images that occur more than once, so that copies may be in both training and test images."""
    copies = len(data.images) - len(set(_digests(data.images)))
    text = f"{data.file}: {copies} of {len(data.images)} images are copies of others; a test image may be a training image, too"
    return (text,) if copies else ()


def _digests(images: np.ndarray) -> list[bytes]:
    """A hash of each image; equal images have the same."""
    return [blake2b(image, digest_size=16).digest() for image in np.ascontiguousarray(images)]


def _split(data: Labelled, indices: dict[str, int]) -> Split:
    images = data.images.reshape(len(data.labels), math.prod(data.images.shape[1:]))
    return Split(images, as_indices(data.labels, indices, data.file))
