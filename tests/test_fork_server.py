"""Tests of the fork server, which must run a stage exactly as Python does, and of the parallel map."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aebench.pipeline import fork_server
from aebench.training.parallel import parallel_map

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere stages start cold")
STAGE = """
import json, os, sys, time
from pathlib import Path
record = {"arguments": sys.argv[1:], "name": __name__, "file": __file__, "folder": os.getcwd(), "pid": os.getpid()}
record["libraries"] = [name for name in ("torch", "sklearn", "aebench", "stages") if name in sys.modules]
Path("record.partial").write_text(json.dumps(record))
Path("record.partial").rename("record.json")
exec(sys.argv[1])
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A project with one stage, which records how it was started and executes its first argument."""
    root = tmp_path_factory.mktemp("project")
    (root / "stages").mkdir()
    (root / "stages" / "__init__.py").touch()
    (root / "stages" / "record.py").write_text(STAGE)
    return root


@pytest.fixture(scope="module")
def served(folder):
    """An environment in which `python` passes stages to a server."""
    here = Path.cwd()
    os.chdir(folder)
    try:
        with fork_server.python() as folders:
            wait_for(Path(folders[0], "stages").exists)
            yield os.environ | {"PATH": os.pathsep.join([*folders, os.environ["PATH"]])}
    finally:
        os.chdir(here)


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def record(folder):
    return json.loads((folder / "record.json").read_text())


def run(command, env, folder):
    (folder / "record.json").unlink(missing_ok=True)
    return subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, check=False)


def test_a_forked_stage_has_the_libraries_but_no_module_of_the_project(served, folder):
    assert run(["python", "-m", "stages.record", "pass", "b c", ""], served, folder).returncode == 0
    recorded = record(folder)
    assert recorded["arguments"] == ["pass", "b c", ""] and recorded["name"] == "__main__"
    assert Path(recorded["folder"]) == folder and Path(recorded["file"]) == folder / "stages" / "record.py"
    assert recorded["libraries"] == ["torch", "sklearn", "stages"]


@pytest.mark.parametrize(
    ("end", "status"),
    [("pass", 0), ("sys.exit()", 0), ("sys.exit(3)", 3), ("sys.exit('no')", 1), ("1 / 0", 1), ("os.kill(os.getpid(), 9)", 137)],
)
def test_the_exit_status_is_passed_on(served, folder, end, status):
    assert run(["python", "-m", "stages.record", end], served, folder).returncode == status
    assert record(folder)["libraries"] == ["torch", "sklearn", "stages"]


def test_a_stage_may_start_processes(served, folder):
    end = "import subprocess; sys.exit(subprocess.run(['sh', '-c', 'exit 5']).returncode)"
    assert run(["python", "-m", "stages.record", end], served, folder).returncode == 5


def test_a_stage_ends_when_its_client_is_killed(served, folder):
    (folder / "record.json").unlink(missing_ok=True)
    client = subprocess.Popen(["python", "-m", "stages.record", "time.sleep(600)"], env=served, cwd=folder)
    wait_for((folder / "record.json").exists)
    stage = Path("/proc", str(record(folder)["pid"]))
    assert stage.exists() and record(folder)["pid"] != client.pid
    client.kill()
    client.wait()
    wait_for(lambda: not stage.exists())


@pytest.mark.parametrize("command", [["-c", "print(6 * 7)"], ["-m", "this_is.no_stage"], ["-"]])
def test_other_commands_go_to_python(served, folder, command):
    result, expected = (
        subprocess.run(
            [python, *command], env=served, cwd=folder, capture_output=True, text=True, check=False, input="print(1)"
        )
        for python in ("python", sys.executable)
    )
    assert (result.returncode, result.stdout, result.stderr) == (expected.returncode, expected.stdout, expected.stderr)


def test_without_a_server_python_runs_the_stage(folder):
    command = [sys.executable, fork_server.__file__, "request", str(folder / "missing"), "-m", "stages.record", "sys.exit(4)"]
    assert run(command, os.environ, folder).returncode == 4
    assert record(folder)["libraries"] == ["stages"]


def test_parallel_map_keeps_the_order_and_uses_processes():
    assert list(parallel_map(pow_2, range(5), 1)) == list(parallel_map(pow_2, range(5), 2)) == [1, 2, 4, 8, 16]
    assert set(parallel_map(process, range(4), 1)) == {os.getpid()}
    assert os.getpid() not in set(parallel_map(process, range(4), 2))


def pow_2(n):
    time.sleep(0.1 / (1 + n))
    return 2**n


def process(_):
    return os.getpid()


def test_the_processes_of_a_parallel_map_end_when_their_parent_is_killed(tmp_path):
    code = """
import os, time
from pathlib import Path
from aebench.training.parallel import parallel_map
def work(item):
    Path(f"{item}.pid").write_text(str(os.getpid()))
    time.sleep(60)
list(parallel_map(work, [0, 1], 2))
"""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)}
    with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, env=environment) as parent:
        wait_for(lambda: len([file for file in tmp_path.glob("*.pid") if file.read_text()]) == 2)
        parent.kill()
    pids = [int(file.read_text()) for file in tmp_path.glob("*.pid")]
    wait_for(lambda: not any(map(running, pids)), seconds=20)


def running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
