"""A real pipeline that is killed at random moments must end with the results of one that is not.

Three kills by default; AEBENCH_KILLS=30 makes more. AEBENCH_KILL_SEED (default 0) chooses the moments.
"""

import os
import random
import signal
import subprocess
import sys
import time

import pytest
from mlflow import MlflowClient
from project import BIN, clone
from ruamel.yaml import YAML
from test_pipeline import TIMED

from aebench.pipeline.lock import WITH_WALL_TIMES

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="locks and sessions of Unix")]
KILLS, SEED = int(os.environ.get("AEBENCH_KILLS", "3")), int(os.environ.get("AEBENCH_KILL_SEED", "0"))
MODELS = "ae stacked"
KILLS_PER_CLONE = 3
VARYING = {"runs", "runs/smoke", "runs/pages", "reports", "reports/index.html", "runs/pages/smoke.html"}
VARYING |= {f"reports/smoke/{name}" for name in (*TIMED, "tables", "figures", "pdf")}
"""Paths in dvc.lock with wall times, or of folders with such files; besides those in WITH_WALL_TIMES."""
COMMAND = [sys.executable, "-c", "from aebench.cli import main; main()", "run", "-j", "2"]


def start(project):
    environment = os.environ | {"PYTHONPATH": str(project.folder), "PATH": f"{BIN}:{os.environ['PATH']}"}
    with (project.folder / ".dvc/tmp/output.log").open("a") as output:
        streams = {"stdout": output, "stderr": subprocess.STDOUT}
        return subprocess.Popen(COMMAND, cwd=project.folder, env=environment, start_new_session=True, **streams)


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


def test_a_pipeline_killed_at_random_moments_ends_as_if_undisturbed(tmp_path):
    undisturbed = clone(tmp_path / "undisturbed", models=MODELS)
    begin = time.monotonic()
    expected = finish(undisturbed)
    seconds, rng, kills, clones = time.monotonic() - begin, random.Random(SEED), 0, 0
    assert len(expected["files"]) > 100 and len(expected["lock"]) == 13 and not expected["left"]
    while kills < KILLS:
        project, begun = clone(tmp_path / f"killed{clones}", models=MODELS), kills
        while kills < min(KILLS, begun + KILLS_PER_CLONE):
            run, moment, alone = start(project), rng.uniform(0, seconds), rng.random() < 0.5
            try:
                run.wait(moment)
                break
            except subprocess.TimeoutExpired:
                (os.kill if alone else os.killpg)(run.pid, signal.SIGKILL)
                kills += 1
                log = (project.folder / ".dvc/tmp/output.log").read_text()
                last = [line for line in log.splitlines() if line.startswith("[")][-1:]
                print(f"kill {kills} after {moment:.1f} s, {'the process' if alone else 'its group'}; last: {last}")
                assert run.wait() == -signal.SIGKILL
        got = finish(project)
        assert got["lock"] == expected["lock"]
        assert got["files"].keys() == expected["files"].keys()
        assert [name for name in got["files"] if got["files"][name] != expected["files"][name]] == []
        assert (got["runs"], got["left"]) == (expected["runs"], [])
        assert "Traceback" not in (project.folder / ".dvc/tmp/output.log").read_text()
        clones += 1
