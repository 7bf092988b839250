"""What the files of a new data set are: the `data:` settings that read them, without black, white and the splits."""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from aebench.data import external, idx
from aebench.data.folder import image_files
from aebench.data.picture import GREY
from aebench.errors import InputError, unknown

LABELS = ("label", "labels", "class", "target", "targets", "y", "digit", "species", "category", "kind")
"""Usual names of the column of the labels."""
ARRAYS = {
    "images": ("images", "train_images", "x_train", "x", "data"),
    "labels": ("labels", "train_labels", "y_train", "y", "target", "targets"),
    "test_images": ("test_images", "x_test"),
    "test_labels": ("test_labels", "y_test"),
}
"""Usual names of the arrays of an npz file, in lower case."""
TEST = re.compile("(?<![a-z])(test|testing|t10k)(?![a-z])", re.IGNORECASE)
"""Names of files of test data: with one of these words."""
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
LARGEST_SIDE, SIDE = 64, 32
"""Pictures with a longer side, or of several sizes, are resized to `SIDE` x `SIDE`."""


def settings(paths: list[str], label: str | None = None) -> dict[str, Any]:
    """Return the settings of the source that reads these files; raises `InputError` if they are of no known format."""
    if len(paths) == 2 and _is_test(paths[0]) and not _is_test(paths[1]):
        paths = paths[::-1]
    files = [external.locate(path) for path in paths]
    for fits, describe in FORMATS:
        if all(map(fits, files)):
            if label is not None and describe is not _csv:
                raise InputError(f"--label must be given for CSV files only, got {label!r}")
            return describe(paths, files, label)
    raise InputError(
        "PATH must be CSV files, an npz file, two or four IDX files, or folders with one subfolder of pictures per class, "
        f"got {', '.join(paths)}"
    )


def _folder(paths: list[str], folders: list[Path], label: str | None) -> dict[str, Any]:
    from PIL import Image

    inside = {entry.name.lower(): entry.name for entry in folders[0].iterdir() if entry.is_dir()}
    if len(paths) == 1 and inside.keys() == {"train", "test"}:
        paths = [f"{paths[0]}/{inside[part]}" for part in ("train", "test")]
    block, sizes, modes, transparent = {"source": "folder"} | _train_and_test(paths), set(), set(), False
    for path in paths:
        for file in image_files(external.locate(path), path)[0]:
            try:
                with Image.open(file) as picture:
                    sizes.add(picture.size)
                    modes.add(picture.mode in GREY)
                    transparent |= picture.has_transparency_data
            except OSError:
                raise InputError(f"{file} must be an image file that Pillow reads, or be removed") from None
    if len(sizes) > 1 or max(max(size) for size in sizes) > LARGEST_SIDE:
        block["size"] = [SIDE, SIDE]
    return block | ({"grey": True} if len(modes) > 1 else {}) | ({"background": "white"} if transparent else {})


def _npz(paths: list[str], files: list[Path], label: str | None) -> dict[str, Any]:
    if len(paths) > 1:
        raise InputError(f"PATH must be one npz file, with arrays for training and test images, got {len(paths)}")
    try:
        with np.load(external.regular(files[0]), allow_pickle=False) as archive:
            names = {name.lower(): name for name in archive.files}
    except (OSError, ValueError, AttributeError):
        raise InputError(f"{files[0]} must be an npz archive of plain arrays, got one that NumPy cannot read") from None
    found = {key: next((names[name] for name in usual if name in names), None) for key, usual in ARRAYS.items()}
    if not (found["images"] and found["labels"]):
        raise InputError(f"{paths[0]} must have arrays named images and labels, or x_train and y_train, got {', '.join(names)}")
    if (found["test_images"] is None) != (found["test_labels"] is None):
        got = found["test_images"] or found["test_labels"]
        raise InputError(f"{paths[0]} must have both images and labels of test data, or neither, got {got} alone")
    if not found["test_images"]:
        found = {key: found[key] for key in ("images", "labels")}
    return {"source": "npz", "path": paths[0]} | {key: name for key, name in found.items() if name != key or "test" in key}


def _csv(paths: list[str], files: list[Path], label: str | None) -> dict[str, Any]:
    with io.TextIOWrapper(io.BytesIO(external.read(files[0])), "utf-8-sig", newline="", errors="replace") as stream:
        names = [name.strip() for name in next(csv.reader(stream, skipinitialspace=True), [])]
    _check_header(names, paths[0])
    if label is not None and label not in names:
        raise unknown("--label", label, names[:8])
    kinds = Counter(re.sub("[0-9]+", "#", name) for name in names)
    guesses = [name for name in names if name.lower() in LABELS]
    guesses = guesses or [name for name in names if kinds[re.sub("[0-9]+", "#", name)] == 1]
    if label is None and len(guesses) != 1:
        got = f"the columns {', '.join(guesses[:8] or names[:4])}, ..."
        raise InputError(f"--label must be given, the column of the labels in {paths[0]}, got {got}")
    return {"source": "csv"} | _train_and_test(paths) | {"label": label or guesses[0]}


def _check_header(names: list[str], path: str) -> None:
    """Raise `InputError` if the values are not separated by commas, or the first line is an image."""
    for character, name in SEPARATORS.items():
        if len(names) < 2 and any(character in each for each in names):
            raise InputError(f"{path} must have commas between its values, got {name}: save it again with commas")
    numbers = [name for name in names if NUMBER.fullmatch(name)]
    distinct = len(set(numbers)) == len(numbers) and all(map(str.isdecimal, numbers))
    if len(numbers) >= max(2, len(names) - 1) and not distinct:
        raise InputError(f"{path} must begin with a line of column names, got the values {', '.join(names[:4])}, ...")


def _idx(paths: list[str], files: list[Path], label: str | None) -> dict[str, Any]:
    arrays = {path: idx.parse(external.read(file), path) for path, file in zip(paths, files, strict=True)}
    images = sorted((path for path in paths if arrays[path].ndim > 1), key=_is_test)
    labels = sorted((path for path in paths if arrays[path].ndim == 1), key=_is_test)
    if len(paths) not in (2, 4) or len(images) != len(labels):
        got = f"{len(images)} with images and {len(labels)} with labels"
        raise InputError(f"PATH must be the IDX files of images and of labels, or both of training and of test data, got {got}")
    if len(paths) == 4 and any(list(map(_is_test, pair)) != [False, True] for pair in (images, labels)):
        got = ", ".join(paths)
        raise InputError(
            f"PATH must be four IDX files of which those of the test data have test or t10k in their names, got {got}"
        )
    return (
        {"source": "idx"}
        | dict(zip(("images", "test_images"), images, strict=False))
        | dict(zip(("labels", "test_labels"), labels, strict=False))
    )


def _is_test(path: str) -> bool:
    """Whether the name of a file, without its folder, says that it is of test data."""
    return bool(TEST.search(Path(path).name))


def _train_and_test(paths: list[str]) -> dict[str, str]:
    if len(paths) > 2:
        raise InputError(f"PATH must be one path, or those of training and test data, got {len(paths)}")
    return dict(zip(("path", "test_path"), paths, strict=False))


def _is_idx(file: Path) -> bool:
    return file.is_file() and external.read(file)[:2] == b"\0\0"


def _has_suffix(suffix: str) -> Callable[[Path], bool]:
    return lambda file: file.name.lower().removesuffix(".gz").endswith(suffix)


FORMATS = ((Path.is_dir, _folder), (_has_suffix(".npz"), _npz), (_has_suffix(".csv"), _csv), (_is_idx, _idx))
