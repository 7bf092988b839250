"""The commands of stages: each runs in its own session, its output goes to a file, and its last line to a display."""

import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from aebench.pipeline.fork_server import KILLED, shell_status

LOGS = Path(".dvc/tmp/logs")
"""The output of each stage when it ran last."""
CUDA_DEVICES = "CUDA_VISIBLE_DEVICES"
"""Environment variable with the devices that a process may use."""
LINE_ENDS = re.compile(rb"[\r\n]+")
CHUNK = 65536


class Commands:
    """Runs commands of stages. `gpus` are the names of CUDA devices; a stage gets as many of them as `on_gpu` says.

    `show(stage, line)` receives the last line that a stage has printed, `started(stage)` is called when its command starts.
    `inherited` are open files that the processes keep open. `statuses` has the exit status of each command that ended.
    """

    def __init__(
        self,
        started: Callable[[str], None],
        show: Callable[[str, str], None],
        gpus: Iterable[str] = (),
        on_gpu: Mapping[str, int] | None = None,
        inherited: Iterable[int] = (),
    ):
        self.statuses: dict[str, int] = {}
        self.stopped = False
        self._started, self._show = started, show
        self._gpus, self._on_gpu, self._inherited = list(gpus), dict(on_gpu or {}), tuple(inherited)
        self._free = list(self._gpus)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()

    def execute(self, stage: str, command: str | list[str], arguments: dict[str, Any]) -> int:
        """Run a command of a stage with these arguments for subprocess.Popen, and return its exit status.

        The status of a command that a signal ended is that of a shell, 128 plus the number of the signal.
        """
        self._started(stage)
        with self._lock:
            number = self._on_gpu.get(stage, 0)
            gpus, self._free = self._free[:number], self._free[number:]
        if gpus:
            arguments = arguments | {"env": arguments["env"] | {CUDA_DEVICES: ",".join(gpus)}}
        try:
            with log(stage).open("wb") as output:
                status = self._run(stage, command, output, arguments)
        finally:
            with self._lock:
                self._running.pop(stage, None)
                self._free = sorted(gpus + self._free, key=self._gpus.index)
        self.statuses[stage] = status
        return status

    def stop(self) -> None:
        """Kill all running commands; later ones fail at once."""
        with self._lock:
            self.stopped = True
            for process in self._running.values():
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)

    def _run(self, stage: str, command: str | list[str], output: BinaryIO, arguments: dict[str, Any]) -> int:
        with self._lock:
            if self.stopped:
                return KILLED + signal.SIGKILL
            process = self._running[stage] = subprocess.Popen(
                command,
                **arguments | {"close_fds": True},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=self._inherited,
            )
        last = b""
        with process:
            while chunk := process.stdout.read1(CHUNK):
                output.write(chunk)
                output.flush()
                lines = [line for line in LINE_ENDS.split(last + chunk) if line.strip()]
                if lines:
                    self._show(stage, lines[-1].decode(errors="replace").strip())
                last = b"" if chunk[-1:] in b"\r\n" or not lines else lines[-1]
        return shell_status(process.returncode)


def log(stage: str) -> Path:
    """The file with the output of a stage."""
    LOGS.mkdir(parents=True, exist_ok=True)
    return LOGS / f"{stage}.log"


def reason(stage: str, status: int) -> str:
    """Why the command of a stage failed: the signal that ended it, or the error that it printed last, in one line."""
    with suppress(ValueError):  # the status does not stand for a signal
        name = signal.Signals(status - KILLED).name
        return f"killed by {name}" + (", which the system sends when memory runs out" if name == "SIGKILL" else "")
    lines = [line.strip() for line in re.split(r"[\r\n]+", log(stage).read_text(errors="replace")) if line.strip()]
    errors = [line for line in lines if line.startswith("error: ")] or lines[-1:] or [f"exit status {status}"]
    return errors[-1].removeprefix("error: ")
