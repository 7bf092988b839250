"""NumPy's npz archives, with images and labels as two arrays."""

import zipfile
import zlib
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.lib.npyio import NpzFile

from aebench.data import external
from aebench.data.base import Raw
from aebench.data.custom import Arrays, Labelled
from aebench.data.limits import must_fit
from aebench.errors import InputError, unknown

BROKEN = (
    OSError,
    ValueError,
    TypeError,
    EOFError,
    MemoryError,
    RuntimeError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
)
OBJECTS = "Object arrays cannot be loaded"
"""How the message of NumPy begins."""


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
    constraint = "must be an npz archive of plain arrays, got"
    try:
        archive = np.load(external.regular(file), allow_pickle=False)
        if not isinstance(archive, NpzFile):
            raise InputError(f"{file} {constraint} a single array: save it with np.savez(file, images=..., labels=...)")
        with archive:
            if key not in archive.files:
                raise unknown(f"an array of {file}", key, archive.files)
            must_fit(_size(archive, key), f"the array '{key}' of {file}")
            return _content(archive, key)
    except InputError:
        raise
    except BROKEN as failure:
        if str(failure).startswith(OBJECTS):
            raise InputError(f"the array '{key}' of {file} must be numbers or text, got Python objects") from None
        raise InputError(f"{file} {constraint} one that NumPy cannot read") from None


def _size(archive: NpzFile, key: str) -> int:
    """Return the size of an array in the archive, in bytes. No more are read, even if the array's own header says more."""
    return archive.zip.getinfo(_member(archive, key)).file_size


def _content(archive: NpzFile, key: str) -> np.ndarray:
    """Read an array to the end of its file, where the checksum is compared; NumPy stops where the array's own header says."""
    with archive.zip.open(_member(archive, key)) as stream:
        array = np.lib.format.read_array(stream, allow_pickle=False)
        if stream.read(1):
            raise ValueError("more values than the header says")
    return array


def _member(archive: NpzFile, key: str) -> str:
    return key if key in archive.zip.namelist() else f"{key}.npy"
