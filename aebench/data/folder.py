"""A folder of image files with one subfolder per class, named after the class.

Whatever is skipped is counted and named in the notes of the data set. What would change the classes is an error: a subfolder
without image files, or a broken symbolic link, which may have led to a subfolder.
"""

import os
from collections import defaultdict
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from pydantic import AfterValidator, Field, PositiveInt

from aebench.data import external
from aebench.data.base import Raw
from aebench.data.custom import Custom, Labelled, scaled
from aebench.data.labels import check_names
from aebench.data.limits import must_fit
from aebench.data.picture import check_colour, read_picture
from aebench.errors import InputError, printable

BYTES_PER_VALUE = 5
"""1 byte as uint8 plus 4 as float32."""
NAMED = 3
"""Number of files that a note names."""
HIDDEN, BESIDE = "hidden files and folders", "files beside the subfolders"
DEEPER, BROKEN = "files in folders inside the subfolders", "broken links and special files"
FRAMES = "frames or pages after the first"


class Folder(Custom):
    """Image files with 8 bits per channel in any format that Pillow reads, sorted by name; the first frame of each."""

    OFFICIAL: ClassVar = ("test_path",)
    path: str
    test_path: str | None = None
    size: Annotated[list[PositiveInt], Field(min_length=2, max_length=2)] | None = None
    """[height, width] to which every image is resized (bilinear, anti-aliased), whatever its proportions; null: all must have
    the same size."""
    grey: bool = False
    """If true, colours are converted to luminance (ITU-R 601)."""
    background: Annotated[str, AfterValidator(check_colour)] | None = None
    """Colour on which transparent pixels are drawn, such as white or '#808080'; null: an error if there are any."""

    @property
    def pixels(self) -> int | None:
        """Number of values per image, if `size` is given and the images are converted to grey."""
        return self.size[0] * self.size[1] if self.size and self.grey else None

    @property
    def white(self) -> float:
        """The value of white."""
        return self.maximum or 255.0

    def read(self) -> Raw:
        """Read the images of one folder, or of separate training and test folders."""
        return self.raw(self.path, self._load(self.path), self.test or self._load(self.test_path))

    def _load(self, path: str) -> Labelled:
        pictures, passed_over = image_files(external.locate(path), path)
        if self.size:
            must_fit(BYTES_PER_VALUE * len(pictures) * self.size[0] * self.size[1], f"{path} with data.size {self.size}")
        images: np.ndarray | None = None
        for i, file in enumerate(pictures):
            array, frames = self._pixels(file)
            if frames > 1:
                passed_over[FRAMES] += [f"{file.parent.name}/{file.name}"] * (frames - 1)
            if images is None:
                must_fit(BYTES_PER_VALUE * len(pictures) * array.size, f"the images of {path}, of shape {array.shape},")
                images = np.empty((len(pictures), *array.shape), np.uint8)
            if array.shape != images.shape[1:]:
                shape = images.shape[1:]
                raise InputError(f"{file} must be {shape} like {pictures[0]} (or set data.size), got {array.shape}")
            images[i] = array
        labels = np.array([file.parent.name for file in pictures])
        return Labelled(scaled(images, self.maximum, path, self.minimum), labels, path, _notes(path, passed_over))

    def _pixels(self, file: Path) -> tuple[np.ndarray, int]:
        from PIL.Image import Resampling

        picture, frames = read_picture(file, self.grey, self.background)
        return np.asarray(picture.resize(self.size[::-1], Resampling.BILINEAR) if self.size else picture), frames


def image_files(root: Path, path: str) -> tuple[list[Path], dict[str, list[str]]]:
    """Return the files of all classes, sorted by class and name, and the names of what was skipped, by reason.

    Raises `InputError` if a class has no files, or cannot be told from its name.
    """
    if not root.is_dir():
        raise InputError(f"{path} must be a folder with one subfolder per class, got a file")
    passed_over: dict[str, list[str]] = defaultdict(list)
    pictures: list[Path] = []
    for entry in _visible(root, passed_over):
        if entry.is_dir():
            pictures += _files_of_class(entry, path, passed_over)
        elif entry.exists():
            passed_over[BESIDE].append(entry.name)
        else:
            raise InputError(f"{entry} must be a subfolder with the images of a class, or be removed, got a link to nothing")
    if not pictures:
        raise InputError(f"{path} must be a folder with one subfolder of image files per class, got none")
    return pictures, passed_over


def _files_of_class(folder: Path, path: str, passed_over: dict[str, list[str]]) -> list[Path]:
    check_names([folder.name], f"{path}: names of subfolders")
    files, deeper = [], []
    for entry in _visible(folder, passed_over):
        if entry.is_file():
            files.append(entry)
        elif entry.is_dir():
            deeper += sorted(
                f"{Path(top, name).relative_to(folder.parent)}" for top, _, names in os.walk(entry) for name in names
            )
        else:
            passed_over[BROKEN].append(f"{folder.name}/{entry.name}")
    if not files:
        but = f" (but {len(deeper)} in folders inside it)" if deeper else ""
        raise InputError(
            f"{folder} must contain image files, or be removed, got none{but}: every subfolder of {path} is a class"
        )
    passed_over[DEEPER] += deeper
    return files


def _visible(folder: Path, passed_over: dict[str, list[str]]) -> list[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as failure:
        raise InputError(f"{folder} must be a readable folder, got: {failure.strerror}") from None
    passed_over[HIDDEN] += [entry.name for entry in entries if entry.name.startswith(".")]
    return [entry for entry in entries if not entry.name.startswith(".")]


def _notes(path: str, passed_over: dict[str, list[str]]) -> tuple[str, ...]:
    """Return one sentence per reason: how much was skipped, and the first names."""
    notes = []
    for reason, names in passed_over.items():
        distinct = list(dict.fromkeys(names))
        first = ", ".join(distinct[:NAMED]) + (", ..." if distinct[NAMED:] else "")
        notes += [printable(f"{path}: skipped {reason}: {len(names)} ({first})")] if names else []
    return tuple(notes)
