"""Files from outside the project: where to look for them, and their bytes."""

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
    """`path` relative to the project, else relative to the data folder; it must exist in one of them."""
    folder = data_folder()
    candidates = [Path(path).expanduser()] + ([folder / path] if folder else [])
    for candidate in candidates:
        if candidate.exists():
            return candidate
    tried = " or ".join(map(str, candidates))
    raise InputError(f"{path} must exist in the project's folder or in {DATA_DIR}, got none at {tried}")


def read(file: Path) -> bytes:
    """The bytes of a file, unpacked if they are gzip."""
    try:
        content = file.read_bytes()
    except OSError as failure:
        raise InputError(f"{file} must be a readable file, got: {failure.strerror}") from None
    return unpack(content, str(file))


def unpack(content: bytes, name: str) -> bytes:
    """Unpack `content` if it starts as gzip does, whatever the file's `name`, which is used in errors only."""
    if not content.startswith(GZIP):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as failure:
        raise InputError(f"{name} must be a complete gzip file, got {len(content)} bytes: {failure}") from None
