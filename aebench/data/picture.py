"""One picture of a file: the first frame, upright, without transparency, with 8 bits per channel."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from aebench.data import external
from aebench.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

GREY = ("1", "L", "LA")
COLOUR = ("P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")
OPAQUE = 255


def check_colour(name: str) -> str:
    """Return the name of an opaque colour; raises `ValueError` unless Pillow knows it."""
    from PIL import ImageColor

    try:
        known = len(ImageColor.getrgb(name)) == len("RGB")
    except ValueError:
        known = False
    if not known:
        raise ValueError("must be a colour such as white, black or '#808080'")
    return name


def read_picture(file: Path, grey: bool, background: str | None) -> "tuple[Image, int]":
    """Return the first frame of a picture, grey (L) or in colour (RGB), and the number of its frames or pages.

    The picture is turned as its EXIF orientation says. Transparent pixels are drawn on `background`; the result is grey only if
    this colour is grey. With `grey`, colours are converted to luminance.
    """
    from PIL import Image, ImageOps

    what = "be an image file that Pillow reads"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            # A stream, not a path: from a path, Pillow 13.0 maps uncompressed TIFF files to memory, and misreads turned ones.
            with external.regular(file).open("rb") as stream, Image.open(stream) as checked:
                checked.verify()  # the checksums of PNG, which `load` ignores
                stream.seek(0)
                picture = Image.open(stream)
                frames, kind = getattr(picture, "n_frames", 1), picture.mode
                picture.load()
                what = "have an EXIF orientation that Pillow reads, or none"
                upright = ImageOps.exif_transpose(picture)
    except InputError:
        raise
    except Exception as failure:  # Pillow raises errors of many types for damaged files
        raise InputError(f"{file} must {what}, got: {str(failure).partition(' <')[0]}") from None
    if kind not in GREY + COLOUR:
        raise InputError(f"{file} must be an image file with 8 bits per channel, got mode {kind}")
    is_grey = kind in GREY
    if is_transparent(upright):
        if background is None:
            remedy = "a colour, such as white, on which transparent pixels are drawn"
            raise InputError(f"data.background must be given for transparent pixels, as in {file} ({remedy}), got nothing")
        upright = Image.alpha_composite(Image.new("RGBA", upright.size, background), upright.convert("RGBA")).convert("RGB")
        is_grey = is_grey and _is_grey(background)
    return upright.convert("L" if grey or is_grey else "RGB"), frames


def is_transparent(picture: "Image") -> bool:
    """Whether a picture in any mode has a pixel that is not opaque."""
    return picture.has_transparency_data and picture.convert("RGBA").getchannel("A").getextrema()[0] < OPAQUE


def _is_grey(colour: str) -> bool:
    from PIL import ImageColor

    return len(set(ImageColor.getrgb(colour))) == 1
