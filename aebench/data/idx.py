"""IDX, the format of MNIST: a big-endian header, then the array.

    0x00 0x00 | type | number of axes | length of each axis, 4 bytes each | values, last axis fastest

Specification: LeCun, Cortes & Burges (1998), "The MNIST database of handwritten digits".
"""

import math
import struct
from typing import ClassVar

import numpy as np

from aebench.data import external
from aebench.data.base import Raw
from aebench.data.custom import Arrays, Labelled
from aebench.errors import InputError

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}

MOST_AXES = 4


class Idx(Arrays):
    """User-provided IDX files, optionally gzip-compressed: images (n, height, width), labels (n,)."""

    OFFICIAL: ClassVar = ("test_images", "test_labels")
    images: str
    labels: str
    test_images: str | None = None
    test_labels: str | None = None

    def read(self) -> Raw:
        """Read images and labels from two files, or from four with an official test set."""
        test = self.test or self._load(self.test_images, self.test_labels)
        return self.raw(self.images, self._load(self.images, self.labels), test)

    def _load(self, images: str, labels: str) -> Labelled:
        arrays = (parse(external.read(external.locate(path)), path) for path in (images, labels))
        return self.normalise(*arrays, f"{images} and {labels}")


def parse(content: bytes, name: str) -> np.ndarray:
    """Return the array in a decompressed IDX file; `name` identifies the file in error messages."""
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in TYPES or len(content) < 4 + 4 * content[3]:
        raise InputError(f"{name} must be an IDX file, got {len(content)} bytes that start with {content[:4].hex()}")
    kind, axes = np.dtype(TYPES[content[2]]), content[3]
    if axes > MOST_AXES:
        raise InputError(f"{name} must be an IDX file with at most {MOST_AXES} axes, got {axes}")
    shape = struct.unpack_from(f">{axes}I", content, 4)
    start = 4 + 4 * axes
    size = start + math.prod(shape) * kind.itemsize
    if len(content) != size:
        raise InputError(f"{name} must have {size} bytes, as its header gives the shape {shape}, got {len(content)}")
    return np.frombuffer(content, kind, offset=start).reshape(shape).astype(kind.newbyteorder("="))
