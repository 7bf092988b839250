"""Tests of `aebench run` on small pipelines: it must leave what `dvc repro` leaves, after failures and kills, too."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from project import BIN, ROOT
from ruamel.yaml import YAML

from aebench.pipeline import dvc_stages

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="locks and sessions of Unix")]
PROGRAM = """
import sys
from aebench import errors
from aebench.pipeline import runner
with errors.one_line():
    outcome = runner.run([], sys.argv[2:], int(sys.argv[1]))
print(*outcome.lines(), sep="\\n")
sys.exit(bool(outcome.failures))
"""


class Pipeline:
    """A project with a dvc.yaml of shell commands."""

    def __init__(self, folder, stages):
        self.folder = folder
        self.environment = os.environ | {"PYTHONPATH": str(ROOT), "PATH": f"{BIN}:{os.environ['PATH']}", "SHELL": "/bin/sh"}
        folder.mkdir(parents=True)
        self.call("git", "init", "-q")
        self.call("dvc", "init", "-q")
        (folder / "source").write_text("source\n")
        (folder / "params.yaml").write_text("n: 1\n")
        self.write(stages)

    def write(self, stages):
        YAML().dump({"stages": stages}, self.folder / "dvc.yaml")

    def call(self, *command, status=0):
        done = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False)
        assert status is None or done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def start(self, jobs=2):
        command = [sys.executable, "-c", PROGRAM, str(jobs)]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(command, cwd=self.folder, env=self.environment, start_new_session=True, **streams)

    def run(self, *targets, jobs=2, status=0):
        return self.call(sys.executable, "-c", PROGRAM, str(jobs), *targets, status=status)

    def results(self):
        """Contents of all files but DVC's and Git's, and the entries of dvc.lock."""
        others = ("dvc.lock", ".dvc", ".git", ".gitignore")
        files = {path.relative_to(self.folder): path for path in self.folder.rglob("*") if path.is_file()}
        files = {str(name): path.read_bytes() for name, path in files.items() if name.parts[0] not in others}
        return files | {".gitignore": self.ignored()}, YAML(typ="safe", pure=True).load(self.folder / "dvc.lock")

    def ignored(self):
        return sorted((self.folder / ".gitignore").read_text().splitlines())

    def is_up_to_date(self):
        return json.loads(self.call("dvc", "status", "--json")) == {}


def stage(name, *needed, command=None, **fields):
    """A stage that joins what it depends on in a file with its name, and fails if one of its commands does."""
    needed = needed or ("source",)
    command = command or f"sleep 0.0{len(name)} && cat {' '.join(needed)} > {name} && echo {name} >> {name}"
    return {name: {"cmd": command, "deps": list(needed), "outs": [name]} | fields}


def layers(width=4, depth=4):
    """A graph of `depth` layers, with an output in Git, a metric, a persistent output and a folder."""
    stages = {}
    for layer in range(depth):
        for i in range(width):
            needed = [f"s{layer - 1}{j}" for j in (i, (i + 1) % width)] if layer else []
            stages |= stage(f"s{layer}{i}", *needed)
    last = [f"s{depth - 1}{i}" for i in range(width)]
    stages |= stage("report", *last, outs=[{"report": {"cache": False}}])
    stages |= stage("score", *last, command="echo '{\"a\": 1}' > score", outs=[], metrics=[{"score": {"cache": False}}])
    stages |= stage("kept", "s00", command="mkdir -p kept && cat s00 > kept/a", outs=[{"kept": {"persist": True}}])
    stages |= stage("folder", "s01", "kept", command="mkdir folder && cat s01 > folder/b && cp kept/a folder/a")
    stages["kept"]["params"] = ["n"]
    return stages


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The results of `dvc repro`."""
    pipeline = Pipeline(tmp_path_factory.mktemp("serial") / "p", layers())
    pipeline.call("dvc", "repro")
    assert pipeline.is_up_to_date()
    return pipeline.results()


@pytest.mark.parametrize("jobs", [1, 2, 6])
def test_a_run_leaves_what_dvc_repro_leaves(expected, tmp_path, jobs):
    pipeline = Pipeline(tmp_path / "p", layers())
    output = pipeline.run(jobs=jobs)
    assert pipeline.results() == expected and pipeline.is_up_to_date()
    assert "20 stages" in output and "20 ran" in output
    assert "didn't change" in pipeline.call("dvc", "repro") and "Running" not in pipeline.call("dvc", "repro")
    assert "all 20 stages are up to date" in pipeline.run()
    before = (pipeline.folder / "dvc.lock").read_text()
    pipeline.call("dvc", "commit", "-f")
    assert (pipeline.folder / "dvc.lock").read_text() == before  # DVC itself writes the same


def test_stages_whose_commands_will_run_are_known_beforehand(tmp_path, monkeypatch):
    """Neither an unchanged stage nor one that the run cache restores will run its command; asking changes nothing."""
    pipeline = Pipeline(tmp_path / "p", layers(2, 2))
    pipeline.run()
    monkeypatch.chdir(pipeline.folder)
    monkeypatch.setattr(dvc_stages.DvcStages, "execute", lambda *_: pytest.fail("a command has run"), raising=False)
    ran = {}
    for source in ("source\n", "other\n", "source\n"):
        Path("source").write_text(source)
        with dvc_stages.DvcStages() as stages:
            ran.setdefault(source, []).append([stages.will_compute("s00"), stages.will_compute("s00")])
        if source == "other\n":
            pipeline.run()
    assert ran == {"source\n": [[False, False], [False, False]], "other\n": [[True, True]]}
    assert "restored" in pipeline.run() and pipeline.is_up_to_date()


def test_a_stage_whose_inputs_do_not_exist_yet_will_run(tmp_path, monkeypatch):
    pipeline = Pipeline(tmp_path / "p", layers(2, 2))
    monkeypatch.chdir(pipeline.folder)
    with dvc_stages.DvcStages() as stages:
        assert {stages.will_compute(name) for name in stages.graph} == {True}


def test_changed_stages_run_and_reverted_ones_are_restored(tmp_path):
    pipeline = Pipeline(tmp_path / "p", layers())
    pipeline.run()
    before = pipeline.results()
    (pipeline.folder / "source").write_text("other\n")
    assert "20 ran" in pipeline.run()
    (pipeline.folder / "source").write_text("source\n")
    output = pipeline.run()
    assert "restored" in output and pipeline.results() == before
    (pipeline.folder / "s12").unlink()
    assert "1 restored" in pipeline.run() and pipeline.results() == before
    (pipeline.folder / "params.yaml").write_text("n: 2\n")
    assert "1 ran" in pipeline.run() and pipeline.is_up_to_date()


def test_settings_that_change_during_a_run_are_read_again(tmp_path):
    """DVC's parsed settings are kept in memory during a run."""
    write = stage("a", command="cat source > a; (echo n: 7; cat source) > settings.yaml", outs=["a", "settings.yaml"])
    read = stage("b", "a", command="cat settings.yaml > b", params=[{"settings.yaml": ["n", "m"]}])
    pipeline = Pipeline(tmp_path / "p", write | read)
    for number in (1, 2):
        (pipeline.folder / "source").write_text(f"m: {number}\n")
        assert "2 ran" in pipeline.run()
        entry = YAML(typ="safe").load(pipeline.folder / "dvc.lock")["stages"]["b"]
        assert entry["params"] == {"settings.yaml": {"n": 7, "m": number}} and pipeline.is_up_to_date()


def test_a_stage_that_reads_the_lock_finds_all_that_it_depends_on(tmp_path):
    count = "grep -c '^  s[0-9]*:' dvc.lock > count"
    reader = stage("count", "s00", "s01", "s02", command=count, meta={"reads_lock": True})
    pipeline = Pipeline(tmp_path / "p", stage("s00") | stage("s01") | stage("s02") | reader)
    pipeline.run(jobs=3)
    assert (pipeline.folder / "count").read_text() == "3\n"


def test_targets_and_groups(tmp_path):
    group = {"matrix": {"i": [1, 2]}, "cmd": "cat s00 > g${item.i}", "deps": ["s00"], "outs": ["g${item.i}"]}
    pipeline = Pipeline(tmp_path / "p", stage("s00") | stage("s01") | {"g": group} | stage("end", "g1", "g2", "s01"))
    assert "2 stages" in pipeline.run("g@1")
    assert "3 stages" in pipeline.run("g")
    assert not (pipeline.folder / "s01").exists()
    output = pipeline.run("g@3", status=1)
    assert output.startswith("error: a target must be a stage") and "got 'g@3' (did you mean 'g@" in output


def test_a_failure_stops_only_its_dependents_and_is_explained(tmp_path):
    bad = "echo working; echo 'error: rate must be above 0, got -1' >&2; exit 1"
    others = stage("c", "b") | stage("d", "a") | stage("e", "c", "d")
    pipeline = Pipeline(tmp_path / "p", stage("a") | stage("b", command=bad) | others)
    output = pipeline.run(status=1)
    assert "error: b: rate must be above 0, got -1" in output and "not run: c, e" in output
    assert (pipeline.folder / "d").exists() and not (pipeline.folder / "c").exists()
    assert "working" in (pipeline.folder / ".dvc/tmp/logs/b.log").read_text()
    pipeline.write(stage("a") | stage("b") | others)
    assert "3 ran" in (output := pipeline.run()) and "2 unchanged" in output


def test_stages_that_prefer_a_gpu_never_share_one_and_do_without(tmp_path):
    """The devices are those of CUDA_VISIBLE_DEVICES, so no GPU is needed; `mkdir` fails if two stages have the same one."""
    command = "mkdir gpu$CUDA_VISIBLE_DEVICES && sleep 0.3 && rmdir gpu$CUDA_VISIBLE_DEVICES && echo x > {0}"
    stages = {}
    for name in ("a", "b", "c", "d", "e"):
        stages |= stage(name, command=command.format(name) + f"; echo $CUDA_VISIBLE_DEVICES > .dvc/tmp/{name}")
        stages[name]["meta"] = {"prefers": {"gpu": 1}}
    pipeline = Pipeline(tmp_path / "p", stages)
    pipeline.environment["CUDA_VISIBLE_DEVICES"] = "3,5"
    assert "5 ran" in pipeline.run(jobs=4)
    assert {(pipeline.folder / ".dvc/tmp" / name).read_text().strip() for name in stages} == {"3", "5"}
    pipeline.environment["CUDA_VISIBLE_DEVICES"] = ""
    assert "all 5 stages are up to date" in pipeline.run()
    (pipeline.folder / "source").write_text("other\n")
    assert "5 ran" in pipeline.run(jobs=1)
    assert not (pipeline.folder / ".dvc/tmp/a").read_text().strip()
    for name in stages:
        del stages[name]["meta"]
    pipeline.write(stages)
    assert "all 5 stages are up to date" in pipeline.run() and pipeline.is_up_to_date()


def test_a_stage_that_needs_a_gpu_is_an_error_without_one_unless_it_is_unchanged(tmp_path):
    stages = stage("a", meta={"resources": {"gpu": 1}}) | stage("b", "a") | stage("c")
    pipeline = Pipeline(tmp_path / "p", stages)
    pipeline.environment["CUDA_VISIBLE_DEVICES"] = ""
    output = pipeline.run(status=1)
    assert "error: a: the resources of this machine must include gpu 1, got none" in output and "not run: b" in output
    assert (pipeline.folder / "c").exists() and not (pipeline.folder / "a").exists()
    pipeline.environment["CUDA_VISIBLE_DEVICES"] = "0"
    assert "2 ran" in pipeline.run()
    pipeline.environment["CUDA_VISIBLE_DEVICES"] = ""
    assert "all 3 stages are up to date" in pipeline.run()


def test_ctrl_c_stops_the_commands_and_keeps_what_has_finished(tmp_path):
    pipeline = Pipeline(tmp_path / "p", stage("a") | stage("b", "a", command="echo $$ > pid; sleep 600"))
    run = pipeline.start()
    wait_for((pipeline.folder / "pid").exists)
    os.kill(run.pid, signal.SIGINT)
    output = run.communicate(timeout=20)[0]
    assert "finished stages are kept" in output and "Traceback" not in output
    assert not Path("/proc", (pipeline.folder / "pid").read_text().strip()).exists()
    pipeline.write(stage("a") | stage("b", "a"))
    assert "1 unchanged" in pipeline.run()


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_run_is_completed_by_the_next(expected, tmp_path, seed):
    """Killed at random moments, the process alone or with its session."""
    rng = random.Random(seed)
    pipeline = Pipeline(tmp_path / "p", layers())
    for _ in range(2):
        run = pipeline.start()
        time.sleep(rng.uniform(0.3, 2.5))
        (os.killpg if rng.random() < 0.5 else os.kill)(run.pid, signal.SIGKILL)
        run.wait()
    pipeline.run()
    assert pipeline.results() == expected and pipeline.is_up_to_date()


def test_of_two_runs_one_waits_or_says_so(expected, tmp_path):
    pipeline = Pipeline(tmp_path / "p", layers())
    runs = [pipeline.start(), pipeline.start()]
    outputs = [run.communicate(timeout=60)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], outputs
    assert pipeline.results() == expected
    slow = Pipeline(tmp_path / "slow", stage("a", command="sleep 600 > a"))
    run = slow.start()
    wait_for((slow.folder / ".dvc/tmp/logs/a.log").exists)
    output = slow.run(status=1)
    assert f"another run is active in this folder (process {run.pid}" in output
    assert "busy" in slow.call("dvc", "repro", status=255)
    os.kill(run.pid, signal.SIGINT)


def test_a_run_beside_dvc_repro_says_what_it_waits_for(tmp_path):
    pipeline = Pipeline(tmp_path / "p", stage("a", command="touch begun; sleep 3; echo a > a") | stage("b"))
    other = subprocess.Popen(["dvc", "repro", "a"], cwd=pipeline.folder, env=pipeline.environment, stdout=subprocess.DEVNULL)
    wait_for((pipeline.folder / "begun").exists)
    output = pipeline.run(status=1)
    assert "error: a:" in output and "busy" in output and (pipeline.folder / "b").exists()
    assert other.wait(20) == 0
    assert "all 2 stages are up to date" in pipeline.run()


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
