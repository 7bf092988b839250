"""Find files in which a bit has flipped, in the workspace and in DVC's cache, so that they are regenerated.

DVC recognises a changed file by its size and time, which a failing disk leaves unchanged, and it never checks the content of
its cache. Here the files of each stage are compared with the MD5 that DVC recorded.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from dvc.output import Output
from dvc.stage.cache import StageCache, _get_cache_hash

from aebench.storage import md5

Load = Callable[[str, str], dict[str, Any] | None]
DIRECTORY = ".dir"
"""How the MD5 of the list of files in a folder ends."""


def notice(outs: Iterable[Output]) -> list[str]:
    """Let DVC notice the files in the workspace whose content is not that recorded; returns their paths."""
    wrong = [file for out in outs for file, _ in _damaged(out)]
    for file in wrong:
        os.utime(file)
    return [_name(file) for file in wrong]


def discard(outs: Iterable[Output]) -> list[str]:
    """Remove files that DVC restored from damaged copies in its cache, and these copies; returns the paths of the files."""
    wrong = [found for out in outs for found in _damaged(out)]
    for file, copy in wrong:
        file.unlink()
        copy.unlink(missing_ok=True)
    return [_name(file) for file, _ in wrong]


def checked(runs: StageCache) -> Load:
    """The function with which DVC reads an entry of its run cache, except that a damaged entry is removed.

    The name of an entry is the hash of its content.
    """
    load = runs._load_cache

    def load_checked(key: str, value: str) -> dict[str, Any] | None:
        try:
            entry = load(key, value)
        except DvcException:
            entry = {}
        if entry is not None and _get_cache_hash(entry) != value:
            Path(runs._get_cache_path(key, value)).unlink()
            return None
        return entry

    return load_checked


def _damaged(out: Output) -> Iterator[tuple[Path, Path]]:
    """Files of an output whose content is not that recorded, and the files of DVC's cache that should have it."""
    for file, digest in _files(out):
        if file.is_file() and md5(file) != digest:
            yield file, _cached(out, digest)


def _files(out: Output) -> Iterator[tuple[Path, str]]:
    """The files of an output with their MD5. Those of a folder are listed in DVC's cache, or unknown."""
    recorded = (out.hash_info and out.hash_info.value) or ""
    if not recorded.endswith(DIRECTORY):
        yield from [(Path(out.fs_path), recorded)] if recorded else []
        return
    listing = _cached(out, recorded)
    if listing.is_file() and md5(listing) == recorded.removesuffix(DIRECTORY):
        yield from ((Path(out.fs_path, file["relpath"]), file["md5"]) for file in json.loads(listing.read_text()))
    else:
        listing.unlink(missing_ok=True)


def _cached(out: Output, digest: str) -> Path:
    return Path(out.repo.cache.local.oid_to_path(digest))


def _name(file: Path) -> str:
    return str(file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file)
