"""MLflow is a copy: its store may be locked or its server die, and no run is lost or duplicated once it is back."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import suppress

import pytest
from test_tracking import RUNS, counts, edit_metric, mirrored, project, shown, track  # noqa: F401 (fixtures)

from aebench.errors import InputError
from aebench.tracking.mirror import mirror

PROGRAM = """
import mlflow.store.tracking.sqlalchemy_store
from aebench.tracking.mirror import mirror
print("ready", flush=True)
print(mirror().logged)
"""


@pytest.mark.slow
def test_a_locked_store_is_waited_for(project):  # noqa: F811
    """Another process, such as a user's own, writes for a moment."""
    edit_metric()
    other = sqlite3.connect(project / "mlflow.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert program.stdout.readline() == "ready\n"
    time.sleep(2)
    assert program.poll() is None
    other.execute("COMMIT")
    assert program.communicate(timeout=60)[0].strip() == "4"
    assert len(shown()) == RUNS


@pytest.mark.reliability
def test_a_store_that_stays_locked_is_one_line_and_loses_nothing(project, tried):  # noqa: F811
    edit_metric()
    other = sqlite3.connect(project / "mlflow.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    stage = track(project)
    assert stage.returncode == 1 and stage.stderr.count("\n") == 1 and "database is locked" in stage.stderr
    other.execute("ROLLBACK")
    assert counts(mirror()) == (4, RUNS - 4, 4) and len(shown()) == RUNS
    tried("runs with a store of MLflow that stays locked", 1, "one line; the next run completes the store")


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def servers():
    """Servers of MLflow, which end with the test."""
    started = []
    yield started
    for server in started:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def serve(folder, port, servers):
    """Start an MLflow server in a session of its own and wait until it answers."""
    store = f"sqlite:///{folder}/mlflow.db"
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store, "--port", str(port), "--workers", "1"]
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
    server, end = subprocess.Popen(command, cwd=folder, **streams), time.monotonic() + 90
    servers.append(server)
    while time.monotonic() < end:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return server
        time.sleep(0.2)
    raise TimeoutError("the server did not start")


@pytest.mark.reliability
def test_a_server_that_dies_is_one_line_and_the_next_run_completes_its_store(project, monkeypatch, servers, tried):  # noqa: F811
    from mlflow import MlflowClient

    edit_metric()
    for name, value in {"MAX_RETRIES": "0", "TIMEOUT": "20"}.items():
        monkeypatch.setenv(f"MLFLOW_HTTP_REQUEST_{name}", value)
    deaths = (2,)
    for death in deaths:
        port = free_port()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
        server, calls, log_batch = serve(project, port, servers), [], MlflowClient.log_batch

        def dying(*args, calls=calls, death=death, server=server, log_batch=log_batch, **kwargs):
            calls.append(args)
            if len(calls) == death:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()
            return log_batch(*args, **kwargs)

        with monkeypatch.context() as patch, pytest.raises(InputError, match="must be a reachable store, got http"):
            patch.setattr(MlflowClient, "log_batch", dying)
            mirror()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{project}/mlflow.db")
    assert counts(mirror())[:2] == (4, RUNS - 4)
    assert len(shown()) == RUNS
    tried("servers of MLflow killed while runs are logged", len(deaths), "one line each; no run lost or duplicated")
