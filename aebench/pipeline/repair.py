"""Repair what an interrupted run left behind, before DVC reads it.

DVC writes `.dvc/tmp/rwlock` and `dvc.lock` in place: if it is killed at the wrong moment, either may be truncated, and the
next run fails before it starts. The first may also name processes that no longer exist. Both can be recovered: DVC recreates
the first, and the second is restored from Git. DVC's run cache contains the outputs of every stage that finished after the last
commit.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

from aebench.errors import InputError
from aebench.storage import lock, yaml_files
from aebench.storage.lock import LOCK

RWLOCK = Path(".dvc/tmp/rwlock")
CONFLICT = re.compile(rb"^<{7} ", re.MULTILINE)
"""The line with which Git begins a conflict."""


def prepare_lock(datasets: list[str]) -> None:
    """Repair truncated files, and limit dvc.lock to these data sets."""
    for file in repair():
        print(f"repaired {file}, truncated by an interrupted run", file=sys.stderr)
    lock.archive_other_datasets(datasets)


def repair() -> list[Path]:
    """Remove a truncated or stale rwlock and restore a truncated dvc.lock; returns the truncated files.

    Raises `InputError` if dvc.lock has conflicts of a merge. One that cannot be read is not changed either.
    """
    repaired = []
    processes = _processes(RWLOCK)
    if processes is None:
        repaired.append(RWLOCK)
    if processes is None or (processes and not any(map(_is_running, processes))):
        RWLOCK.unlink()
    if _truncated_lock(LOCK):
        LOCK.unlink()
        # It stays deleted if it was never committed.
        subprocess.run(["git", "checkout", "-q", "--", str(LOCK)], check=False, capture_output=True)
        repaired.append(LOCK)
    return repaired


def _processes(file: Path) -> set[int] | None:
    """The processes that read or write files according to DVC; None if the file is truncated."""
    try:
        content = json.loads(file.read_text()) if file.exists() else {}
        readers = [reader for readers in content.get("read", {}).values() for reader in readers]
        return {int(user["pid"]) for user in (*readers, *content.get("write", {}).values())}
    except (ValueError, AttributeError, TypeError, KeyError):
        return None


def _is_running(process: int) -> bool:
    """Whether the process exists and started before the file was written; a later process has reused the number."""
    import psutil

    try:
        found = psutil.Process(process)
        return found.status() != psutil.STATUS_ZOMBIE and found.create_time() <= RWLOCK.stat().st_mtime
    except psutil.NoSuchProcess:
        return False


def _truncated_lock(file: Path) -> bool:
    if not file.exists():
        return False
    if CONFLICT.search(file.read_bytes()):
        remedy = f"keep one side with `git checkout --ours {file}` or `--theirs`, and run the command again"
        raise InputError(f"{file} must be of one revision, got conflicts of a merge: {remedy}")
    try:
        return "stages" not in yaml_files.read_lock(file)
    except InputError:
        return True
