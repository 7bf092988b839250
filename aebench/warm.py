"""Stages that start in a tenth of a second: a server that has imported the libraries forks a process for each.

A stage of the small data set computes for a few seconds and imports torch, SciPy and scikit-learn for as many. So `aebench
reproduce` lends DVC a `python` that hands `-m stages.<name> ...` to a server, which has imported what `PRELOADED` names and
nothing of this project; it forks, and the fork runs the stage as Python would. Whatever else is asked of this `python`, the
real one does. The server and that `python` are programs of this file, too, which therefore imports the standard library alone.
Linux only: elsewhere libraries do not survive a fork.
"""

import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

PRELOADED = [
    "torch",
    "torch._dynamo",
    "scipy.optimize",
    "scipy.stats",
    "sklearn.cluster",
    "sklearn.mixture",
    "openTSNE",
    "pandas",
]
"""What stages import sooner or later; `torch._dynamo` when a first optimiser is made."""
SHIM = '#!/bin/sh\nexec "{python}" -SE "{program}" ask "{address}" "$@"\n'


@contextmanager
def python() -> Iterator[list[str]]:
    """Folders for the front of PATH: one whose `python` hands stages to a server; none where it cannot be."""
    if sys.platform != "linux":
        yield []
        return
    with tempfile.TemporaryDirectory(prefix="aebench-") as folder:
        address, shim = f"{folder}/stages", Path(folder, "python")
        shim.write_text(SHIM.format(python=sys.executable, program=__file__, address=address))
        shim.chmod(0o700)
        with subprocess.Popen([sys.executable, __file__, "serve", address], stdin=subprocess.PIPE):
            yield [folder]  # then stdin is closed, and the server ends


def serve(address: str) -> None:
    """Fork for each that asks, until stdin is closed."""
    sys.path[0] = str(Path.cwd())  # of `python -m`, not this file's folder, whose names would hide the library's
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen()
        while server in select.select([server, sys.stdin], [], [])[0]:
            client, _ = server.accept()
            for name in PRELOADED:
                with suppress(ImportError):
                    importlib.import_module(name)
            if os.fork() == 0:
                server.close()
                os._exit(_stage(client))
            client.close()


def _stage(client: socket.socket) -> int:
    """Run the stage that the client names, and tell it the exit status; end if it is gone."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    arguments, status = json.loads(client.makefile().readline()), 1
    Thread(target=lambda: client.recv(1) or os._exit(status), daemon=True).start()
    sys.argv = arguments
    try:
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    client.sendall(bytes([status]))
    return status


def ask(address: str, *arguments: str) -> None:
    """What Python does with these arguments."""
    with socket.socket(socket.AF_UNIX) as server, suppress(OSError):
        if "".join(arguments[:2]).startswith("-mstages."):
            server.connect(address)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            server.sendall(json.dumps(arguments[1:]).encode() + b"\n")
            sys.exit(int.from_bytes(server.recv(1) or b"\1"))
    os.execv(sys.executable, [sys.executable, *arguments])


if __name__ == "__main__":
    {"serve": serve, "ask": ask}[sys.argv[1]](*sys.argv[2:])
