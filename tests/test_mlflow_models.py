"""Models in MLflow: loaded in a new process they give the codes of the pipeline's weights, and have that seed's metrics."""

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import chdir, contextmanager
from pathlib import Path
from threading import Thread
from urllib.request import Request, urlopen

import fake_runs
import mlflow.pyfunc
import numpy as np
import pytest

import aebench
from aebench import config, storage
from aebench.errors import InputError
from aebench.estimators.pyfunc import Model
from aebench.models import build
from aebench.tracking import mirror as tracking
from aebench.training.ensemble import Ensemble

pytestmark = pytest.mark.slow
TRAINED = {"pca_2d": fake_runs.SEEDS[:1], "ae": fake_runs.SEEDS}
LOAD = """
import sys
import mlflow, numpy as np
model = mlflow.pyfunc.load_model(sys.argv[1])
example = model.input_example
np.savez(sys.argv[2], example=example, codes=model.predict(example),
         images=model.predict(example, params={"output": "reconstructions"}))
"""


@pytest.fixture(scope="module")
def fake(tmp_path_factory):
    """A fake project in which two models have weights, copied to MLflow by a process that does not import torch."""
    root = tmp_path_factory.mktemp("models")
    fake_runs.write_fake_suite(root)
    with chdir(root):
        for name, seeds in TRAINED.items():
            settings = config.dataset(fake_runs.DATASET).all_models[name]
            ensemble = Ensemble(lambda s=settings: build(s, 144), seeds)
            trained = storage.Trained(settings, fake_runs.SHAPE, seeds, ensemble.state)
            storage.save_trained(storage.run_folder(fake_runs.DATASET, name) / "weights.safetensors", trained)
    environment = os.environ | {"MLFLOW_TRACKING_URI": ""}
    code = "import sys; from aebench.tracking import mirror; mirror.mirror(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root, env=environment)
    return root


@pytest.fixture
def project(fake, tmp_path, monkeypatch):
    """A copy of the project and its store as the working directory; the artifacts stay where they are."""
    shutil.copytree(fake, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/project/mlflow.db")
    return tmp_path / "project"


def client():
    from mlflow import MlflowClient

    return MlflowClient(tracking.store())


def logged():
    """The models that MLflow shows, by model and seed."""
    experiment = client().get_experiment_by_name(f"aebench/{fake_runs.DATASET}").experiment_id
    found = client().search_logged_models([experiment])
    assert all(model.status == "READY" for model in found)
    return {(model.params["model"], int(model.params["seed"])): model for model in found}


def choose(seeds):
    path = Path("params.yaml")
    lines = [line for line in path.read_text().splitlines() if "mlflow_models" not in line]
    path.write_text("\n".join([*lines, f"  mlflow_models: {seeds}"]) + "\n")


def test_a_logged_model_loads_in_a_new_process(project):
    models = logged()
    assert set(models) == {("pca_2d", 0), ("ae", 0)}
    model = models["ae", 0]
    folder = model.artifact_location.removeprefix("file://")
    subprocess.run([sys.executable, "-c", LOAD, folder, str(project / "out.npz")], check=True, cwd=project.parent)
    found, ours = np.load("out.npz"), aebench.load("fake/ae", seed=0)
    images = storage.load_split("fake", "test").images[:2].reshape(-1, *fake_runs.SHAPE)
    np.testing.assert_allclose(found["example"] / ours.value_range_[1], images, rtol=1e-6)
    np.testing.assert_array_equal(found["codes"], ours.transform(found["example"]))
    np.testing.assert_array_equal(found["images"], ours.reconstruct(found["example"]))


def test_a_logged_model_has_the_settings_metrics_and_data_of_its_seed(project):
    model = logged()["ae", 0]
    expected = storage.read_columns(Path("runs/fake/ae/metrics.csv"))["sse"][0]
    (sse,) = [metric for metric in model.metrics if metric.key == "test/sse"]
    assert (sse.value, sse.dataset_name, sse.run_id) == (expected, "fake", model.source_run_id)
    run = client().get_run(model.source_run_id)
    assert run.data.params["seed"] == "0" and [output.model_id for output in run.outputs.model_outputs] == [model.model_id]
    assert sse.dataset_digest == run.inputs.dataset_inputs[0].dataset.digest
    assert model.params["latent_dim"] == "8" and model.tags["aebench.model"] == "ae" and "dvc.lock" in model.tags
    assert not [metric for metric in model.metrics if metric.step]
    files = {path.name for path in Path(model.artifact_location.removeprefix("file://")).rglob("*")}
    assert {"MLmodel", "weights.safetensors", "about.json", "input_example.json", "requirements.txt"} <= files
    assert not [name for name in files if name.endswith((".pkl", ".pickle"))]


def test_models_follow_the_results(project):
    """An unchanged model is kept; other weights replace it together with its run, which is deleted."""
    first = logged()
    assert (tally := tracking.mirror()).logged == 0 and tally.kept > 0
    assert {key: model.model_id for key, model in logged().items()} == {key: model.model_id for key, model in first.items()}
    path = Path("runs/fake/ae/weights.safetensors")
    trained = storage.load_trained(path)
    trained.state["encoder.layers.0.bias"][0, 0] += 1
    storage.save_trained(path, trained)
    assert tracking.mirror().superseded == 4
    second = logged()
    assert set(second) == set(first) and second["pca_2d", 0].model_id == first["pca_2d", 0].model_id
    assert second["ae", 0].model_id != first["ae", 0].model_id


def registered():
    """Name and locations of the models in the registry."""
    models = client().search_registered_models()
    return {m.name: {v.source for v in client().search_model_versions(f"name = '{m.name}'")} for m in models}


def test_the_registry_has_the_current_model_of_the_first_seed(project):
    first = logged()
    assert registered() == {f"fake.{name}": {first[name, 0].artifact_location} for name in TRAINED}
    assert client().get_model_version_by_alias("fake.ae", "current").run_id == first["ae", 0].source_run_id
    choose("all")
    path = Path("runs/fake/ae/weights.safetensors")
    trained = storage.load_trained(path)
    trained.state["encoder.layers.0.bias"][0, 0] += 1
    storage.save_trained(path, trained)
    for _ in range(2):  # nothing changes the second time
        tracking.mirror()
        assert registered()["fake.ae"] == {logged()["ae", 0].artifact_location} != {first["ae", 0].artifact_location}
    assert client().get_model_version_by_alias("fake.ae", "current").run_id == logged()["ae", 0].source_run_id
    model = mlflow.pyfunc.load_model("models:/fake.ae@current")
    np.testing.assert_array_equal(model.predict(model.input_example), aebench.load("fake/ae").transform(model.input_example))
    choose("none")
    tracking.mirror()
    assert registered() == {}


@pytest.mark.parametrize(("seeds", "expected"), [("first", {1}), ("all", {1, 2})])
def test_seeds_that_failed_are_not_logged(project, seeds, expected):
    choose(seeds)
    path = Path("runs/fake/ae/weights.safetensors")
    trained = storage.load_trained(path)
    for value in trained.state.values():
        value[0] = float("nan")
    storage.save_trained(path, trained)
    for table in ("metrics.csv", "classification.csv"):
        columns = storage.read_columns(fake_runs.file_of("ae", table))
        failed = {name: [float("nan"), *values[1:]] for name, values in columns.items() if name != "seed"}
        fake_runs.overwrite("ae", table, **failed)
    tracking.mirror()
    assert {seed for name, seed in logged() if name == "ae"} == expected
    model = mlflow.pyfunc.load_model("models:/fake.ae@current")
    np.testing.assert_array_equal(model.predict(model.input_example), aebench.load("fake/ae").transform(model.input_example))


@contextmanager
def served(model):
    """Serve a model with the application of `mlflow models serve` in a thread; yields its address."""
    import uvicorn
    from mlflow.pyfunc import scoring_server

    server = uvicorn.Server(uvicorn.Config(scoring_server.init(model), port=0, log_level="error"))
    thread = Thread(target=server.run)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/invocations"
    finally:
        server.should_exit = True
        thread.join()


def test_a_served_model_returns_codes_and_reconstructions(project):
    model, ours = mlflow.pyfunc.load_model("models:/fake.ae@current"), aebench.load("fake/ae")
    images = model.input_example
    with served(model) as address:
        for params, expected in (({}, ours.transform(images)), ({"output": "reconstructions"}, ours.reconstruct(images))):
            body = json.dumps({"inputs": images.tolist(), "params": params}).encode()
            with urlopen(Request(address, body, {"Content-Type": "application/json"}), timeout=60) as answer:
                np.testing.assert_allclose(json.load(answer)["predictions"], expected, rtol=1e-6)


@pytest.mark.parametrize("group", ["sweep", "experiment"])
def test_models_of_sweeps_and_experiments_are_not_registered(project, monkeypatch, group):
    before, path = registered(), Path("runs/fake/ae/weights.safetensors")
    trained = storage.load_trained(path)
    trained.state["encoder.layers.0.bias"][0, 0] += 1
    storage.save_trained(path, trained)
    if group == "experiment":
        monkeypatch.setenv(tracking.EXPERIMENT_NAME, "exp")
    assert tracking.mirror("rates" if group == "sweep" else "").logged >= 4
    assert registered() == before


def test_the_registry_is_written_again_for_runs_that_are_kept(project):
    before = registered()
    for name in before:
        client().delete_registered_model(name)
    assert tracking.mirror().logged == 0 and registered() == before


@pytest.mark.parametrize(("seeds", "count"), [("none", 0), ("first", 2), ("all", 4)])
def test_the_suite_chooses_the_seeds(project, seeds, count):
    choose(seeds)
    tracking.mirror()
    assert len(logged()) == count


def test_an_unknown_choice_is_an_error_in_one_line(project):
    choose("second")
    with pytest.raises(InputError, match=r"params\.yaml:suite\.mlflow_models must be one of none, first, all, got 'second'"):
        tracking.mirror()


def test_an_unknown_output_is_an_error_in_one_line(project):
    with pytest.raises(InputError, match="output must be one of codes, reconstructions, got 'labels'"):
        Model(aebench.load("fake/ae")).predict(np.zeros((1, *fake_runs.SHAPE)), {"output": "labels"})
