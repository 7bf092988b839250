"""Finding and reading files outside the project."""

import gzip
import os
import zlib
from pathlib import Path

from aebench.errors import InputError

DATA_DIR = "AEBENCH_DATA_DIR"
GZIP = b"\x1f\x8b"


def data_folder() -> Path | None:
    """Return the folder named by the environment variable AEBENCH_DATA_DIR, or None if it is not set."""
    name = os.environ.get(DATA_DIR)
    if name and not Path(name).expanduser().is_dir():
        raise InputError(f"{DATA_DIR} must be a folder, got '{name}'")
    return Path(name).expanduser() if name else None


def locate(path: str) -> Path:
    """Resolve `path` relative to the project, else to the data folder; raises `InputError` if it exists in neither."""
    folder = data_folder()
    candidates = [Path(path).expanduser()] + ([folder / path] if folder else [])
    for candidate in candidates:
        if candidate.exists():
            return candidate
    tried = " or ".join(map(str, candidates))
    raise InputError(f"{path} must exist in the project's folder or in {DATA_DIR}, got none at {tried}")


def read(file: Path) -> bytes:
    """Read the bytes of a file; gzip is decompressed."""
    try:
        content = file.read_bytes()
    except OSError as failure:
        raise InputError(f"{file} must be a readable file, got: {failure.strerror}") from None
    return decompress(content, str(file))


def decompress(content: bytes, name: str) -> bytes:
    """Decompress `content` if it has a gzip header, whatever the file's `name`, which is used in error messages only."""
    if not content.startswith(GZIP):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as failure:
        raise InputError(f"{name} must be a complete gzip file, got {len(content)} bytes: {failure}") from None
