"""A folder of image files with one subfolder per class, named after the class."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from pydantic import Field, PositiveInt

from aebench.data import external
from aebench.data.base import Raw
from aebench.data.custom import Custom, Labelled
from aebench.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

GREY = ("1", "L", "LA")
COLOUR = ("P", "RGB", "RGBA", "CMYK", "YCbCr")


class Folder(Custom):
    """Image files with 8 bits per channel in any format that Pillow reads, sorted by name; hidden files are ignored."""

    OFFICIAL: ClassVar = ("test_path",)
    path: str
    test_path: str | None = None
    size: Annotated[list[PositiveInt], Field(min_length=2, max_length=2)] | None = None
    """[height, width] to which every image is resized (bilinear, anti-aliased); null: all must have the same size."""
    grey: bool = False
    """If true, colours are converted to luminance (ITU-R 601)."""

    @property
    def pixels(self) -> int | None:
        """Number of values per image, if `size` is given and the images are converted to grey."""
        return self.size[0] * self.size[1] if self.size and self.grey else None

    def read(self) -> Raw:
        """Read the images of one folder, or of separate training and test folders."""
        return self.raw(self.path, self._load(self.path), self.test or self._load(self.test_path))

    def _load(self, path: str) -> Labelled:
        root = external.locate(path)
        if not root.is_dir():
            raise InputError(f"{path} must be a folder with one subfolder per class, got a file")
        pictures = [file for folder in _visible(root) if folder.is_dir() for file in _visible(folder) if file.is_file()]
        if not pictures:
            raise InputError(f"{path} must be a folder with one subfolder of image files per class, got none")
        arrays = [self._pixels(file) for file in pictures]
        for file, array in zip(pictures, arrays, strict=True):
            if array.shape != arrays[0].shape:
                raise InputError(f"{file} must be {arrays[0].shape} like {pictures[0]} (or set data.size), got {array.shape}")
        return Labelled(np.stack(arrays) / np.float32(255), np.array([file.parent.name for file in pictures]), path)

    def _pixels(self, file: Path) -> np.ndarray:
        from PIL.Image import Resampling

        picture = _picture(file)
        if picture.mode not in GREY + COLOUR:
            raise InputError(f"{file} must be an image file with 8 bits per channel, got mode {picture.mode}")
        plain = picture.convert("L" if self.grey or picture.mode in GREY else "RGB")
        return np.asarray(plain.resize(self.size[::-1], Resampling.BILINEAR) if self.size else plain)


def _picture(file: Path) -> "Image.Image":
    from PIL import Image

    try:
        with Image.open(file) as picture:
            picture.load()
            return picture
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as failure:
        raise InputError(f"{file} must be an image file that Pillow reads, got: {failure}") from None


def _visible(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
