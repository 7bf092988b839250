"""A folder of pictures: one sub-folder a class, whose name is the class."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from pydantic import Field, PositiveInt

from aebench.data import files
from aebench.data.base import Raw
from aebench.data.own import Found, Own
from aebench.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

GREY = ("1", "L", "LA")
COLOUR = ("P", "RGB", "RGBA", "CMYK", "YCbCr")


class Folder(Own):
    """Pictures of 8 bits a channel in any format Pillow reads, in the order of their names; hidden files are passed over."""

    OFFICIAL: ClassVar = ("test_path",)
    path: str
    test_path: str | None = None
    size: Annotated[list[PositiveInt], Field(min_length=2, max_length=2)] | None = None
    """[height, width] to which every picture is resized (bilinear, anti-aliased); null: all must be of one size."""
    grey: bool = False
    """Colour becomes luminance (ITU-R 601)."""

    def read(self) -> Raw:
        """The pictures of one folder, or of two."""
        return self.raw(self.path, self._found(self.path), self.test or self._found(self.test_path))

    def _found(self, path: str) -> Found:
        root = files.locate(path)
        if not root.is_dir():
            raise InputError(f"{path} must be a folder with a sub-folder for each class, got a file")
        pictures = [file for folder in _visible(root) if folder.is_dir() for file in _visible(folder) if file.is_file()]
        if not pictures:
            raise InputError(f"{path} must be a folder with a sub-folder of pictures for each class, got no picture")
        arrays = [self._pixels(file) for file in pictures]
        for file, array in zip(pictures, arrays, strict=True):
            if array.shape != arrays[0].shape:
                raise InputError(f"{file} must be {arrays[0].shape} like {pictures[0]} (or set data.size), got {array.shape}")
        return Found(np.stack(arrays) / np.float32(255), np.array([file.parent.name for file in pictures]), path)

    def _pixels(self, file: Path) -> np.ndarray:
        from PIL.Image import Resampling

        picture = _picture(file)
        if picture.mode not in GREY + COLOUR:
            raise InputError(f"{file} must be a picture of 8 bits a channel, got mode {picture.mode}")
        plain = picture.convert("L" if self.grey or picture.mode in GREY else "RGB")
        return np.asarray(plain.resize(self.size[::-1], Resampling.BILINEAR) if self.size else plain)


def _picture(file: Path) -> "Image.Image":
    from PIL import Image

    try:
        with Image.open(file) as picture:
            picture.load()
            return picture
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as failure:
        raise InputError(f"{file} must be a picture that Pillow reads, got: {failure}") from None


def _visible(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
