"""Start stages in a tenth of a second: a server imports the libraries once and forks a process for each stage.

On a small data set, a stage spends as much time on importing torch, SciPy and scikit-learn as on its computations: a few
seconds. Therefore `aebench reproduce` prepends a folder with its own `python` to DVC's PATH. This `python` passes
`-m stages.<name> ...` to a server, which has imported the libraries in `PRELOADED` but no module of this project. The server
forks, and the child runs the stage as Python would. Any other command is passed to the real Python. Server and client are this
file run as a program, so it imports only the standard library. Only Linux is supported: on other systems the libraries are not
fork-safe.
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
    "torch._dynamo",  # otherwise imported by the first optimiser
    "scipy.optimize",
    "scipy.stats",
    "sklearn.cluster",
    "sklearn.mixture",
    "openTSNE",
    "pandas",
]
CLIENT = '#!/bin/sh\nexec "{python}" -SE "{program}" request "{address}" "$@"\n'


@contextmanager
def python() -> Iterator[list[str]]:
    """Yield folders to prepend to PATH: one whose `python` passes stages to a server, or none if forking is unsupported."""
    if sys.platform != "linux":
        yield []
        return
    with tempfile.TemporaryDirectory(prefix="aebench-") as folder:
        address, client = f"{folder}/stages", Path(folder, "python")
        client.write_text(CLIENT.format(python=sys.executable, program=__file__, address=address))
        client.chmod(0o700)
        with subprocess.Popen([sys.executable, __file__, "serve", address], stdin=subprocess.PIPE):
            yield [folder]  # leaving the block closes stdin, which stops the server


def serve(address: str) -> None:
    """Fork a process for each request until stdin is closed."""
    sys.path[0] = str(Path.cwd())  # as for `python -m`; the folder of this file would shadow modules of the standard library
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # finished children leave no zombies
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
                os._exit(_run_stage(client))
            client.close()


def _run_stage(client: socket.socket) -> int:
    """Run the requested stage and send the exit status to the client; exit if the client disconnects."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    arguments, status = json.loads(client.makefile().readline()), 1
    Thread(target=lambda: client.recv(1) or os._exit(status), daemon=True).start()
    sys.argv = arguments
    try:
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as exit_:
        status = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    client.sendall(bytes([status]))
    return status


def request(address: str, *arguments: str) -> None:
    """Run Python with these arguments: stages on the server if it is reachable, any other command in this process."""
    with socket.socket(socket.AF_UNIX) as server, suppress(OSError):
        if "".join(arguments[:2]).startswith("-mstages."):
            server.connect(address)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            server.sendall(json.dumps(arguments[1:]).encode() + b"\n")
            sys.exit(int.from_bytes(server.recv(1) or b"\1"))
    os.execv(sys.executable, [sys.executable, *arguments])


if __name__ == "__main__":
    {"serve": serve, "request": request}[sys.argv[1]](*sys.argv[2:])
