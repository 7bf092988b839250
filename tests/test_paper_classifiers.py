"""Classifiers of papers: pretraining, fine-tuning with labels, and what is measured before and after it."""

import pytest
import torch
from ruamel.yaml import YAML
from small_papers import LAYER, PAPER, lines, write

from aebench import papers, storage
from aebench.papers import run as runs
from aebench.papers.run import run

CLASSIFIER = {"epochs": 4, "optimiser": "sgd", "momentum": 0.5, "learning_rate": 0.1, "criterion": "error", "patience": 2}
SIGMOID = {"latent_dim": 8, "code_activation": "sigmoid", "tied": True, "loss": "bernoulli"}


CLASSIFIERS = {
    "linear": {"model": {"kind": "raw_pixels"}},
    "mlp": {"model": {"kind": "vanilla", "latent_dim": 20, "code_activation": "tanh"}, "pretraining": False},
    "stack": {"model": {"kind": "stacked", "layers": [LAYER | {"latent_dim": k, "training": {"epochs": 1}} for k in (20, 16)]}},
    "cae": {"model": {"kind": "contractive", "weight": 0.1} | SIGMOID, "measures": ["jacobian", "saturated"]},
    "decay": {"model": {"kind": "vanilla", "training": {"optimiser": "sgd", "weight_decay": 0.01}} | SIGMOID},
}
"""Runs of classifiers, as in papers on pretraining, each with a classification error."""


def write_classifiers(*names, **classifier):
    every = {name: run | {"measures": [*run.get("measures", []), "classification_error"]} for name, run in CLASSIFIERS.items()}
    chosen = {name: run | {"classifier": CLASSIFIER | classifier} for name, run in every.items() if name in (names or every)}
    write(runs=chosen, rows=[PAPER["rows"][0] | {"run": next(iter(chosen)), "measure": "classification_error"}])


def trained(monkeypatch):
    """The phases of training: (ensemble before and after, images, settings)."""
    phases, original = [], runs.minimise

    def minimise(ensemble, images, training, *args, **kw):
        before = {name: value.clone() for name, value in ensemble.state.items()}
        history = original(ensemble, images, training, *args, **kw)
        phases.append((before, {name: value.clone() for name, value in ensemble.state.items()}, images, training))
        return history

    monkeypatch.setattr(runs, "minimise", minimise)
    return phases


def test_classifiers_are_trained_with_labels_and_measured_on_test_images(small_paper):
    write_classifiers(epochs=20)
    run("small")
    values = lines()
    assert {name for name, measure, _ in values if measure == "classification_error"} == set(CLASSIFIERS)
    seeds = {name: {seed for run, _, seed in values if run == name} for name in CLASSIFIERS}
    assert seeds == {key: {3, 5} for key in CLASSIFIERS}, "a classifier on raw pixels depends on the seed, too"
    errors = {name: values[name, "classification_error", 3] for name in CLASSIFIERS}
    assert errors["mlp"] < 20
    from sklearn.linear_model import LogisticRegression

    read = runs.Data.read(papers.find("small"), "data").splits
    fitted = LogisticRegression(C=1e6, max_iter=2000).fit(read["train"].images, read["train"].labels)
    best = 100 * (fitted.predict(read["test"].images) != read["test"].labels).mean()
    assert errors["linear"] == pytest.approx(best, abs=8), "20 epochs do not reach the minimum"


def test_a_stack_is_pretrained_layer_by_layer_and_then_fine_tuned_with_labels(small_paper, monkeypatch):
    phases = trained(monkeypatch)
    write_classifiers("stack")
    run("small")
    (_, first, images, training), (_, second, codes, _), (start, _, labelled, tuning) = phases
    assert [images.train.shape, codes.train.shape, labelled.train.shape] == [(997, 64), (2, 997, 20), (997, 74)]
    assert (training.epochs, training.optimiser) == (1, "adam")
    assert (tuning.epochs, tuning.optimiser, tuning.momentum, tuning.criterion) == (4, "sgd", 0.5, "error")
    for layer, state in enumerate((first, second)):
        name = f"encoder.layers.{layer}.encoder.layers.0.weight"
        assert torch.equal(start[name], state["encoder.layers.0.weight"])


def test_threads_of_measures_do_not_change_those_of_training(small_paper, monkeypatch):
    threads, original = [], runs.minimise
    monkeypatch.setattr(runs, "minimise", lambda *a, **kw: (threads.append(torch.get_num_threads()), original(*a, **kw))[1])
    write_classifiers("cae")
    document = YAML(typ="safe").load(papers.file("small")) | {"compute": {"threads": 2}}
    with papers.file("small").open("w") as stream:
        YAML().dump(document, stream)
    run("small")
    assert threads == [1, 1]


def test_without_pretraining_the_encoder_starts_from_its_initial_weights(small_paper, monkeypatch):
    phases = trained(monkeypatch)
    write_classifiers("mlp")
    run("small")
    ((start, *_),) = phases
    fresh = runs.Ensemble(lambda: runs.models.build(CLASSIFIERS["mlp"]["model"], 64), (3, 5)).state
    assert all(torch.equal(start[f"encoder.{name}"], value) for name, value in fresh.items())


def test_jacobian_and_saturation_are_those_of_the_encoder_before_fine_tuning_on_validation_images(small_paper, monkeypatch):
    phases = trained(monkeypatch)
    write_classifiers("cae")
    run("small")
    validation = torch.from_numpy(runs.Data.read(papers.find("small"), "data").splits["validation"].images)
    weight, bias = (phases[0][1][f"encoder.layers.0.{name}"][1] for name in ("weight", "bias"))
    h = torch.sigmoid(validation @ weight + bias).double()
    norm = ((h * (1 - h)).square() @ weight.double().square().sum(0)).sqrt().mean()
    values = lines()
    assert values["cae", "jacobian", 5] == pytest.approx(float(norm), rel=1e-5)
    assert values["cae", "saturated", 5] == pytest.approx(100 * float(((h < 0.05) | (h > 0.95)).double().mean()), abs=0.1)


def test_a_classifier_that_is_killed_while_it_is_fine_tuned_goes_on_with_the_same_results(small_paper, monkeypatch):
    write_classifiers("stack")
    run("small")
    whole = lines()
    for file in storage.CHECKPOINTS.rglob("*.json"):
        file.unlink()
    phases, original = trained(monkeypatch), runs.minimise

    def fail_at_the_third(*args, **kw):
        if len(phases) == 2:
            raise KeyboardInterrupt
        return original(*args, **kw)

    monkeypatch.setattr(runs, "minimise", fail_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        run("small")
    assert len(list(storage.CHECKPOINTS.rglob("stack-*.safetensors"))) == 2
    monkeypatch.setattr(runs, "minimise", original)
    run("small")
    assert lines() == whole and not list(storage.CHECKPOINTS.rglob("*.safetensors"))


def test_no_path_leads_from_test_images_into_training(small_paper, monkeypatch):
    """With other test images, training and selection are the same, only the measures differ."""
    phases = trained(monkeypatch)
    write_classifiers("cae")
    run("small")
    read = runs.Data.read.__func__

    def other_test_images(cls, paper, path):
        whole = read(cls, paper, path)
        test = whole.splits["test"]
        other = storage.Split(test.images[::-1].copy() * 0.5, test.labels)
        return cls(whole.splits | {"test": other}, whole.about, "other")

    first = lines()
    monkeypatch.setattr(runs.Data, "read", classmethod(other_test_images))
    run("small")
    assert len(phases) == 4
    for (_, before, *_), (_, after, *_) in zip(phases[:2], phases[2:], strict=True):
        assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)
    values = lines()
    assert values["cae", "jacobian", 3] == first["cae", "jacobian", 3]
    assert values["cae", "classification_error", 3] != first["cae", "classification_error", 3]
