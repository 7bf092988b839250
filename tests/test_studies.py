"""Studies: what varies, what is equal, and how results reach the report."""

from contextlib import chdir
from pathlib import Path

import fake_runs
import numpy as np
import pytest
import torch
from project import ROOT
from ruamel.yaml import YAML

from aebench import config, storage, studies
from aebench.errors import InputError
from aebench.reporting import claims, figures, tables
from aebench.reporting.results import read
from aebench.studies import checks
from aebench.studies.run import COMPUTE, run
from aebench.training.run import TrainingRun

SWEEP = {
    "kind": "sweep",
    "question": "What does λ change?",
    "vary": "weight",
    "values": [0.01, 10.0],
    "models": {
        "l1": {"kind": "sparse", "latent_dim": 8, "penalty": "l1", "code_activation": "relu"},
        "kl": {"kind": "sparse", "latent_dim": 8},
    },
    "metrics": ["sse", "exact_zeros", "linear_probe_by_labels/1.0"],
}
SIZES = {
    "kind": "sweep",
    "question": "What does the number of images change?",
    "vary": "training_images",
    "values": [12, 60],
    "models": {"ae": {"kind": "vanilla", "latent_dim": 8}},
    "metrics": ["sse", "sse_gap"],
}
DEPTH = {
    "kind": "depth",
    "question": "What does depth change?",
    "latent_dims": [12, 8],
    "pretraining": {
        "ae": {"kind": "vanilla", "code_activation": "sigmoid"},
        "dae": {"kind": "denoising", "level": 0.2, "code_activation": "sigmoid"},
    },
    "training": {"epochs": 3},
    "classifier": {"fractions": [0.5, 1.0], "updates": 4, "batch_size": 32, "learning_rate": 0.01},
}  # fmt: skip


@pytest.fixture
def project(tmp_path):
    """A project with images of three classes, and the studies sweep, sizes and depth."""
    fake_runs.write_fake_suite(tmp_path)
    with chdir(tmp_path):
        edit(
            studies={"sweep": SWEEP, "sizes": SIZES, "depth": DEPTH},
            training={"epochs": 4, "batch_size": 32, "learning_rate": 0.01},
        )
        yield tmp_path


def edit(**changes):
    file, yaml = Path(f"conf/{fake_runs.DATASET}.yaml"), YAML()
    document = yaml.load(file) | changes
    with file.open("w") as stream:
        yaml.dump(document, stream)


def find(name):
    return studies.find(fake_runs.DATASET, name)


def point(name, task):
    study = find(name)
    return COMPUTE[study.kind](study, fake_runs.DATASET, name, task)


def recorded(monkeypatch):
    """The calls of `TrainingRun.minimise`: (experiment, ensemble, images, changes)."""
    calls, original = [], TrainingRun.minimise

    def minimise(self, ensemble, images, changes=None, identity=()):
        calls.append((self, ensemble, images, changes))
        return original(self, ensemble, images, changes, identity)

    monkeypatch.setattr(TrainingRun, "minimise", minimise)
    return calls


def test_a_sweep_trains_with_each_value_of_the_setting_and_all_seeds(project, monkeypatch):
    calls = recorded(monkeypatch)
    assert find("sweep").tasks() == ["l1=0.01", "l1=10", "kl=0.01", "kl=10"]
    weak, strong = point("sweep", "l1=0.01")[0], point("sweep", "l1=10")[0]
    assert [call[0].settings["weight"] for call in calls] == [0.01, 10.0]
    assert [call[1].seeds for call in calls] == [list(fake_runs.SEEDS)] * 2
    assert (weak.series, weak.position, strong.position) == ("l1", 0.01, 10.0)
    assert np.mean(strong.values["exact_zeros"]) > np.mean(weak.values["exact_zeros"]) + 20
    assert np.mean(strong.values["sse"]) > np.mean(weak.values["sse"])


def test_a_sweep_measures_test_images(project, monkeypatch):
    calls = recorded(monkeypatch)
    (result,) = point("sweep", "kl=0.01")
    replicas, test = list(calls[0][1].replicas()), torch.from_numpy(storage.load_split(fake_runs.DATASET, "test").images)
    by_hand = [float((test - r("decode", r("encode", test))).square().sum(1).mean()) for r in replicas]
    np.testing.assert_allclose(result.values["sse"], by_hand, rtol=1e-5)


def test_fewer_training_images_mean_as_many_updates_and_another_subset_per_seed(project, monkeypatch):
    calls = recorded(monkeypatch)
    point("sizes", "ae=12")
    _, _, images, changes = calls[0]
    assert images.train.shape == (3, 12, 144)
    assert images.validation.shape == (12, 144)
    assert changes["epochs"] == 8  # 4 epochs of two batches, as 8 epochs of one
    train = torch.from_numpy(storage.load_split(fake_runs.DATASET, "train").images)
    assert all((train == image).all(1).any() for subset in images.train for image in subset)
    assert not torch.equal(images.train[0], images.train[1])


def test_with_all_training_images_a_sweep_is_the_ordinary_training(project):
    (result,) = point("sizes", "ae=60")
    experiment = TrainingRun(fake_runs.DATASET, "plain", SIZES["models"]["ae"], "plain")
    ensemble = experiment.ensemble()
    ensemble.model.fit(ensemble, experiment.images, experiment.minimise)
    test = torch.from_numpy(storage.load_split(fake_runs.DATASET, "test").images)
    by_hand = [float((test - r("decode", r("encode", test))).square().sum(1).mean()) for r in ensemble.replicas()]
    np.testing.assert_allclose(result.values["sse"], by_hand, rtol=1e-5)


def test_without_early_stopping_the_last_epoch_is_kept(project, monkeypatch):
    calls = recorded(monkeypatch)
    edit(studies={"sizes": SIZES | {"early_stopping": False}})
    point("sizes", "ae=12")
    assert len(calls[0][2].validation) == 0


def test_the_gap_is_measured_on_the_images_trained_with(project, monkeypatch):
    calls = recorded(monkeypatch)
    (result,) = point("sizes", "ae=12")
    _, ensemble, images, _ = calls[0]
    errors = [
        float((x - r("decode", r("encode", x))).square().sum(1).mean())
        for x, r in zip(images.train, ensemble.replicas(), strict=True)
    ]
    np.testing.assert_allclose(np.subtract(result.values["sse"], result.values["sse_gap"]), errors, rtol=1e-5)


def test_a_depth_uses_the_first_layers_of_the_pretrained_stack(project, monkeypatch):
    calls = recorded(monkeypatch)
    shallow, deep = point("depth", "ae")
    assert (shallow.position, deep.position) == (1, 2)
    layers = [call[1].state["encoder.layers.0.weight"] for call in calls[:2]]
    classifiers = [call[1] for call in calls[2:]]
    assert [c.model.encoder.latent_dim for c in classifiers] == [12, 12, 8, 8]
    assert layers[0].shape == (3, 144, 12)
    assert layers[1].shape == (3, 12, 8)


@pytest.mark.parametrize("task", ["unpretrained", "modern"])
def test_controls_have_as_many_updates_as_pretraining_and_fine_tuning(project, monkeypatch, task):
    calls = recorded(monkeypatch)
    point("depth", task)
    epochs = [changes["epochs"] for *_, changes in calls]
    # pretraining of a layer: 3 epochs of 2 batches; fine-tuning: 4 updates; half of the labels are one batch, all are two
    assert epochs == [4 + 6, (4 + 6) // 2, 4 + 12, (4 + 12) // 2]


def test_unpretrained_and_modern_differ_in_initialisation_and_activation(project):
    unpretrained, modern = (point("depth", task) for task in ("unpretrained", "modern"))
    assert unpretrained[0].values["frozen/1.0"] != modern[0].values["frozen/1.0"]


def test_a_study_is_written_once_and_read_by_the_report(project):
    run(fake_runs.DATASET, "sweep")
    columns = storage.read_columns(storage.study_folder(fake_runs.DATASET) / "sweep.csv")
    assert list(columns)[:3] == ["seed", "l1/0.01/sse", "l1/0.01/exact_zeros"]
    results = read(fake_runs.DATASET)
    assert results.studies["sweep"].samples["l1"]["10"]["sse"] == columns["l1/10/sse"]
    (table,) = [table for table in tables.tables(results) if table.section == "studies"]
    assert table.columns[0].cells == ["l1", "l1", "kl", "kl"]
    assert len(figures.figures(results)["study_sweep"].draw(results).axes) == 3
    assert not list(storage.CHECKPOINTS.rglob("*.json"))


def test_finished_tasks_are_not_repeated(project, monkeypatch):
    calls, original = [], COMPUTE["sweep"]

    def fail_at_the_third(study, dataset, name, task):
        calls.append(task)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(study, dataset, name, task)

    monkeypatch.setitem(COMPUTE, "sweep", fail_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        run(fake_runs.DATASET, "sweep")
    run(fake_runs.DATASET, "sweep")
    assert calls == ["l1=0.01", "l1=10", "kl=0.01", "kl=0.01", "kl=10"]


def test_results_of_other_settings_are_left_out_with_a_line(project, capsys):
    run(fake_runs.DATASET, "sizes")
    assert list(read(fake_runs.DATASET).studies) == ["sizes"]
    edit(studies={"sizes": SIZES | {"models": {"ae": {"kind": "vanilla", "latent_dim": 4}}}})
    assert not read(fake_runs.DATASET).studies
    assert (
        "computed with other settings or seeds and is left out; to update it: make reproduce STUDIES=sizes"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize("changes", [{"learning_rate": 0.002}, {"epochs": 5}])
def test_results_of_other_training_settings_are_left_out_and_another_title_keeps_them(project, changes):
    run(fake_runs.DATASET, "sizes")
    edit(studies={"sizes": SIZES | {"question": "Another title?"}})
    assert list(read(fake_runs.DATASET).studies) == ["sizes"]
    edit(training={"epochs": 4, "batch_size": 32, "learning_rate": 0.01} | changes)
    assert not read(fake_runs.DATASET).studies


def test_every_quantity_of_a_study_in_the_claims_exists():
    conf = config.dataset("digits")
    for claim in (claim for each in claims.claims().values() for claim in each.values()):
        for quantity in (q for test in claim.tests for q in test.quantities if ":study/" in q):
            series, _, rest = quantity.partition(":study/")
            name, position, what = rest.split("/", 2)
            study = studies.find("digits", name)
            assert series in ([*study.models] if study.kind == "sweep" else study.tasks())
            assert float(position) in (study.values if study.kind == "sweep" else range(1, len(study.latent_dims) + 1))
            if study.kind == "sweep":
                assert what in study.metrics
            else:
                assert float(what.partition("/")[2]) in study.classifier["fractions"]
        assert not claim.figure.startswith("study_") or claim.figure.removeprefix("study_") in conf.studies


def test_a_claim_may_quote_a_study(project):
    run(fake_runs.DATASET, "sweep")
    zeros = {"measured": "zeros", "plus": ["l1:study/sweep/10/exact_zeros"], "minus": ["l1:study/sweep/0.01/exact_zeros"]}
    more, fewer = (
        config.check(claims.Claim, {"says": "x", "figure": "study_sweep", "tests": [zeros | bound]}, "c")
        for bound in ({"above": 0}, {"below": 0})
    )
    results = read(fake_runs.DATASET)
    assert claims.verdict(results, more)[0] == claims.SUPPORTED
    assert claims.verdict(results, fewer)[0] == claims.REFUTED
    missing = config.check(
        claims.Claim,
        {"says": "x", "figure": "study_sweep", "tests": [zeros | {"plus": ["l1:study/absent/10/sse"], "above": 0}]},
        "c",
    )
    assert claims.verdict(results, missing)[0] == claims.NOT_TESTED


def verdict_of(name):
    """The verdict on a claim of claims.yaml."""
    return claims.verdict(read(fake_runs.DATASET), next(each[name] for each in claims.claims().values() if name in each))[0]


def test_a_penalty_without_effect_refutes_that_larger_weights_give_sparser_codes(project, monkeypatch):
    edit(studies={"sparsity_weight": SWEEP | {"values": [0.01, 1.0], "metrics": ["population_sparsity", "sse"]}})
    monkeypatch.setattr("aebench.models.sparse.Sparse.penalty", lambda self, h: 0 * h.sum())
    run(fake_runs.DATASET, "sparsity_weight")
    assert verdict_of("kl_sparser_with_weight") == claims.REFUTED
    assert verdict_of("l1_sparser_with_weight") == claims.REFUTED


def test_a_denoising_autoencoder_without_corruption_refutes_that_it_prevents_overfitting(project):
    dae = {"kind": "denoising", "latent_dim": 8, "level": 0.0}
    sizes = SIZES | {
        "models": SIZES["models"] | {"dae": dae},
        "metrics": [*SIZES["metrics"], "linear_probe_by_labels/10 per class"],
    }
    edit(studies={"training_size": sizes, "overfitting": sizes | {"early_stopping": False}})
    for study in ("training_size", "overfitting"):
        run(fake_runs.DATASET, study)
        file = storage.study_folder(fake_runs.DATASET) / f"{study}.csv"
        columns = storage.read_columns(file)  # the fake data set has fewer than 100 images
        storage.write_columns(file, {name.replace("/12/", "/100/"): values for name, values in columns.items()})
    assert verdict_of("dae_overfitting") == claims.REFUTED
    assert verdict_of("dae_error_few_images") == claims.REFUTED
    assert verdict_of("dae_few_images") == claims.REFUTED


def test_pretraining_without_updates_refutes_that_it_improves_classifiers(project, monkeypatch):
    monkeypatch.setattr("aebench.models.stacked.Stacked.pretrain", lambda self, ensemble, images, train: None)
    values = point("depth", "ae")[1].values, point("depth", "dae")[1].values
    assert values[0] == values[1]  # the effect of the claim dae_pretrains_better is exactly 0


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("sweep", {"metrics": ["exact_zero"]}, "studies.sweep.metrics must be one of"),
        ("sweep", {"metrics": ["frechet"]}, "studies.sweep.metrics must be one of"),
        ("sweep", {"metrics": ["sse_sampled"]}, "studies.sweep.metrics must be one of"),
        ("sweep", {"metrics": ["sse/1"]}, "studies.sweep.metrics must be one of"),
        ("sweep", {"metrics": ["linear_probe_by_labels"]}, "studies.sweep.metrics must be one of"),
        ("sweep", {"metrics": ["linear_probe_by_labels/0.2"]}, "metrics: the number of labels must be one of 0.01"),
        ("sweep", {"metrics": ["sse", "sse"]}, "studies.sweep.metrics must not contain duplicates"),
        ("sweep", {"values": [1, 1.0]}, "studies.sweep.values must be strictly increasing"),
        ("sweep", {"values": [2, 1]}, "studies.sweep.values must be strictly increasing"),
        ("sweep", {"values": [-1, 1]}, "studies.sweep.values"),
        ("sweep", {"vary": "penalty.x"}, "models.l1.penalty must have keys for 'penalty.x', got 'l1'"),
        ("sweep", {"models": {"a/b": SWEEP["models"]["kl"]}}, "underscores that begin with a letter, got 'a/b'"),
        ("sweep", {"models": {"p": {"kind": "pca", "latent_dim": 2}}}, "must be trained by gradient descent alone, got pca"),
        ("depth", {"pretraining": {"a": {"kind": "vanilla", "training": {}}}}, "pretraining.a must not have training"),
        ("sweep", {"vary": "wieght"}, "a key of conf/fake.yaml:studies.sweep.models.l1 must be"),
        ("sweep", {"values": [0.1]}, "studies.sweep.values must have at least 2 items"),
        ("sweep", {"kind": "swep"}, "sweep.kind must be one of anomalies, depth, sweep, got 'swep' (did you mean 'sweep'?)"),
        ("sizes", {"values": [0.5, 60.0]}, "studies.sizes.values must be integers for training_images"),
        ("depth", {"pretraining": {"modern": {"kind": "vanilla"}}}, "pretraining must not have a series named modern"),
        ("depth", {"pretraining": {"a": {"kind": "vanila"}}}, "studies.depth.pretraining.a.kind must be one of"),
    ],
)  # fmt: skip
def test_invalid_settings_are_named(project, name, changes, message):
    edit(studies={name: {"sweep": SWEEP, "sizes": SIZES, "depth": DEPTH}[name] | changes})
    with pytest.raises(InputError) as error:
        checks.check(find(name), f"conf/fake.yaml:studies.{name}")
    assert message in str(error.value)


def test_more_images_than_there_are_is_an_error(project):
    for count in (1, 59, 61):
        edit(studies={"sizes": SIZES | {"values": sorted([12, count])}})
        with pytest.raises(InputError, match=f"training_images must be 3 to 57, .* or all 60, got {count}"):
            point("sizes", f"ae={count}")


def test_an_unknown_study_names_the_nearest(project):
    with pytest.raises(InputError, match=r"did you mean 'sizes'"):
        find("size")


@pytest.mark.parametrize("dataset", ["digits", "mnist", "fashion_mnist"])
def test_models_of_studies_have_the_settings_of_the_models_of_that_name(dataset, monkeypatch):
    """Apart from what varies, and from classifiers, which a study does not train."""
    monkeypatch.chdir(ROOT)
    conf, compared = config.dataset(dataset), 0
    for study in conf.studies.values():
        for model, settings in study.get("models", {}).items():
            if model in conf.all_models and study.get("vary") not in settings:
                expected = {key: value for key, value in conf.all_models[model].items() if key != "classifier"}
                assert settings == expected, f"{model} in {study['question']}"
                compared += 1
    assert compared
