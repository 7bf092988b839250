"""Files from outside the project: where they lie and what they contain."""

import gzip
import os
import zlib
from pathlib import Path

from aebench.errors import InputError

DATA_DIR = "AEBENCH_DATA_DIR"
GZIP = b"\x1f\x8b"


def data_folder() -> Path | None:
    """The folder named by the environment variable AEBENCH_DATA_DIR, if it is set."""
    name = os.environ.get(DATA_DIR)
    if name and not Path(name).expanduser().is_dir():
        raise InputError(f"{DATA_DIR} must be a folder, got '{name}'")
    return Path(name).expanduser() if name else None


def locate(path: str) -> Path:
    """`path` as it is written, else inside the data folder; it must exist in one of them."""
    folder = data_folder()
    places = [Path(path).expanduser()] + ([folder / path] if folder else [])
    for place in places:
        if place.exists():
            return place
    raise InputError(f"{path} must exist in the project's folder or in {DATA_DIR}, got none at {' or '.join(map(str, places))}")


def content(file: Path) -> bytes:
    """The bytes of a file, unpacked if they are gzip."""
    try:
        found = file.read_bytes()
    except OSError as failure:
        raise InputError(f"{file} must be a readable file, got: {failure.strerror}") from None
    return unpack(found, str(file))


def unpack(found: bytes, name: str) -> bytes:
    """What is inside if `found` is gzip, else `found`; its start decides, not its name, which is for errors."""
    if not found.startswith(GZIP):
        return found
    try:
        return gzip.decompress(found)
    except (OSError, EOFError, zlib.error) as failure:
        raise InputError(f"{name} must be a whole gzip file, got {len(found)} bytes: {failure}") from None
