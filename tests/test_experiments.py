"""DVC experiments: results outside the suite stay in place, and runs are added to the project's store."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import fake_runs
import pytest
from mlflow import MlflowClient
from project import ROOT, clone

from aebench import storage
from aebench.errors import InputError
from aebench.pipeline import dvc_links
from aebench.tracking import mirror as tracking

CHANGE = "conf/smoke.yaml:models.ae.latent_dim=5"
SECONDS_TO_WAIT = 300


def runs(project, dataset, model=None):
    """Runs that the UI shows, of a model or of all, by experiment ("" for runs outside experiments)."""
    client, found = MlflowClient(f"sqlite:///{project}/mlflow.db"), {}
    for run in client.search_runs([client.get_experiment_by_name(f"aebench/{dataset}").experiment_id]):
        if model in (None, run.data.params["model"]):
            found.setdefault(run.data.tags.get("dvc.experiment", ""), []).append(run)
    return found


def names(runs_):
    return sorted(run.info.run_name for run in runs_)


def files(project, *patterns):
    """Map each file in data/ and runs/ to the time of its last change."""
    found = [file for pattern in patterns for file in project.folder.glob(pattern)]
    return {file: file.stat().st_mtime_ns for file in found if file.is_file()}


OTHER = ("data/other/**/*", "runs/other/**/*", "runs/*/other.*")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A clone with results of smoke, which the suite selects, and some of the data set other, which it does not."""
    clone_ = clone(tmp_path_factory.mktemp("experiments"), models="mean pca ae")
    shutil.copy(clone_.folder / "conf/smoke.yaml", clone_.folder / "conf/other.yaml")
    clone_.aebench("select", "--datasets", "other", "--models", "mean stacked")
    clone_.run("dvc", "repro", "train@other-mean", "pretrain@other-stacked", "train_feature_classifier@other")
    clone_.aebench("select", "--datasets", "smoke", "--models", "mean pca ae")
    clone_.aebench("run")
    clone_.commit()
    clone_.other = files(clone_, *OTHER)
    clone_.before = {run.info.run_id for run in runs(clone_.folder, "smoke")[""]}
    assert len(clone_.other) > 8 and len(clone_.before) == 7
    return clone_


@pytest.fixture
def unchanged(project):
    """The same clone, restored after the test."""
    yield project
    project.run("git", "checkout", "-q", "--", ".")
    project.run("dvc", "checkout", "-q")


def assert_everything_is_in_place(project, experiment):
    assert files(project, *OTHER) == project.other
    shown = runs(project.folder, "smoke")
    assert {run.info.run_id for run in shown[""]} == project.before
    assert names(shown[experiment]) == [f"ae ({experiment})", f"ae seed 0 ({experiment})", f"ae seed 1 ({experiment})"]
    summary = min(shown[experiment], key=lambda run: len(run.info.run_name))
    assert summary.data.params["latent_dim"] == "5"
    figures = project.folder / "mlartifacts" / "smoke" / summary.info.run_id / "artifacts"
    assert summary.info.artifact_uri == figures.as_uri() and list(figures.glob("*.png"))


@pytest.mark.slow
def test_an_experiment_in_the_workspace(unchanged):
    unchanged.run("dvc", "exp", "run", "-n", "here", "-S", CHANGE)
    assert_everything_is_in_place(unchanged, "here")
    unchanged.run("git", "checkout", "-q", "--", ".")
    unchanged.run("dvc", "checkout", "-q")
    assert_everything_is_in_place(unchanged, "here")


@pytest.mark.slow
def test_an_experiment_in_a_temporary_folder(unchanged):
    unchanged.run("dvc", "exp", "run", "--temp", "-n", "apart", "-S", CHANGE)
    assert_everything_is_in_place(unchanged, "apart")


def finish_queue(project, *experiments):
    project.run("dvc", "queue", "start", "-j", str(len(experiments)))
    end = time.monotonic() + SECONDS_TO_WAIT * len(experiments)
    while (status := project.run("dvc", "queue", "status")).count("Success") < len(experiments):
        logs = [project.run("dvc", "queue", "logs", name, status=None) for name in experiments if "Failed" in status]
        assert "Failed" not in status and time.monotonic() < end, logs
        time.sleep(2)
    project.run("dvc", "queue", "stop")
    project.run("dvc", "queue", "remove", "--all")


@pytest.mark.slow
def test_two_experiments_at_the_same_time_create_the_store(unchanged, tmp_path):
    """Each has all models, because the store has no runs outside experiments."""
    store = unchanged.folder / "mlflow.db"
    store.rename(store.with_suffix(".before"))
    try:
        for number in (5, 6):
            unchanged.run("dvc", "exp", "run", "--queue", "-n", f"n{number}", "-S", CHANGE.replace("=5", f"={number}"))
        finish_queue(unchanged, "n5", "n6")
        shutil.copy(store, tmp_path)  # MLflow keeps the file at the former path open
        shown = runs(tmp_path, "smoke")
    finally:
        store.with_suffix(".before").replace(store)
    assert {name: len(found) for name, found in shown.items()} == {"n5": len(unchanged.before), "n6": len(unchanged.before)}


@pytest.mark.slow
def test_an_experiment_with_an_archived_data_set_computes_nothing_anew(unchanged):
    """`dvc exp run` deletes the files of this data set first. Files with wall times show that they are not computed again.

    A layer that `pretrain` keeps has its wall time, too; whether layers are kept is not tested.
    """
    before = {file: file.read_bytes() for file in unchanged.other if "layers" not in file.parts}
    change = ["-S", "suite.datasets=[other]", "-S", "suite.models=[mean]", "-S", "suite.stacks=[stacked]"]
    output = unchanged.run("dvc", "exp", "run", "-n", "else", *change, "pretrain@other-stacked", "train@other-mean")
    assert "Stage 'train@other-mean' is cached" in output
    assert {file: file.read_bytes() for file in before if file.exists()} == before
    assert any(file.name == "cost.json" for file in before)
    unchanged.other = files(unchanged, *OTHER)


@pytest.mark.slow
def test_a_checkout_with_another_selection_deletes_nothing(unchanged):
    before = files(unchanged, "data/**/*", "runs/**/*")
    unchanged.replace("params.yaml", "- smoke", "- digits")
    unchanged.run("dvc", "checkout", "-q", "--allow-missing")
    assert files(unchanged, "data/**/*", "runs/**/*") == before


# DVC's record of files


@pytest.mark.parametrize(("when", "kept"), [("before", True), ("after", True), ("never", False)])
def test_dvc_deletes_outputs_of_stages_that_are_gone_unless_it_keeps_no_record(tmp_path, monkeypatch, when, kept):
    """If the last case fails, DVC no longer deletes them, and `dvc_links` is not needed any more."""
    monkeypatch.chdir(tmp_path)
    dvc("init", "-q", "--no-scm")
    Path("dvc.yaml").write_text("stages:\n  a:\n    cmd: echo a > a.txt\n    outs: [a.txt]\n")
    if when == "before":
        dvc_links.keep_files()
    dvc("repro", "-q")
    Path("a.txt").unlink()
    dvc("checkout", "-q")
    if when == "after":
        dvc_links.keep_files()
    Path("dvc.yaml").write_text("stages: {}\n")
    dvc("checkout", "-q")
    assert Path("a.txt").exists() == kept


def dvc(*command):
    subprocess.run([sys.executable, "-m", "dvc", *command], check=True)


def test_a_folder_without_dvc_is_left_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dvc_links.keep_files()
    assert not list(tmp_path.iterdir())


def test_an_archive_of_the_project_without_git_is_reported(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path(".dvc").mkdir()
    (tmp_path / ".dvc" / "config").touch()
    with pytest.raises(InputError, match="the project must be cloned with Git"):
        dvc_links.keep_files()


# The runs of experiments in MLflow

MIRROR = "from aebench.tracking import mirror; print(mirror.mirror().summary)"

BASELINE = 2 + 2 + 4 + 4 + 4
"""Runs of the fake suite: a summary and the seeds of mean, pca_2d, ae, ae_2d and sae."""


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory):
    """A fake project and its runs outside experiments; tests do not change it."""
    folder = tmp_path_factory.mktemp("mirrored")
    fake_runs.write_fake_suite(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.delenv("DVC_ROOT", raising=False)
        tracking.mirror()
    return folder


@pytest.fixture
def copied(mirrored, tmp_path, monkeypatch):
    """A temporary copy of the project without its store, in which DVC runs the experiment bold."""
    project, copy = tmp_path / "project", tmp_path / "project" / ".dvc" / "tmp" / "exps" / "x"
    shutil.copytree(mirrored, project)
    shutil.copytree(mirrored, copy)
    (copy / "mlflow.db").unlink()
    monkeypatch.chdir(copy)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("DVC_ROOT", str(project))
    monkeypatch.setenv("DVC_EXP_NAME", "bold")
    return project


def edit(model, amount=1):
    file = storage.run_folder("fake", model) / "metrics.csv"
    columns = storage.read_columns(file)
    columns["sse"][0] += amount
    storage.write_columns(file, columns)


def mirror():
    tally = tracking.mirror()
    return tally.logged, tally.kept, tally.superseded


def test_an_experiment_adds_only_runs_of_models_that_it_changes(copied):
    before = {run.info.run_id for run in runs(copied, "fake")[""]}
    assert mirror() == (0, BASELINE, 0)
    edit("ae")
    assert mirror() == (4, BASELINE - 4, 0)
    assert mirror() == (0, BASELINE, 0)
    shown = runs(copied, "fake")
    assert {run.info.run_id for run in shown[""]} == before
    assert names(shown["bold"]) == ["ae (bold)", *(f"ae seed {seed} (bold)" for seed in range(3))]
    assert {run.data.tags["aebench.model"] for run in shown["bold"]} == {"ae@bold"}
    assert not Path("mlflow.db").exists()


def test_runs_are_replaced_only_by_runs_of_the_same_experiment(copied, monkeypatch):
    edit("ae")
    mirror()
    edit("ae")
    assert mirror() == (4, BASELINE - 4, 4)
    monkeypatch.setenv("DVC_EXP_NAME", "timid")
    assert mirror() == (4, BASELINE - 4, 0)
    monkeypatch.delenv("DVC_EXP_NAME")
    edit("ae")
    assert mirror() == (4, BASELINE - 4, 4), "outside experiments"
    assert {name: len(found) for name, found in runs(copied, "fake", "ae").items()} == {"": 4, "bold": 4, "timid": 4}


def test_an_experiment_without_runs_outside_it_logs_all_models(copied, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///new.db")
    assert mirror() == (BASELINE, 0, 0)
    assert (copied / "new.db").exists() and not Path("new.db").exists()


@pytest.mark.slow
def test_processes_at_the_same_time_create_the_store_once(copied):
    (copied / "mlflow.db").unlink()
    command, environment = [sys.executable, "-c", MIRROR], os.environ | {"PYTHONPATH": str(ROOT)}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    started = [
        subprocess.Popen(command, env=environment | {"DVC_EXP_NAME": name}, **streams) for name in ("bold", "timid", "bold")
    ]
    outputs = [process.communicate()[0] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], outputs
    assert {name: len(found) for name, found in runs(copied, "fake").items()} == {"bold": BASELINE, "timid": BASELINE}


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        (None, "sqlite:///{project}/mlflow.db"),
        ("sqlite:///runs.db", "sqlite:///{project}/runs.db"),
        ("sqlite:////absolute/runs.db", "sqlite:////absolute/runs.db"),
        ("sqlite:///C:/me/runs.db", "sqlite:///C:/me/runs.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("http://localhost:5000", "http://localhost:5000"),
    ],
)
def test_the_store_is_that_of_the_project_or_of_the_user(copied, monkeypatch, uri, expected):
    if uri:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert tracking.store() == expected.format(project=copied)


def test_projects_in_one_process_have_stores_of_their_own(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    for name in ("first", "second"):
        fake_runs.write_fake_suite(tmp_path / name)
        monkeypatch.chdir(tmp_path / name)
        assert mirror() == (BASELINE, 0, 0)
    assert len(runs(tmp_path / "first", "fake")[""]) == len(runs(tmp_path / "second", "fake")[""]) == BASELINE


def test_artifacts_of_any_database_are_in_the_project(copied, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{copied}/new.db")
    mirror()
    client = MlflowClient(f"sqlite:///{copied}/new.db")
    assert client.get_experiment_by_name("aebench/fake").artifact_location == (copied / "mlartifacts/fake").as_uri()
