"""After `stages.track`, MLflow shows the content of the files, even after repeated or interrupted runs."""

import hashlib
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import fake_runs
import numpy as np
import pytest
from project import ROOT
from scipy import stats

from aebench import storage
from aebench.errors import InputError
from aebench.tracking import mirror as tracking

REPOSITORY = Path(__file__).parents[1]
STAGE = """
import runpy, sys
runpy.run_module("stages.track", run_name="__main__")
assert "torch" not in sys.modules
"""
RUNS = 2 + 2 + 4 + 4 + 4  # a summary and the seeds of mean, pca_2d, ae, ae_2d and sae


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory):
    """A project that `python -m stages.track` has mirrored to its default database; tests do not change it."""
    root = tmp_path_factory.mktemp("mirrored")
    fake_runs.write_fake_suite(root)
    (root / "reports" / "fake" / "figures").mkdir(parents=True)
    (root / "reports" / "fake" / "figures" / "curves.png").write_bytes(b"curves")
    stage = track(root)
    assert (stage.returncode, stage.stderr) == (0, "")
    assert stage.stdout == f"MLflow: {RUNS} runs logged, 0 kept, 0 superseded\n"
    return root


@pytest.fixture
def project(mirrored, tmp_path, monkeypatch):
    """A copy of the project and its database as the working directory."""
    folder = tmp_path / "project"
    shutil.copytree(mirrored, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
    return folder


def track(root, **environment):
    """Run `python -m stages.track` in a new process."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    environment = inherited | {"PYTHONPATH": str(REPOSITORY)} | environment
    return subprocess.run([sys.executable, "-c", STAGE], cwd=root, env=environment, capture_output=True, text=True)


def mirror():
    return tracking.mirror()


def counts(tally):
    return tally.logged, tally.kept, tally.superseded


def shown(dataset="fake"):
    """Map (model, seed) to the only run that the UI shows."""
    runs = {}
    for run in client().search_runs([experiment(dataset)]):
        key = run.data.params["model"], run.data.params["seed"]
        assert key not in runs
        runs[key] = run
    return runs


def client():
    from mlflow import MlflowClient

    return MlflowClient(os.environ["MLFLOW_TRACKING_URI"])


def experiment(dataset="fake"):
    return client().get_experiment_by_name(f"aebench/{dataset}").experiment_id


def points(database, table="metrics"):
    """Map the ID of each run to its sorted (metric, step, value, time)."""
    logged = {}
    with sqlite3.connect(database) as store:
        for run, *point in store.execute(f"SELECT run_uuid, key, step, value, timestamp FROM {table} ORDER BY 1, 2, 3"):
            logged.setdefault(run, []).append(tuple(point))
    return logged


def content(database="mlflow.db"):
    """Map (model, seed) to everything that the UI shows of the run except IDs."""
    logged = points(database)
    return {key: (details(run), logged[run.info.run_id]) for key, run in shown().items()}


def details(run):
    tags = {name: value for name, value in run.data.tags.items() if name != "mlflow.parentRunId"}
    data = [(i.dataset.name, i.dataset.digest, i.dataset.profile) for i in run.inputs.dataset_inputs]
    return run.info.run_name, run.info.start_time, run.info.end_time, run.info.status, run.data.params, tags, data


def edit_metric(model="ae", metric="sse"):
    file = storage.run_folder("fake", model) / "metrics.csv"
    columns = storage.read_columns(file)
    columns[metric][0] += 1
    storage.write_columns(file, columns)
    return columns


def test_running_twice_changes_nothing(project):
    before = points("mlflow.db"), content()
    assert counts(mirror()) == (0, RUNS, 0)
    assert (points("mlflow.db"), content()) == before


def test_a_store_of_which_a_killed_process_created_a_part_is_created_again(project, monkeypatch):
    """MLflow cannot create the other tables if it finds one of them."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{project}/killed.db")
    with sqlite3.connect(project / "killed.db.partial") as connection:
        connection.execute("CREATE TABLE evaluation_datasets (dataset_id INTEGER)")
    assert tracking.mirror().logged > 0
    assert not (project / "killed.db.partial").exists()


def test_a_deleted_database_is_restored(project, monkeypatch):
    before = content()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{project}/new.db")
    Path("mlflow.db").unlink()
    assert counts(mirror()) == (RUNS, 0, 0)
    assert content("new.db") == before


def test_a_changed_metric_supersedes_the_runs_of_its_model_only(project):
    before = {key: run.info.run_id for key, run in shown().items()}
    columns = edit_metric()
    assert counts(mirror()) == (4, RUNS - 4, 4)
    after = shown()
    assert {key for key in after if after[key].info.run_id != before[key]} == {("ae", s) for s in ("all", "0", "1", "2")}
    assert after["ae", "0"].data.metrics["test/sse"] == columns["sse"][0]
    assert after["ae", "all"].data.metrics["test/sse"] == pytest.approx(np.mean(columns["sse"]), rel=1e-12)
    states = Counter(run.data.tags["aebench.state"] for run in everything())
    assert states == {"current": RUNS, "superseded": 4}
    assert {run.data.tags["aebench.state"] for run in after.values()} == {"current"}


def everything():
    from mlflow.entities import ViewType

    return client().search_runs([experiment()], run_view_type=ViewType.ALL)


def test_a_changed_parameter_supersedes_but_wall_time_and_code_do_not(project):
    folder = storage.run_folder("fake", "ae")
    cost = storage.load_cost(folder / "cost.json")
    storage.write_json(folder / "cost.json", vars(cost) | {"seconds": 99.0})
    Path("dvc.lock").write_text("stages: {train@fake-ae: {cmd: other, outs: []}}")
    assert counts(mirror()) == (0, RUNS, 0)
    conf = Path("conf/fake.yaml")
    conf.write_text(conf.read_text().replace("learning_rate: 0.003", "learning_rate: 0.001"))
    assert counts(mirror()) == (12, 4, 12)  # a closed form has no learning rate
    assert shown()["ae", "2"].data.params["training.learning_rate"] == "0.001"


def test_the_summary_is_the_mean_sd_and_interval_over_seeds(project):
    columns, logged = storage.read_columns(storage.run_folder("fake", "ae") / "metrics.csv"), shown()["ae", "all"].data.metrics
    for name in set(columns) - {"seed"}:
        low, high = stats.t.interval(0.95, 2, np.mean(columns[name]), stats.sem(columns[name]))
        expected = [np.mean(columns[name]), np.std(columns[name], ddof=1), low, high]
        names = [f"test/{name}", f"{name}.sd", f"{name}.low", f"{name}.high"]
        assert [logged[n] for n in names] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("model", ["ae", "pca_2d"])
def test_accuracies_by_number_of_labels_are_logged_per_seed_and_as_means(project, model):
    columns = storage.read_columns(storage.run_folder("fake", model) / "classification.csv")
    assert all("classify/linear_probe" not in run.data.metrics for run in shown().values()), (
        "the linear probe is logged as the metric test/linear_probe"
    )
    for name in set(columns) - {"seed", "linear_probe"}:
        logged = {seed: run.data.metrics[f"classify/{name}"] for (m, seed), run in shown().items() if m == model}
        assert logged.pop("all") == pytest.approx(np.mean(columns[name]), rel=1e-12)
        assert logged == {f"{seed:.0f}": columns[name][i] for i, seed in enumerate(columns["seed"]) if f"{seed:.0f}" in logged}


def test_a_deterministic_model_has_one_seed_and_no_interval(project):
    assert {seed for model, seed in shown() if model == "pca_2d"} == {"all", "0"}
    logged = shown()["pca_2d", "all"].data
    assert "test/sse" in logged.metrics and not any(name.endswith((".sd", ".low", ".high")) for name in logged.metrics)
    assert not any(name.startswith("training.") for name in logged.params)


def test_every_epoch_is_there(project, monkeypatch):
    monkeypatch.setattr(fake_runs, "EPOCHS", 300)  # more points than MLflow accepts in one call
    fake_runs.write_run("fake", "ae", 0.9, 8, (0, 1, 2))
    mirror()
    history = storage.read_columns(storage.run_folder("fake", "ae") / "history.csv")
    logged = points("mlflow.db")
    for seed, epochs in (("0", 300), ("1", 300), ("2", 290)):
        run = shown()["ae", seed]
        for split in ("train", "validation"):
            rows = zip(history["seed"], history["epoch"], history[f"{split}.loss"], strict=True)
            expected = [(int(epoch), value) for s, epoch, value in rows if s == int(seed)]
            curve = [point[1:3] for point in logged[run.info.run_id] if point[0] == f"{split}/loss"]
            assert curve == expected and len(curve) == epochs
            assert run.data.metrics[f"{split}/loss"] == expected[-1][1]


def test_the_summary_has_mean_curves_while_every_seed_trains(project):
    history = storage.read_columns(storage.run_folder("fake", "ae") / "history.csv")
    curve = [p for p in points("mlflow.db")[shown()["ae", "all"].info.run_id] if p[0] == "validation/loss"]
    assert [step for _, step, _, _ in curve] == list(range(1, fake_runs.EPOCHS - 10 + 1))
    third = [v for e, v in zip(history["epoch"], history["validation.loss"], strict=True) if e == 3]
    assert curve[2][2] == pytest.approx(np.mean(third), rel=1e-12) and len(third) == 3


def test_seeds_are_nested_below_their_summary(project):
    parents = {key: run.data.tags.get("mlflow.parentRunId") for key, run in shown().items()}
    for (model, seed), parent in parents.items():
        assert parent == (None if seed == "all" else shown()[model, "all"].info.run_id)


def test_models_without_results_and_outside_the_suite_are_skipped(project):
    fake_runs.write_fake_suite(project, "other")
    fake_runs.write_params(["other"], ["pca_2d", "ae"])
    (storage.run_folder("other", "ae") / "metrics.csv").unlink()
    edit_metric()
    before = content()
    assert mirror().summary == "MLflow: 2 runs logged, 0 kept, 0 superseded; no results yet: other/ae"
    assert set(shown("other")) == {("pca_2d", "all"), ("pca_2d", "0")}
    assert content() == before


def test_an_interrupted_mirror_leaves_the_old_runs_and_is_completed_by_the_next(project, monkeypatch):
    from mlflow import MlflowClient

    before = content()
    edit_metric()
    log_batch, calls = MlflowClient.log_batch, []

    def killed(*args, **kwargs):
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return log_batch(*args, **kwargs)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(MlflowClient, "log_batch", killed)
        mirror()
    states = Counter(run.data.tags["aebench.state"] for run in client().search_runs([experiment()]))
    assert states == {"current": RUNS, "unfinished": 3}
    assert counts(mirror()) == (4, RUNS - 4, 4)
    after = content()
    assert {key: len(logged) for key, (_, logged) in after.items()} == {key: len(logged) for key, (_, logged) in before.items()}


def test_a_run_deleted_by_hand_is_logged_again(project):
    client().delete_run(shown()["ae", "1"].info.run_id)
    assert counts(mirror()) == (4, RUNS - 4, 3)
    assert len(shown()) == RUNS


def test_an_experiment_deleted_by_hand_is_restored_without_superseded_runs(project):
    edit_metric()
    mirror()
    before = content()
    client().delete_experiment(experiment())
    assert counts(mirror()) == (0, RUNS, 0)
    assert content() == before


def test_runs_of_other_programs_stay(project):
    mine = client().create_run(experiment(), run_name="mine").info.run_id
    edit_metric()
    mirror()
    assert client().get_run(mine).info.lifecycle_stage == "active"


def test_figures_are_artifacts_of_summaries_and_follow_the_files(project, mirrored):
    def artifacts(key):
        return [file.path for file in client().list_artifacts(shown()[key].info.run_id)]

    assert (artifacts(("ae", "all")), artifacts(("ae", "0"))) == (["curves.png"], [])
    assert shown()["ae", "all"].info.artifact_uri.startswith((mirrored / "mlartifacts" / "fake").as_uri())
    Path("reports/fake/figures/codes.png").write_bytes(b"codes")
    assert counts(mirror()) == (0, RUNS, 0)
    assert artifacts(("ae", "all")) == ["codes.png", "curves.png"]


def test_a_run_records_code_data_and_machine(project):
    outs = [{"path": f"data/fake/{name}.npz", "md5": name} for name in storage.SPLITS]
    lock = {"prepare@fake": {"cmd": "", "outs": outs}} | {
        f"{stage}@fake-{model}": {"cmd": stage, "outs": []} for stage in ("train", "evaluate") for model in ("ae", "ae_2d")
    }
    before = shown()["ae", "1"]
    Path("dvc.lock").write_text("stages: {}")
    commit = "git init -q && git add conf dvc.lock && git -c user.name=a -c user.email=a@b commit -qm a && git rev-parse HEAD"
    commit = subprocess.run(commit, shell=True, check=True, capture_output=True, text=True).stdout.strip()
    Path("dvc.lock").write_text(json.dumps({"schema": "2.0", "stages": lock}))  # as any run of the pipeline does
    assert counts(mirror()) == (RUNS, 0, RUNS)  # other data
    run = shown()["ae", "1"]
    expected = {
        "mlflow.source.git.commit": commit,
        "mlflow.source.git.dirty": "false",
        "dvc.stages": "train@fake-ae, evaluate@fake-ae",
        "version.torch": "2.13.0",
        "device": "cpu",
    }
    assert expected.items() <= run.data.tags.items()
    block = {"dataset": "fake", "model": "ae", "seed": "1", "kind": "vanilla", "hidden": "[16]", "training.epochs": "40"}
    assert block.items() <= run.data.params.items()
    assert run.info.end_time - run.info.start_time == 3500 == 1000 * run.data.metrics["train/seconds"]
    [data], [old] = run.inputs.dataset_inputs, before.inputs.dataset_inputs
    assert data.dataset.name == "fake" and data.dataset.digest != old.dataset.digest
    with Path("conf/fake.yaml").open("a") as conf:
        conf.write("# edited\n")
    edit_metric()
    mirror()
    assert shown()["ae", "1"].data.tags["mlflow.source.git.dirty"] == "true"


def test_a_data_set_is_identified_by_its_files_or_by_dvc_lock(project):
    files = [storage.split_file("fake", name) for name in storage.SPLITS]
    outs = [{"path": file.as_posix(), "md5": hashlib.md5(file.read_bytes()).hexdigest()} for file in files]
    Path("dvc.lock").write_text(json.dumps({"stages": {"prepare@fake": {"cmd": "", "outs": outs}}}))
    for file in files:
        file.unlink()  # as after `dvc pull runs`
    assert counts(mirror()) == (0, RUNS, 0)


def test_infinities_are_not_logged(project):
    edit_metric("mean", "psnr")
    file = storage.run_folder("fake", "ae") / "metrics.csv"
    storage.write_columns(file, storage.read_columns(file) | {"psnr": [float("inf")] * 3})
    mirror()
    for seed in ("all", "0"):
        logged = shown()["ae", seed].data.metrics
        assert "test/sse" in logged and not any("psnr" in name for name in logged)


def test_a_dead_server_is_a_one_line_error(project):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start = time.monotonic()
    stage = track(project, MLFLOW_TRACKING_URI=f"http://me:secret@127.0.0.1:{port}")
    assert time.monotonic() - start < 120, "MLflow's own retries take several minutes"
    expected = f"MLFLOW_TRACKING_URI must be a reachable store, got http://127.0.0.1:{port}: [Errno 111] Connection refused"
    assert (stage.returncode, stage.stdout, stage.stderr) == (1, "", f"error: {expected}\n")


def test_the_timeout_for_a_silent_server_can_be_set(project, monkeypatch):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        start = time.monotonic()
        with pytest.raises(InputError, match=r"must be a reachable store, got http://127.0.0.1:.*timed out"):
            mirror()
        assert time.monotonic() - start < 60, "MLflow's own limit is 120 s"


def test_tracking_in_a_folder_of_dvc_without_git_is_one_line(tmp_path):
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").touch()
    command = [sys.executable, "-m", "stages.track"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)}
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert result.returncode == 1 and result.stderr.startswith("error: the project must be cloned with Git"), result.stderr
