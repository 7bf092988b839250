"""A real pipeline that is killed at random moments must end with the results of one that is not.

`make`, the run, DVC or the processes of a stage are killed, alone or with their group. Three kills by default;
AEBENCH_KILLS=30 makes more. AEBENCH_KILL_SEED (default 0) chooses the moments.
"""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from mlflow import MlflowClient
from project import BIN, clone
from ruamel.yaml import YAML
from test_pipeline import TIMED

from aebench.storage.lock import WITH_WALL_TIMES

pytestmark = pytest.mark.skipif(os.name == "nt", reason="locks and sessions of Unix")
KILLS, SEED = int(os.environ.get("AEBENCH_KILLS", "3")), int(os.environ.get("AEBENCH_KILL_SEED", "0"))
MODELS = "ae stacked"
KILLS_PER_CLONE = 3
VARYING = {"runs", "runs/smoke", "runs/pages", "reports", "reports/index.html", "runs/pages/smoke.html"}
VARYING |= {f"reports/smoke/{name}" for name in (*TIMED, "tables", "figures", "pdf")}
"""Paths in dvc.lock with wall times, or of folders with such files; besides those in WITH_WALL_TIMES."""
AEBENCH = [sys.executable, "-c", "from aebench.cli import main; main()", "run", "-j", "2"]
COMMANDS = {"make": ["make", "-s", "reproduce", "JOBS=2"], "aebench run": AEBENCH, "dvc repro": ["dvc", "repro", "-q"]}
VICTIMS = ("the process", "its group", "a stage", "a process of a stage")


def start(project, command):
    """Start a command in a session of its own."""
    environment = os.environ | {"PYTHONPATH": str(project.folder), "PATH": f"{BIN}:{os.environ['PATH']}"}
    with (project.folder / ".dvc/tmp/output.log").open("a") as output:
        streams = {"stdout": output, "stderr": subprocess.STDOUT}
        return subprocess.Popen(command, cwd=project.folder, env=environment, start_new_session=True, **streams)


def kill(run, victim, rng):
    """Kill a victim among the processes of a run; returns what was killed. Without a stage, the process itself is killed."""
    processes = psutil.Process(run.pid).children(recursive=True)
    stages = [process for process in processes if "stages." in " ".join(_command(process))]
    if victim == "its group":
        os.killpg(run.pid, signal.SIGKILL)
        return victim
    chosen = {"a stage": stages[:1], "a process of a stage": rng.sample(stages, 1) if stages else []}.get(victim, [])
    with suppress(psutil.NoSuchProcess):
        for process in chosen or [psutil.Process(run.pid)]:
            process.kill()
    return f"{victim}: {' '.join(_command(chosen[0])[-4:])}" if chosen else "the process"


def _command(process):
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def ready(project):
    """Let make find the environment of the tests."""
    (project.folder / ".venv/bin").mkdir(parents=True)
    for program in BIN.iterdir():
        if program.name in ("python", "dvc", "mlflow"):
            (project.folder / ".venv/bin" / program.name).symlink_to(program)
    aebench = project.folder / ".venv/bin/aebench"
    aebench.write_text(f"#!/bin/sh\nexec {sys.executable} -c 'from aebench.cli import main; main()' \"$@\"\n")
    aebench.chmod(0o755)
    (project.folder / ".venv/bin/.ready").touch()


def varies(path):
    return path in VARYING or bool(set(path.split("/")) & set(WITH_WALL_TIMES))


def results(project):
    """Reports and runs without wall times, the entries of dvc.lock without their checksums, and the runs in MLflow."""
    found = {path.relative_to(project.folder).as_posix(): path for path in project.folder.rglob("*") if path.is_file()}
    files = {
        name: path.read_bytes()
        for name, path in found.items()
        if name.startswith(("reports/", "runs/", "data/", "docs/lecture.md")) and not varies(name)
    }
    lock = YAML(typ="safe", pure=True).load(project.folder / "dvc.lock")["stages"]
    for entry in lock.values():
        for file in (*entry.get("deps", ()), *entry.get("outs", ())):
            if varies(file["path"]):
                file.pop("md5")
                file.pop("size")
    client = MlflowClient(f"sqlite:///{project.folder}/mlflow.db")
    experiment = client.get_experiment_by_name("aebench/smoke")
    runs = sorted(run.info.run_name for run in client.search_runs([experiment.experiment_id]))
    left = [name for name in found if name.endswith(".partial") or name.startswith(".checkpoints/")]
    return {"files": files, "lock": lock, "runs": runs, "left": left}


def finish(project):
    project.aebench("run", "-j", "2")
    assert project.dvc_json("status", "--json") == {}
    return results(project)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The results of a run that was not killed, and the seconds that it took."""
    project, begin = clone(tmp_path_factory.mktemp("undisturbed") / "p", models=MODELS), time.monotonic()
    expected = finish(project)
    seconds = time.monotonic() - begin
    assert len(expected["files"]) > 100 and len(expected["lock"]) == 13 and not expected["left"]
    return expected, seconds


def run_with_kills(folder, undisturbed, kills, rng):
    """Run a project until it has been killed `kills` times or has finished, then finish it; returns the number of kills."""
    (expected, seconds), project, done = undisturbed, clone(folder, models=MODELS), 0
    ready(project)
    while done < kills:
        name = rng.choice([*COMMANDS])
        run, moment, victim = start(project, COMMANDS[name]), rng.uniform(0, seconds / 2), rng.choice(VICTIMS)
        try:
            run.wait(moment)
            break
        except subprocess.TimeoutExpired:
            killed = kill(run, victim, rng)
            done += 1
            log = (project.folder / ".dvc/tmp/output.log").read_text()
            last = [line for line in log.splitlines() if line.startswith("[")][-1:]
            print(f"kill {done} of {name} after {moment:.1f} s, {killed}; last: {last}")
            run.wait()
    got = finish(project)
    assert got["lock"] == expected["lock"]
    assert got["files"].keys() == expected["files"].keys()
    assert [name for name in got["files"] if got["files"][name] != expected["files"][name]] == []
    assert (got["runs"], got["left"]) == (expected["runs"], [])
    assert not re.search(r'File ".*/aebench/.*", line', (project.folder / ".dvc/tmp/output.log").read_text()), "a traceback"
    return done


@pytest.mark.slow
def test_a_pipeline_killed_at_random_moments_ends_as_if_undisturbed(tmp_path, undisturbed):
    assert run_with_kills(tmp_path / "p", undisturbed, min(KILLS, 3), random.Random(SEED)) > 0


@pytest.mark.reliability
def test_pipelines_killed_many_times_end_as_if_undisturbed(tmp_path, undisturbed, tried):
    rng, kills = random.Random(SEED + 1), 0
    while kills < KILLS:
        kills += run_with_kills(tmp_path / "p", undisturbed, min(KILLS - kills, KILLS_PER_CLONE), rng)
        shutil.rmtree(tmp_path / "p")
    tried(
        "kill -9 of make, aebench run, dvc repro and of stages, at random moments",
        kills,
        "files equal, byte for byte, to those of an undisturbed run",
    )


TORN = """
import os, signal, sys
from pathlib import Path
replace, left = Path.replace, [int(sys.argv[1])]
def stop(self, target):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(self, target)
Path.replace = stop
sys.argv = sys.argv[2:]
import runpy
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
"""Runs a stage that is killed before its n-th file is renamed."""


@pytest.mark.reliability
def test_a_stop_between_writing_and_renaming_leaves_no_torn_file(tmp_path, undisturbed, tried):
    project, times = clone(tmp_path / "p", models=MODELS), 0
    project.aebench("run", "-j", "2")
    stages = [["stages.prepare", "smoke"], ["stages.train", "smoke", "ae"], ["stages.evaluate", "smoke", "ae"]]
    stages += [["stages.classify", "smoke", "ae"], ["stages.report", "smoke"], ["stages.index"]]
    expected = results(project)["files"]
    for stage in stages:
        for n in range(4):
            before = {path: path.read_bytes() for path in _outputs(project)}
            project.run("python", "-c", TORN, str(n), *stage, status=None)
            for path in _outputs(project):
                torn = not varies(path.relative_to(project.folder).as_posix()) and path.read_bytes() != before.get(path)
                assert not torn or path.name.endswith(".partial"), path
            times += 1
    project.aebench("run", "-j", "2")
    got = results(project)
    assert [name for name in expected if got["files"].get(name) != expected[name]] == []
    tried("kills of stages between writing and renaming a file", times, "no file truncated; the next run finishes")


def _outputs(project):
    folders = ("data", "runs", "reports", "docs")
    return [path for name in folders for path in Path(project.folder, name).rglob("*") if path.is_file()]
