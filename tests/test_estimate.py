"""The time of a long training run is estimated beforehand, from recorded costs or from timed batches."""

from types import SimpleNamespace

import fake_runs
import pytest
from fake_runs import DATASET, EPOCHS, SEEDS
from ruamel.yaml import YAML

from aebench import config, storage
from aebench.config import edit
from aebench.pipeline import estimate, runner


def cost(model):
    return storage.load_cost(storage.run_folder(DATASET, model) / "cost.json")


def test_recorded_seconds_are_scaled_to_other_epochs_and_seeds(fake_project):
    before = cost("ae").seconds
    assert cost("ae").epochs == [EPOCHS] * len(SEEDS) and estimate._recorded(DATASET, "ae") == pytest.approx(before)
    assert estimate._recorded(DATASET, "pca_2d") == cost("pca_2d").seconds, "a closed form has no epochs"
    file, yaml = config.conf_file(DATASET), YAML()
    document = yaml.load(file)
    document["training"]["epochs"] = 3 * EPOCHS
    yaml.dump(document, file)
    fake_runs.write_params([DATASET], list(fake_runs.BLOCKS))
    edit.select({"seeds": [0, 1, 2, 3, 4, 5]})
    assert estimate._recorded(DATASET, "ae") == pytest.approx(3 * 2 * before)


def test_without_a_readable_cost_there_is_no_recorded_time(fake_project):
    file = storage.run_folder(DATASET, "ae") / "cost.json"
    for text in ("{", "{}", '{"seconds": 1, "later": 2}'):
        file.write_text(text)
        assert estimate._recorded(DATASET, "ae") is None
    file.unlink()
    assert estimate._recorded(DATASET, "ae") is None


def test_the_sentence_says_what_it_rests_on():
    both = estimate.sentence("mnist", ["ae", "dae", "s"], {"ae": 1200.0}, {"dae": 2400.0}, 2, 1)
    assert both == "mnist: about 90 min of training (3 models, from the last run and timed on 5 batches of 1 of them)"
    assert estimate.sentence("mnist", ["ae"], {}, {"ae": 9000.0}, 2, 2) == (
        "mnist: about 2.5 hours of training (1 model, timed on 5 batches)"
    )
    assert not estimate.sentence("digits", ["ae", "dae"], {"ae": 30.0, "dae": 50.0}, {}, 2, 2), "40 s are not worth a line"


def test_batches_are_timed_only_for_long_training_runs(fake_project, monkeypatch):
    calls = []
    monkeypatch.setattr(estimate, "_timed", lambda dataset, models: calls.append(models) or dict.fromkeys(models, 600.0))
    for model in ("ae", "sae"):
        (storage.run_folder(DATASET, model) / "cost.json").unlink()
    assert not estimate.training(DATASET, ["ae", "sae"], 2) and not calls
    monkeypatch.setattr(estimate, "LONG", 1.0)
    assert estimate.training(DATASET, ["ae", "sae"], 1).startswith("fake: about 20 min of training (2 models, timed on")
    assert calls == [["ae", "sae"]]


def test_timing_a_model_leaves_no_results(fake_project):
    before = sorted(fake_project.rglob("*"))
    assert 0 < estimate.seconds_of(DATASET, "ae") < 600 and estimate.seconds_of(DATASET, "pca_2d") == 0
    assert sorted(fake_project.rglob("*")) == before


def test_the_time_of_an_epoch_is_estimated(fake_project, monkeypatch):
    """With a clock that counts updates, the estimate is the number of updates of the run."""
    updates = []
    monkeypatch.setattr("torch.optim.Adam.step", lambda self: updates.append(1))
    monkeypatch.setattr(estimate.time, "perf_counter", lambda: len(updates))
    training = config.dataset(DATASET).training
    images = len(storage.load_split(DATASET, "train").labels)
    validation = len(storage.load_split(DATASET, "validation").labels)
    expected = training.batches(images) * training.epochs * (1 + validation / images / 3)
    assert estimate.seconds_of(DATASET, "ae") == pytest.approx(expected)


def test_a_run_announces_the_training_of_models_that_will_be_trained(monkeypatch):
    lines, asked = [], []
    names = "check prepare@a pretrain@a-deep train@a-ae train@a-dae finetune@a-deep train@b-ae evaluate@a-ae"
    graph, first = dict.fromkeys(names.split()), {}
    stages = SimpleNamespace(graph=graph, will_compute=lambda name: name != "train@a-dae")
    monkeypatch.setattr(estimate, "training", lambda dataset, models, *slots: asked.append((dataset, models)) or "about 1 h")
    for stage in graph:
        runner._announce(stages, SimpleNamespace(note=lines.append), 2, 0, first, stage)
    assert asked == [("a", ["ae", "deep"]), ("b", ["ae"])] and lines == ["about 1 h"] * 2
    assert first == {"a": "pretrain@a-deep", "b": "train@b-ae"}
