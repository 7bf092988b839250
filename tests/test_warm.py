"""A stage that the server forks is what Python would have run; what is not a stage, or finds no server, Python runs."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aebench import warm
from aebench.parallel import side_by_side

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere stages start cold")
STAGE = """
import json, os, sys, time
from pathlib import Path
told = {"arguments": sys.argv[1:], "name": __name__, "file": __file__, "folder": os.getcwd(), "pid": os.getpid()}
told["libraries"] = [name for name in ("torch", "sklearn", "aebench", "stages") if name in sys.modules]
Path("told.partial").write_text(json.dumps(told))
Path("told.partial").rename("told.json")
exec(sys.argv[1])
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A project of one stage, which tells what it was given and does what it is told."""
    place = tmp_path_factory.mktemp("project")
    (place / "stages").mkdir()
    (place / "stages" / "__init__.py").touch()
    (place / "stages" / "tell.py").write_text(STAGE)
    return place


@pytest.fixture(scope="module")
def warmed(folder):
    """The environment in which `python` asks a server."""
    here = Path.cwd()
    os.chdir(folder)
    try:
        with warm.python() as first:
            wait_for(Path(first[0], "stages").exists)
            yield os.environ | {"PATH": os.pathsep.join([*first, os.environ["PATH"]])}
    finally:
        os.chdir(here)


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def told(folder):
    return json.loads((folder / "told.json").read_text())


def run(command, env, folder):
    (folder / "told.json").unlink(missing_ok=True)
    return subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, check=False)


def test_a_stage_is_forked_with_libraries_and_without_the_project(warmed, folder):
    assert run(["python", "-m", "stages.tell", "pass", "b c", ""], warmed, folder).returncode == 0
    found = told(folder)
    assert found["arguments"] == ["pass", "b c", ""] and found["name"] == "__main__"
    assert Path(found["folder"]) == folder and Path(found["file"]) == folder / "stages" / "tell.py"
    assert found["libraries"] == ["torch", "sklearn", "stages"]


@pytest.mark.parametrize(
    ("end", "status"),
    [("pass", 0), ("sys.exit()", 0), ("sys.exit(3)", 3), ("sys.exit('no')", 1), ("1 / 0", 1), ("os.kill(os.getpid(), 9)", 1)],
)
def test_its_exit_status_is_passed_on(warmed, folder, end, status):
    assert run(["python", "-m", "stages.tell", end], warmed, folder).returncode == status
    assert told(folder)["libraries"] == ["torch", "sklearn", "stages"]


def test_a_stage_may_have_processes_of_its_own(warmed, folder):
    end = "import subprocess; sys.exit(subprocess.run(['sh', '-c', 'exit 5']).returncode)"
    assert run(["python", "-m", "stages.tell", end], warmed, folder).returncode == 5


def test_a_stage_ends_with_whoever_asked_for_it(warmed, folder):
    (folder / "told.json").unlink(missing_ok=True)
    asking = subprocess.Popen(["python", "-m", "stages.tell", "time.sleep(600)"], env=warmed, cwd=folder)
    wait_for((folder / "told.json").exists)
    stage = Path("/proc", str(told(folder)["pid"]))
    assert stage.exists() and told(folder)["pid"] != asking.pid
    asking.kill()
    asking.wait()
    wait_for(lambda: not stage.exists())


@pytest.mark.parametrize("command", [["-c", "print(6 * 7)"], ["-m", "this_is.no_stage"], ["-"]])
def test_whatever_is_no_stage_is_pythons(warmed, folder, command):
    given, expected = (
        subprocess.run(
            [python, *command], env=warmed, cwd=folder, capture_output=True, text=True, check=False, input="print(1)"
        )
        for python in ("python", sys.executable)
    )
    assert (given.returncode, given.stdout, given.stderr) == (expected.returncode, expected.stdout, expected.stderr)


def test_a_stage_that_finds_no_server_starts_cold(folder):
    command = [sys.executable, warm.__file__, "ask", str(folder / "nobody"), "-m", "stages.tell", "sys.exit(4)"]
    assert run(command, os.environ, folder).returncode == 4
    assert told(folder)["libraries"] == ["stages"]


def test_side_by_side_is_in_order_and_in_processes():
    assert list(side_by_side(pow_2, range(5), 1)) == list(side_by_side(pow_2, range(5), 2)) == [1, 2, 4, 8, 16]
    assert set(side_by_side(whose, range(4), 1)) == {os.getpid()}
    assert os.getpid() not in set(side_by_side(whose, range(4), 2))


def pow_2(n):
    time.sleep(0.1 / (1 + n))
    return 2**n


def whose(_):
    return os.getpid()
