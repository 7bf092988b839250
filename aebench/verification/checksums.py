"""The checksums that DVC takes of files and folders."""

import hashlib
import json
from pathlib import Path


def checksum(path: Path) -> str:
    """The md5 of a file or folder as DVC takes it; "" of what is not there."""
    if path.is_dir():
        return checksum_of({file.relative_to(path).as_posix(): checksum(file) for file in path.rglob("*") if file.is_file()})
    return hashlib.md5(path.read_bytes()).hexdigest() if path.exists() else ""


def checksum_of(files: dict[str, str]) -> str:
    """The md5 of a folder that holds these files, path -> md5."""
    listing = [{"md5": md5, "relpath": path} for path, md5 in sorted(files.items())]
    return hashlib.md5(json.dumps(listing, sort_keys=True).encode()).hexdigest() + ".dir"
