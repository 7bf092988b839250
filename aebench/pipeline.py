"""Run DVC as a user would, and mend what a killed run may have left.

DVC writes `.dvc/tmp/rwlock` and `dvc.lock` in place: a kill at the wrong moment leaves either of them torn, and the next
run fails before it starts. Both can be made again: the first from nothing, the second from Git or from DVC's run cache,
which restores every finished stage.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from aebench import lock, params, warm
from aebench.errors import InputError
from aebench.lock import LOCK
from aebench.params import read_yaml

RWLOCK = Path(".dvc/tmp/rwlock")


def reproduce() -> int:
    """`dvc repro`; its exit status. Stages run this very Python, kept warm, and inherit the terminal: progress bars show."""
    settle(params.suite().datasets)
    with warm.python() as first:
        path = os.pathsep.join([*first, str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
        return subprocess.run([sys.executable, "-m", "dvc", "repro"], env=os.environ | {"PATH": path}, check=False).returncode


def settle(datasets: list[str]) -> None:
    """Mend what is torn, and let dvc.lock tell of these data sets."""
    for file in heal():
        print(f"mended {file}, torn by an interrupted run", file=sys.stderr)
    lock.settle(datasets)


def heal() -> list[Path]:
    """Remove or restore the torn files of an interrupted run; the files mended."""
    mended = []
    if _torn_json(RWLOCK):
        RWLOCK.unlink()
        mended.append(RWLOCK)
    if _torn_lock(LOCK):
        _restore(LOCK)
        mended.append(LOCK)
    return mended


def _torn_json(file: Path) -> bool:
    try:
        return file.exists() and not isinstance(json.loads(file.read_text()), dict)
    except json.JSONDecodeError:
        return True


def _torn_lock(file: Path) -> bool:
    try:
        return file.exists() and "stages" not in read_yaml(file)
    except InputError:
        return True


def _restore(file: Path) -> None:
    """As last committed; without a commit, gone."""
    file.unlink()
    subprocess.run(["git", "checkout", "-q", "--", str(file)], check=False, capture_output=True)
