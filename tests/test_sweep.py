"""`aebench sweep` checks key and values, works in a workspace of its own, and writes a table, a figure and runs in MLflow."""

import csv
import json
import subprocess
from pathlib import Path
from types import SimpleNamespace

import fake_runs
import numpy as np
import pytest
from fake_runs import DATASET, measured
from mlflow import MlflowClient
from project import write_skeleton
from scipy import stats

from aebench import config
from aebench.config import edit
from aebench.data import external
from aebench.errors import InputError
from aebench.evaluation.metrics import METRICS
from aebench.pipeline import checks, dvc_workspace
from aebench.pipeline.sweep import parse, prepare, report
from aebench.reporting import results, sweeps
from aebench.storage.yaml_files import edit_yaml
from aebench.tracking import mirror


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project without code as the working directory."""
    write_skeleton(tmp_path)
    (tmp_path / ".gitignore").write_text("/own/\n/.dvc/.gitignore\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(external.DATA_DIR, raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("model", "setting", "key", "expected"),
    [
        ("dae", "level=0.1,0.2,0.4", "level", [0.1, 0.2, 0.4]),
        ("dae", "corruption=masking,gaussian", "corruption", ["masking", "gaussian"]),
        ("ae", "training.learning_rate=1e-3, 3e-3", "training", [{"learning_rate": 0.001}, {"learning_rate": 0.003}]),
        ("ae", "hidden=[16],[32,16]", "hidden", [[16], [32, 16]]),
        ("pca", "latent_dim=2,8", "latent_dim", [2, 8]),
        ("sae", "tied=true,false", "tied", [True, False]),
    ],
)
def test_values_are_numbers_words_or_lists_and_other_settings_stay(project, model, setting, key, expected):
    swept, original = parse("smoke", model, setting), config.dataset("smoke").models[model]
    assert [settings[key] for settings in swept.models.values()] == expected
    assert all({**settings, key: 0} == {**original, key: 0} for settings in swept.models.values())


def test_other_training_settings_of_the_model_stay(project):
    with edit_yaml(Path("conf/smoke.yaml")) as conf:
        conf["models"]["dae"]["training"] = {"epochs": 7}
    (first, _) = parse("smoke", "dae", "training.learning_rate=0.1,0.2").models.values()
    assert first["training"] == {"epochs": 7, "learning_rate": 0.1}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("smok", "dae", "level=0.1,0.2"), r"DATASET must be one of digits, smoke, got 'smok' \(did you mean 'smoke'\?\)"),
        (("smoke", "daes", "level=0.1,0.2"), r"MODEL \(of conf/smoke.yaml:models\) must be .* \(did you mean 'dae'\?\)"),
        (("smoke", "stacked", "level=0.1,0.2"), r"MODEL must be one of the models of conf/smoke.yaml, got the stack 'stacked'"),
        (
            ("smoke", "dae", "levl=0.1,0.2"),
            r"the key of SETTING must be .*level.*, got 'levl' \(did you mean 'level'\?\)",
        ),
        (("smoke", "dae", "learning_rate=0.1,0.2"), r"got 'learning_rate' \(did you mean 'training.learning_rate'\?\)"),
        (
            ("smoke", "dae", "training.learning_rat=1,2"),
            r"^a key of conf/smoke.yaml:models.dae.training must be .* \(did you mean 'learning_rate'\?\)",
        ),
        (("smoke", "dae", "level.x=0.1,0.2"), r"^conf/smoke.yaml:models.dae.level must have keys for 'level.x', got 0.2"),
        (("smoke", "dae", "level=0.1,1.2"), r"^conf/smoke.yaml:models.dae.level must be less than or equal to 1, got 1.2"),
        (
            ("smoke", "dae", "corruption=masking,gausian"),
            r"^conf/smoke.yaml:models.dae.corruption must be .* \(did you mean 'gaussian'\?\)",
        ),
        (
            ("smoke", "dae", "training.epochs=1,1.5"),
            r"^conf/smoke.yaml:models.dae.training.epochs must be a valid integer, got 1.5",
        ),
        (("smoke", "dae", "level=0.1"), r"SETTING must be <key>=<value>,<value>,\.\.\., .*, got 'level=0.1'"),
        (("smoke", "dae", "level"), r"SETTING must be <key>=<value>,<value>,\.\.\., .*, got 'level'"),
        (("smoke", "dae", "level=0.1,0.10"), r"values of level must differ, got 0.1, 0.1"),
        (("smoke", "dae", "level=0.1,nan"), r"^conf/smoke.yaml:models.dae.level must be a valid number, got 'nan'"),
    ],
)
def test_a_wrong_name_or_value_is_one_line_before_anything_is_written(project, arguments, message):
    with pytest.raises(InputError, match=message):
        parse(*arguments)
    assert not Path("own").exists()


def test_a_sweep_has_a_workspace_with_one_model_per_value(project):
    Path("mine.npz").write_bytes(b"")
    subprocess.run(["git", "add", "-A"], check=True)
    before = subprocess.run(["git", "status", "--short"], capture_output=True, text=True, check=True).stdout
    folder, home = prepare(swept := parse("smoke", "dae", "level=0.1,0.4"), [3, 4])
    assert folder == project / "own/sweeps/smoke-dae-level" and home == project / "own"
    assert subprocess.run(["git", "status", "--short"], capture_output=True, text=True, check=True).stdout == before
    blocks, original = json.loads((folder / "conf/smoke.yaml").read_text()), config.read_yaml(Path("conf/smoke.yaml"))
    assert blocks["models"] == {
        name: original["models"]["dae"] | {"level": v} for name, v in (("dae_0_1", 0.1), ("dae_0_4", 0.4))
    }
    assert all(blocks[key] == original[key] for key in ("data", "training", "evaluation", "compute"))
    assert (folder / "conf/digits.yaml").resolve() == project / "conf/digits.yaml"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        suite = config.suite()
        assert (suite.datasets, suite.all_models, suite.seeds) == (["smoke"], list(swept.models), [3, 4])
        checks.check_settings(suite)
        assert external.locate("mine.npz").resolve() == project / "mine.npz"


def test_a_sweep_that_is_made_in_a_workspace_belongs_to_it_and_has_its_seeds(project, monkeypatch):
    dvc_workspace.create(Path("other"))
    monkeypatch.chdir("other")
    edit.select({"seeds": [5, 6]})
    folder, home = prepare(parse("smoke", "dae", "level=0.1,0.4"), [])
    assert folder == project / "other/sweeps/smoke-dae-level" and home == project / "other"
    assert config.suite(folder / "params.yaml").seeds == [5, 6] and not (project / "own").exists()
    prepare(parse("smoke", "dae", "level=0.1,0.3"), [])  # the same workspace with other values
    assert list(config.suite(folder / "params.yaml").models) == ["dae_0_1", "dae_0_3"]


def test_the_places_of_a_sweep_are_named_from_the_folder_of_the_project(project, monkeypatch):
    dvc_workspace.create(Path("a/b"))
    monkeypatch.chdir("a/b")
    folder, home = prepare(swept := parse("smoke", "dae", "level=0.1,0.4"), [])
    monkeypatch.chdir(folder)
    monkeypatch.setattr(results, "read", lambda dataset: SimpleNamespace(folder=Path("reports", dataset)))
    monkeypatch.setattr(sweeps, "write", lambda *_: "| level |\n|---|\n")
    monkeypatch.setattr(mirror, "mirror", lambda *_: None)
    text = report(swept, home)
    assert "table: a/b/sweeps/smoke-dae-level/reports/smoke/tables/sweep.csv" in text and "make ui FOLDER=a/b, then" in text


@pytest.mark.parametrize("values", [{"ae": 0.01, "sae": 1.0}, {"sae": "masking", "ae": "gaussian"}])
def test_table_and_figure_show_the_main_metrics_of_each_value_with_intervals(fake_project, values):
    text = sweeps.write(results.read(DATASET), "dae", "level", values)
    assert "Fake blobs: dae with several values of level. Mean on test images ± 95 % interval over 3 seeds." in text
    rows = list(csv.DictReader((fake_runs.REPORT / "tables/sweep.csv").open()))
    assert [row["level"] for row in rows] == [str(value) for value in values.values()]
    assert sorted(text.split()) == sorted((fake_runs.REPORT / "tables/sweep.md").read_text().split())
    for row, model in zip(rows, values, strict=True):
        for metric in (name for name, facts in METRICS.items() if facts.main):
            low, high = stats.t.interval(0.95, 2, np.mean(measured(model, metric)), stats.sem(measured(model, metric)))
            assert float(row[f"{metric}.mean"]) == pytest.approx((low + high) / 2)
            assert float(row[f"{metric}.half_width"]) == pytest.approx((high - low) / 2)
    assert (fake_runs.REPORT / "figures/sweep.png").stat().st_size > 5000 and (fake_runs.REPORT / "pdf/sweep.pdf").exists()


def test_the_figure_draws_the_numbers_in_increasing_order(fake_project):
    scores = {name: model.scores for name, model in ((each.name, each) for each in results.read(DATASET).models)}
    figure = sweeps._draw({"sse": [scores["ae"]["sse"], scores["sae"]["sse"]]}, "level", [0.4, 0.1])
    (axes,) = figure.axes
    (line, _, (bars,)) = axes.containers[0]
    np.testing.assert_allclose(line.get_xdata(), [0.1, 0.4])
    np.testing.assert_allclose(line.get_ydata(), [np.mean(measured("sae", "sse")), np.mean(measured("ae", "sse"))])
    ends = [segment[:, 1] for segment in bars.get_segments()]
    np.testing.assert_allclose(np.ptp(ends, axis=1) / 2, [scores["sae"]["sse"].half_width, scores["ae"]["sse"].half_width])


@pytest.mark.slow
def test_runs_of_a_sweep_are_one_group_beside_the_others(fake_project, monkeypatch, tmp_path):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv(mirror.PROJECT, raising=False)
    mirror.mirror()
    mirror.mirror("fake_ae_level", fake_project)
    client = MlflowClient(f"sqlite:///{fake_project}/mlflow.db")
    found = client.search_runs([client.get_experiment_by_name(f"aebench/{DATASET}").experiment_id])
    groups = [run.data.tags.get("aebench.sweep", "") for run in found]
    assert groups.count("") == groups.count("fake_ae_level") > 0, "the other runs are not replaced"
    assert mirror.mirror("fake_ae_level", fake_project).logged == 0
