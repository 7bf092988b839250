"""Run DVC, and repair files an interrupted run may have truncated.

DVC writes `.dvc/tmp/rwlock` and `dvc.lock` in place: if it is killed at the wrong moment, either may be truncated, and the
next run fails before it starts. Both can be recovered: DVC recreates the first, and the second is restored from Git. DVC's run
cache contains the outputs of every stage that finished after the last commit.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from aebench import config
from aebench.errors import InputError
from aebench.pipeline import fork_server, lock
from aebench.pipeline.lock import LOCK

RWLOCK = Path(".dvc/tmp/rwlock")


def reproduce() -> int:
    """Run `dvc repro` and return its exit status.

    Stages use this Python and inherit the terminal, so that progress bars are shown.
    """
    prepare_lock(config.suite().datasets)
    with fork_server.python() as folders:
        path = os.pathsep.join([*folders, str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
        return subprocess.run([sys.executable, "-m", "dvc", "repro"], env=os.environ | {"PATH": path}, check=False).returncode


def prepare_lock(datasets: list[str]) -> None:
    """Repair truncated files, and limit dvc.lock to these data sets."""
    for file in repair():
        print(f"repaired {file}, truncated by an interrupted run", file=sys.stderr)
    lock.archive_other_datasets(datasets)


def repair() -> list[Path]:
    """Remove a truncated rwlock and restore a truncated dvc.lock; returns the repaired files."""
    repaired = []
    if _truncated_json(RWLOCK):
        RWLOCK.unlink()
        repaired.append(RWLOCK)
    if _truncated_lock(LOCK):
        LOCK.unlink()
        # It stays deleted if it was never committed.
        subprocess.run(["git", "checkout", "-q", "--", str(LOCK)], check=False, capture_output=True)
        repaired.append(LOCK)
    return repaired


def _truncated_json(file: Path) -> bool:
    try:
        return file.exists() and not isinstance(json.loads(file.read_text()), dict)
    except json.JSONDecodeError:
        return True


def _truncated_lock(file: Path) -> bool:
    try:
        return file.exists() and "stages" not in config.read_yaml(file)
    except InputError:
        return True
