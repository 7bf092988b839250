"""Only one run at a time may work in a folder."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aebench.errors import InputError

if sys.platform != "win32":
    import fcntl

RUN_LOCK = Path(".dvc/tmp/aebench.lock")
SECONDS_TO_WAIT = 10.0
"""How long to wait for the processes of a killed run to end."""


@contextmanager
def only_run() -> Iterator[list[int]]:
    """Wait until no other run works in this folder; yields the open files that keep other runs waiting.

    The processes of a run inherit them, so the lock is released only when all processes of a killed run have ended. Raises
    `InputError` after `SECONDS_TO_WAIT`.
    """
    if sys.platform == "win32":
        yield []
        return
    RUN_LOCK.parent.mkdir(parents=True, exist_ok=True)
    with RUN_LOCK.open("a+") as file:
        end = time.monotonic() + SECONDS_TO_WAIT
        while not _locked(file.fileno()):
            if time.monotonic() > end:
                file.seek(0)
                process = file.read().strip()
                raise InputError(
                    f"another run is active in this folder (process {process} or one of its children): wait for it or stop it"
                )
            time.sleep(0.1)
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield [file.fileno()]


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
