"""Formats of files: JSON, npz without pickle and CSV. Every write is atomic."""

import csv
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import ZipFile, ZipInfo

import numpy as np

from aebench.errors import InputError

ZIP64 = 2**30
"""Size of an array in bytes from which a ZIP64 header is written; without one, the limit is 2^31."""


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path that is renamed to `path` if the block succeeds and deleted if it raises."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def written(path: Path) -> Path:
    """Return `path`; raises `InputError` if the earlier stage that writes the file has not done so."""
    if not path.exists():
        raise InputError(f"{path} is missing: an earlier stage writes it; run `aebench run`")
    return path


def sha256(path: Path) -> str:
    """SHA-256 of a file in hexadecimal."""
    return _digest(path, "sha256")


def md5(path: Path) -> str:
    """MD5 of a file in hexadecimal, as in dvc.lock."""
    return _digest(path, "md5")


def write_json(path: Path, content: Any) -> None:
    """Write JSON with sorted keys, so that equal content gives equal bytes."""
    with atomic_write(path) as partial:
        partial.write_text(json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read the content of a JSON file."""
    return json.loads(written(path).read_text())


def write_arrays(path: Path, **arrays: np.ndarray) -> None:
    """Write an uncompressed npz file, with the same bytes on every version of Python.

    `numpy.savez` writes ZIP64 headers for arrays of any size, and Python before 3.11.4 writes these differently.
    """
    with atomic_write(path) as partial, ZipFile(partial, "w") as archive:
        for name, array in arrays.items():
            with archive.open(ZipInfo(f"{name}.npy"), "w", force_zip64=array.nbytes >= ZIP64) as stream:
                np.lib.format.write_array(stream, array, allow_pickle=False)


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read every array of an npz file; pickled objects are rejected."""
    with np.load(written(path), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def write_columns(path: Path, columns: dict[str, list]) -> None:
    """Write a CSV file with one column per name; NaN and None become empty cells."""
    rows = zip(*([_cell(v) for v in values] for values in columns.values()), strict=True)
    with atomic_write(path) as partial, partial.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def read_columns(path: Path) -> dict[str, list[float]]:
    """Read the columns of a CSV file of numbers; an empty cell is NaN."""
    with written(path).open(newline="") as stream:
        header, *rows = csv.reader(stream)
    return {name: [float(row[i] or "nan") for row in rows] for i, name in enumerate(header)}


def _cell(value: Any) -> Any:
    if value is None or value != value:
        return ""
    return repr(float(value)) if isinstance(value, (float, np.floating)) else value


def _digest(path: Path, algorithm: str) -> str:
    with written(path).open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()
