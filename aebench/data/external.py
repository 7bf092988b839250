"""Finding and reading files outside the project."""

import gzip
import io
import os
import zlib
from pathlib import Path

from aebench.data.limits import must_fit
from aebench.errors import InputError

DATA_DIR = "AEBENCH_DATA_DIR"
GZIP = b"\x1f\x8b"
CHUNK = 1 << 26


def data_folder() -> Path | None:
    """Return the folder named by the environment variable AEBENCH_DATA_DIR, or None if it is not set."""
    name = os.environ.get(DATA_DIR)
    if not name:
        return None
    folder = _expanded(name, DATA_DIR)
    if not _exists(folder) or not folder.is_dir():
        raise InputError(f"{DATA_DIR} must be a folder, got '{name}'")
    return folder


def locate(path: str) -> Path:
    """Resolve `path` relative to the project, else to the data folder; raises `InputError` if it exists in neither.

    In a workspace, whose folder aebench is a link, the project is that of the link's target.
    """
    folder, given = data_folder(), _expanded(path, path)
    package = Path("aebench")
    project = [package.resolve().parent / given] if package.is_symlink() else []
    candidates = [given, *project] + ([folder / path] if folder else [])
    for candidate in candidates:
        if _exists(candidate):
            return candidate
    tried = " or ".join(map(str, candidates))
    raise InputError(f"{path} must exist in the project's folder or in {DATA_DIR}, got none at {tried}")


def regular(file: Path) -> Path:
    """Return `file`; raises `InputError` unless it is a regular file: a named pipe or a device may never end."""
    if not file.is_file():
        got = "a folder" if file.is_dir() else "a pipe, socket or device"
        raise InputError(f"{file} must be a readable file, got {got}")
    return file


def read(file: Path) -> bytes:
    """Read the bytes of a file; gzip is decompressed. Raises `InputError` if they do not fit into memory."""
    try:
        must_fit(regular(file).stat().st_size, f"the content of {file}")
        content = file.read_bytes()
    except OSError as failure:
        raise InputError(f"{file} must be a readable file, got: {failure.strerror}") from None
    return decompress(content, str(file))


def decompress(content: bytes, name: str) -> bytes:
    """Decompress `content` if it has a gzip header, whatever the file's `name`, which is used in error messages only.

    Stops with an `InputError` as soon as the result does not fit into memory.
    """
    if not content.startswith(GZIP):
        return content
    parts, size = [], 0
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
            while part := stream.read(CHUNK):
                parts.append(part)
                size += len(part)
                must_fit(size, f"the decompressed content of {name}")
    except (OSError, EOFError, zlib.error) as failure:
        raise InputError(f"{name} must be a complete gzip file, got {len(content)} bytes: {failure}") from None
    return b"".join(parts)


def _expanded(path: str, where: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise InputError(f"{where} must begin with the name of a user after ~, got '{path}'") from None


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that is too long, or a folder that may not be searched
        return False
