"""Start stages in a tenth of a second: a server imports the libraries once and forks a process for each stage.

On a small data set, a stage spends as much time on importing torch, SciPy and scikit-learn as on its computations: a few
seconds. Therefore `aebench run` prepends a folder with its own `python` to the PATH of the stages. This `python` passes
`-m stages.<name> ...`, its environment, its working folder and its standard streams to a server, which has imported the
libraries in `PRELOADED` but no module of this project. The server forks, and the child runs the stage as Python would. Any
other command is passed to the real Python. Server and client are this file run as a program, so it imports only the standard
library. Only Linux is supported: on other systems the libraries are not fork-safe.

Each stage runs in its own session. The session is killed when the client goes away or when the server's stdin is closed,
as it is when the process that started the server dies. The server, not the stage, reports the exit status, so a stage that is
killed ends at once even if processes that it started are left.
"""

import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

PRELOADED = [
    "torch",
    "torch._dynamo",  # otherwise imported by the first optimiser
    "scipy.optimize",
    "scipy.stats",
    "sklearn.cluster",
    "sklearn.mixture",
    "openTSNE",
    "pandas",
    "pydantic",
    "ruamel.yaml",
]
CLIENT_OF_CLUSTER = ["distributed"]
"""Imported in addition if stages run on a cluster."""
CLIENT = '#!/bin/sh\nexec "{python}" -SE "{program}" request "{address}" "$@"\n'
KILLED = 128
"""Added to the number of the signal that killed a stage, as shells do."""


@contextmanager
def python(inherited: Sequence[int] = ()) -> Iterator[list[str]]:
    """Yield folders to prepend to PATH: one whose `python` passes stages to a server, or none if forking is unsupported.

    `inherited` are open files that the server and the stages keep open.
    """
    if sys.platform != "linux":
        yield []
        return
    with tempfile.TemporaryDirectory(prefix="aebench-") as folder:
        address, client = f"{folder}/stages", Path(folder, "python")
        client.write_text(CLIENT.format(python=sys.executable, program=__file__, address=address))
        client.chmod(0o700)
        command = [sys.executable, __file__, "serve", address]
        with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True, pass_fds=inherited):
            yield [folder]  # leaving the block closes stdin, which stops the server


def serve(address: str) -> None:
    """Run a stage for each request until stdin is closed."""
    sys.path[0] = ""  # the folder of this file would shadow modules of the standard library
    stages: dict[int, tuple[int, socket.socket]] = {}  # descriptor of a stage's process -> its id and client
    with socket.socket(socket.AF_UNIX) as server, selectors.DefaultSelector() as events:
        server.bind(address)
        server.listen(64)
        events.register(server, selectors.EVENT_READ)
        events.register(sys.stdin, selectors.EVENT_READ)
        while True:
            for key, _ in events.select():
                if key.fileobj is server:
                    client, _ = server.accept()
                    process = _fork(client, (server, events, *(other for _, other in stages.values())))
                    if process is None:  # the client has gone
                        client.close()
                        continue
                    stages[watched := os.pidfd_open(process)] = process, client
                    events.register(watched, selectors.EVENT_READ)
                    events.register(client, selectors.EVENT_READ, process)
                elif key.fileobj is sys.stdin:
                    for process, _ in stages.values():
                        _kill(process)
                    return
                elif key.data:  # the client has gone; its stage ends, too
                    events.unregister(key.fileobj)
                    _kill(key.data)
                else:
                    process, client = stages.pop(key.fd)
                    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
                    _kill(process)  # processes that it started and left
                    events.unregister(key.fd)
                    os.close(key.fd)
                    with suppress(KeyError):
                        events.unregister(client)
                    with suppress(OSError), client:
                        client.sendall(bytes([shell_status(status)]))


def _fork(client: socket.socket, held: Sequence[socket.socket | selectors.BaseSelector]) -> int | None:
    """Run the stage that a client requests in a process of its own and return its id; None if the client has gone.

    `held` is closed in the new process.
    """
    request, descriptors = _receive(client)
    if not request:
        return None
    for name in PRELOADED + CLIENT_OF_CLUSTER * ("AEBENCH_SCHEDULER" in os.environ):
        with suppress(ImportError):
            importlib.import_module(name)
    gc.freeze()  # a collection in a child would copy the memory that it shares with the server
    process = os.fork()
    if process == 0:
        for each in (*held, client):
            each.close()
        os._exit(_run_stage(request, descriptors))
    for descriptor in descriptors:
        os.close(descriptor)
    return process


def shell_status(status: int) -> int:
    """The exit status of a process as a shell gives it: 128 plus the number of the signal that ended it, if any."""
    return status if status >= 0 else KILLED - status


def _receive(client: socket.socket) -> tuple[dict, list[int]]:
    """Return a request and the client's standard streams; ({}, []) if the client has gone."""
    head, descriptors, _, _ = socket.recv_fds(client, 4, 3)
    if len(head) < 4:
        return {}, []
    length, body = int.from_bytes(head), b""
    while len(body) < length and (part := client.recv(length - len(body))):
        body += part
    return (json.loads(body), descriptors) if len(body) == length else ({}, [])


def _kill(process: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process, signal.SIGKILL)
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)  # it may not lead its session yet


def _run_stage(request: dict, descriptors: list[int]) -> int:
    """Run the requested stage in this process and return its exit status."""
    os.setsid()
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.path[0], sys.argv = request["folder"], request["arguments"]
    status = 0
    try:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    except SystemExit as exit_:
        status = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
        if isinstance(exit_.code, str):
            print(exit_.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        status = 1
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    return status


def request(address: str, *arguments: str) -> None:
    """Run Python with these arguments: stages on the server if it is reachable, any other command in this process."""
    with socket.socket(socket.AF_UNIX) as server, suppress(FileNotFoundError, ConnectionRefusedError):
        if "".join(arguments[:2]).startswith("-mstages."):
            server.connect(address)
            content = {"arguments": arguments[1:], "folder": str(Path.cwd()), "environment": dict(os.environ)}
            body = json.dumps(content).encode()
            socket.send_fds(server, [len(body).to_bytes(4)], [0, 1, 2])
            server.sendall(body)
            sys.exit(int.from_bytes(server.recv(1) or b"\1"))
    os.execv(sys.executable, [sys.executable, *arguments])


if __name__ == "__main__":
    {"serve": serve, "request": request}[sys.argv[1]](*sys.argv[2:])
