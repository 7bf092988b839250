"""The part of a stage on a dask cluster that runs on the worker.

A worker keeps the files that it has received, by checksum, until it ends. It runs each stage in a new folder with nothing but
the files of the stage, through a fork server of its own, which has the libraries loaded and ends with the worker.
"""

import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import distributed

from aebench import code_hashes
from aebench.errors import InputError
from aebench.pipeline import fork_server
from aebench.pipeline.remote import SCHEDULER
from aebench.storage import atomic_write
from aebench.training.parallel import CONCURRENT_JOBS

PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "opentsne")
"""Libraries whose version must be the same on a worker, except for a local part such as +cpu."""
SECONDS_BETWEEN_LINES, SECONDS_BETWEEN_POLLS = 2.0, 0.05
OVERWRITTEN = re.compile(rb"[^\r\n]*(?=\r[^\n])")
"""The part of a line of output that a progress bar overwrites."""
STARTING, CHECKING, SERVER = threading.Lock(), threading.Lock(), ExitStack()


@dataclass(frozen=True)
class Job:
    """A stage to run on a worker: the arguments of Python, its inputs (path -> SHA-256) and its outputs (files or folders).

    `code` has the hashes of the code that the worker must have, by module, and `versions` those of libraries.
    """

    stage: str
    arguments: list[str]
    files: dict[str, str]
    outs: list[str]
    code: dict[str, str]
    versions: dict[str, str]


@dataclass(frozen=True)
class Done:
    """The exit status of a stage, and its output files: path -> bytes."""

    status: int
    files: dict[str, bytes]


@dataclass(frozen=True)
class Missing:
    """The SHA-256 of files that a worker needs for a stage and does not have."""

    worker: str
    files: list[str]


def execute(job: Job, topic: str) -> Done | Missing:
    """Run a stage on this worker, or return which of its files are missing here.

    Raises `InputError` if this worker's code or libraries differ from those of the client.
    """
    worker = distributed.get_worker()
    if lacking := missing(list(job.files.values()), worker):
        return Missing(worker.address, lacking)
    _check(job, worker.address)
    files = _files(worker)
    with tempfile.TemporaryDirectory(prefix="stage-", dir=files) as name:
        folder = Path(name)
        for path, digest in job.files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            os.link(files / digest, folder / path)  # stages replace files and do not write into them
        status = _python(job.arguments, folder, worker, topic)
        found = [file for out in job.outs for file in (folder / out, *(folder / out).rglob("*")) if file.is_file()]
        return Done(status, {} if status else {file.relative_to(folder).as_posix(): file.read_bytes() for file in found})


def missing(digests: list[str], dask_worker: distributed.Worker) -> list[str]:
    """Return the SHA-256 of the files that this worker lacks."""
    files = _files(dask_worker)
    return [digest for digest in dict.fromkeys(digests) if not (files / digest).exists()]


def store(digest: str, content: bytes, dask_worker: distributed.Worker) -> None:
    """Keep a file on this worker until it ends."""
    with atomic_write(_files(dask_worker) / digest) as partial:
        partial.write_bytes(content)


def _files(worker: distributed.Worker) -> Path:
    folder = Path(worker.local_directory).absolute() / "aebench"
    folder.mkdir(exist_ok=True)
    return folder


def _check(job: Job, address: str) -> None:
    found = versions()
    for name, wanted in job.versions.items():
        if found.get(name) != wanted:
            raise InputError(f"worker {address} must have {name} {wanted}, got {found.get(name, 'none')}")
    with CHECKING:  # ast.parse fails in threads (python/cpython#106905)
        files = tuple(file and file.stat().st_mtime_ns for file in map(code_hashes._file, job.code))
        code = _code(tuple(job.code), files)
    if other := [module for module, hash_ in job.code.items() if code.get(module) != hash_]:
        listed = ", ".join(other[:3]) + (f" and {len(other) - 3} more" if len(other) > 3 else "")
        raise InputError(f"worker {address} must have the code of this project, got another version of {listed}")


@cache
def _code(modules: tuple[str, ...], times: tuple[int | None, ...]) -> dict[str, str]:
    """Hashes of the code of modules, whose files were changed at `times`."""
    code_hashes._code.cache_clear()
    return code_hashes.code_hashes(*modules)


def _python(arguments: list[str], folder: Path, worker: distributed.Worker, topic: str) -> int:
    """Run Python in a folder, send its output to a topic, and return the exit status.

    It is killed if nobody waits for the task any more, or, by the fork server, if this worker is killed.
    """
    path = [*_fork_server(), str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    environment = {CONCURRENT_JOBS: str(worker.state.nthreads)} | dict(os.environ) | {"PATH": os.pathsep.join(path)}
    environment.pop(SCHEDULER, None)
    task, sent, last, ended = worker.get_current_task(), 0, time.monotonic(), False
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            ["python", *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        while not ended:
            with suppress(subprocess.TimeoutExpired):
                process.wait(SECONDS_BETWEEN_POLLS)
                ended = True
            if (state := worker.state.tasks.get(task)) is None or state.state == "cancelled":
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            elif ended or time.monotonic() - last > SECONDS_BETWEEN_LINES:
                if content := os.pread(output.fileno(), os.fstat(output.fileno()).st_size - sent, sent):
                    worker.log_event(topic, OVERWRITTEN.sub(b"", content))
                sent, last = sent + len(content), time.monotonic()
    return fork_server.shell_status(process.returncode)


def _fork_server() -> list[str]:
    """Start a fork server that ends with this worker, unless there is one; return the folders to prepend to PATH."""
    with STARTING:
        return _started_server()


@cache
def _started_server() -> list[str]:
    return SERVER.enter_context(fork_server.python())


def versions() -> dict[str, str]:
    """The versions of Python and of `PACKAGES`, without those that are not installed."""
    found = {"Python": ".".join(platform.python_version_tuple()[:2])}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package).partition("+")[0]
    return found
