"""NumPy's npz archives, with images and labels as two arrays."""

import zipfile
import zlib
from pathlib import Path
from typing import ClassVar

import numpy as np

from aebench.data import external
from aebench.data.base import Raw
from aebench.data.custom import Arrays, Labelled
from aebench.errors import InputError, unknown

BROKEN = (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error)


class Npz(Arrays):
    """An npz file without pickled objects: images (n, pixels), (n, height, width) or (n, height, width, channels)."""

    OFFICIAL: ClassVar = ("test_images", "test_labels")
    path: str
    images: str = "images"
    labels: str = "labels"
    test_images: str | None = None
    test_labels: str | None = None

    def read(self) -> Raw:
        """Read the arrays named `images` and `labels`, and those of an official test set."""
        test = self.test or self._load(self.test_images, self.test_labels)
        return self.raw(self.path, self._load(self.images, self.labels), test)

    def _load(self, images: str, labels: str) -> Labelled:
        file = external.locate(self.path)
        return self.normalise(_array(file, images), _array(file, labels), self.path)


def _array(file: Path, key: str) -> np.ndarray:
    try:
        with np.load(file, allow_pickle=False) as archive:
            known, array = archive.files, archive.get(key)
    except BROKEN:
        raise InputError(f"{file} must be an npz archive of plain arrays, got one that NumPy cannot read") from None
    if array is None:
        raise unknown(f"an array of {file}", key, known)
    return np.asarray(array)
