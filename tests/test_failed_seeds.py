"""A seed whose loss is no longer finite is stopped and marked; the other seeds, models and the report are as without it."""

import math
from dataclasses import replace
from types import SimpleNamespace

import fake_runs
import numpy as np
import pytest
import torch
from family import equal, images, make_ensemble, settings
from project import copy_settings

import aebench
from aebench import data, reporting, storage
from aebench.classifiers.linear_probe import LabelledCodes, LinearProbeSettings, probe
from aebench.classifiers.ridge import ridge_accuracy
from aebench.config import edit
from aebench.errors import InputError
from aebench.evaluation import evaluate as evaluation
from aebench.evaluation.classify import accuracies
from aebench.models import Images
from aebench.models.classifier import Classifier
from aebench.reporting.claims import Test, _result
from aebench.reporting.convergence import still_improving
from aebench.reporting.results import StudyResults, read
from aebench.statistics import best, compare
from aebench.tracking.records import TrackedModel
from aebench.training import tuning
from aebench.training.ensemble import Ensemble
from aebench.training.greedy import pretrain
from aebench.training.minimise import TrainingLoop, minimise
from aebench.training.run import TrainingRun


def spoil(ensemble, seed, value=math.nan):
    """Set a weight of the seed at position `seed`."""
    next(iter(ensemble.weights.values())).data[seed, 0] = value


def trained(spoilt_before=None, **changes):
    """The ensemble of seeds 0, 1 and 2 and its history; seed 1 is spoilt before an epoch."""
    ensemble = make_ensemble("vanilla", (0, 1, 2))
    loop = TrainingLoop(ensemble, changes.pop("images", images()), settings(epochs=4, **changes))
    while loop.active:
        if loop.epoch + 1 == spoilt_before:
            spoil(loop.ensemble, 1)
        loop.run_epoch()
    return ensemble, loop.finish()


@pytest.mark.parametrize("epoch", [1, 3])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_seed_without_a_finite_loss_fails_with_its_epoch_and_the_others_are_untouched(epoch, threads):
    (healthy, history), (spoilt, failed) = trained(threads=threads), trained(epoch, threads=threads)
    assert failed.failed.tolist() == [0, epoch, 0]
    assert failed.best.tolist() == [history.best[0], 0, history.best[2]]
    assert all(value[1].isnan().all() for value in spoilt.state.values())
    for s in (0, 2):
        assert equal({n: v[s] for n, v in spoilt.state.items()}, {n: v[s] for n, v in healthy.state.items()})
        assert all((failed.terms[name][:, s] == history.terms[name][:, s]).all() for name in history.terms)
    assert np.isnan(failed.terms["train.loss"][epoch:, 1]).all(), "it was stopped"


def test_without_validation_images_final_weights_that_are_not_finite_have_failed():
    everything = images()
    loop = TrainingLoop(make_ensemble("vanilla", (0, 1)), Images(everything.train, everything.train[:0]), settings(epochs=1))
    spoilt = loop._append
    loop._append = lambda name, values: (spoil(loop.ensemble, 1), spoilt(name, values))
    loop.run_epoch()
    assert loop.finish().failed.tolist() == [0, 1]


def test_healthy_training_has_no_failed_seeds():
    assert trained()[1].failed.tolist() == [0, 0, 0]


def test_parts_that_are_trained_one_after_the_other_keep_the_failed_seeds(monkeypatch):
    monkeypatch.setattr("aebench.training.minimise.seeds_at_once", lambda *_: 1)
    ensemble = make_ensemble("vanilla", (0, 1, 2))
    spoil(ensemble, 1)
    assert minimise(ensemble, images(), settings()).failed.tolist() == [0, 1, 0]


def test_a_search_never_chooses_a_rate_with_which_training_failed():
    trials = [tuning.Trial("ae", rate, loss) for rate, loss in ((1.0, math.nan), (0.1, math.inf), (0.01, 5.0), (0.001, 6.0))]
    assert tuning.summary(trials).endswith("; best 0.01")
    assert tuning.summary(trials[:2]) == "ae: 1: nan, 0.1: inf; training failed with every rate"


def test_a_search_keeps_the_trials_of_other_models(empty_folder):
    trials = [
        tuning.Trial(model, rate, loss) for model, rate, loss in (("ae", 0.1, 5.0), ("ae", 1.0, math.nan), ("dae", 0.1, 4.0))
    ]
    tuning.write("digits", trials)
    again = [tuning.Trial("dae", 0.2, 3.0), tuning.Trial("vae", 0.2, 2.0)]
    assert tuning.write("digits", again).read_text().splitlines() == [
        "model,learning_rate,loss",
        "ae,0.1,5.0",
        "ae,1.0,",
        "dae,0.2,3.0",
        "vae,0.2,2.0",
    ]


HEADER = "model,learning_rate,loss\n"


@pytest.mark.parametrize("text", ["model,rate,loss\nae,0.1,5\n", f"{HEADER}ae,abc,5\n", f"{HEADER}ae,0.1\n", "\xff"])
def test_a_damaged_file_of_trials_is_one_line(empty_folder, text):
    tuning.write("digits", [tuning.Trial("ae", 0.1, 5.0)]).write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"^reports/digits/search.csv must be as aebench tune wrote it .*delete it.*, got"):
        tuning.recorded("digits")


def test_codes_that_are_not_finite_have_no_accuracy():
    codes, labels = torch.rand(30, 4), torch.arange(30) % 3
    huge = codes.clone()
    huge[3] = math.inf
    assert math.isnan(ridge_accuracy(huge.numpy(), labels.numpy(), codes.numpy(), labels.numpy()))
    parts = LabelledCodes(huge, labels), LabelledCodes(codes, labels), LabelledCodes(codes, labels)
    results = probe(*parts, LinearProbeSettings(per_class=[2], fractions=[0.5, 1.0]), seed=0)
    assert [result.labels for result in results.values()] == [6, 15, 30]
    assert all(math.isnan(result.accuracy) for result in results.values())
    classifiers = Ensemble(lambda: Classifier(make_ensemble("vanilla").model.to_empty(device="cpu"), 3), (0, 1))
    for value in classifiers.state.values():
        value.fill_(0.1)
    spoil(classifiers, 1)
    first, second = accuracies(classifiers, torch.rand(30, 16), labels)
    assert first == pytest.approx(100 / 3) and math.isnan(second)


def test_an_estimator_says_that_training_failed():
    estimator = aebench.VanillaAutoencoder(latent_dim=2, hidden=[16], learning_rate=1e30, random_state=0)
    with pytest.raises(InputError, match=r"learning_rate must be small enough for a finite loss, got 1e\+30"):
        estimator.fit(np.random.default_rng(0).random((40, 16)).astype(np.float32))


def test_statistics_leave_out_failed_seeds_in_pairs():
    nan = math.nan
    samples = {"a": [1.0, 2.0, 3.0, nan], "b": [2.0, 3.1, 4.0, 9.0], "c": [nan, nan, 3.0, 1.0], "d": [5.0]}
    whole = {name: values[:3] for name, values in samples.items() if name in "ab"}
    (expected,) = compare(whole)
    pairs = {(pair.first, pair.second): pair for pair in compare(samples)}
    assert pairs["a", "b"].difference == expected.difference and pairs["a", "b"].difference.n == 3
    assert math.isnan(pairs["a", "c"].p) and pairs["a", "c"].difference.n == 1, "one pair of seeds cannot be tested"
    assert pairs["a", "d"].difference.n == 3
    assert "a" in best(samples, "lower")


@pytest.fixture
def stages(tmp_path, monkeypatch):
    """A project in which seed 1 of ae and all seeds of vae fail; trained, but not evaluated."""
    copy_settings(tmp_path)
    monkeypatch.chdir(tmp_path)
    edit.select({"datasets": ["smoke"], "models": ["ae", "vae", "stacked"], "seeds": [0, 1]})
    data.prepare("smoke")
    build = TrainingRun.ensemble
    spoilt = {"ae": [1], "vae": [0, 1], "stacked": [0]}

    def ensemble(self):
        built = build(self)
        for seed in spoilt[self.model]:
            spoil(built, seed)
        return built

    monkeypatch.setattr(TrainingRun, "ensemble", ensemble)
    return tmp_path


def test_stages_write_the_failed_seeds_and_their_empty_results(stages, monkeypatch):
    monkeypatch.setattr(evaluation, "represent", lambda view: SimpleNamespace(seed=view.seed))
    monkeypatch.setattr(evaluation, "METRICS", {"sse": SimpleNamespace(measure=lambda r: r.seed + 1.0, stage="evaluate")})
    monkeypatch.setattr(evaluation, "PROFILES", {"p": SimpleNamespace(measure=lambda r: {"1": 2.0}, stage="evaluate")})
    monkeypatch.setattr(evaluation, "pictures", lambda trained, r, settings: {"shown": np.array(r.seed)})
    monkeypatch.setattr(evaluation, "throughput", lambda *_: {})
    monkeypatch.setattr("aebench.classifiers.feature_classifier.load", lambda *_: None)
    written = {}
    for model in ("ae", "vae"):
        TrainingRun("smoke", model).train()
        evaluation.evaluate("smoke", model)
        folder = storage.run_folder("smoke", model)
        written[model] = [storage.read_columns(folder / f"{name}.csv") for name in ("metrics", "profiles")]
    np.testing.assert_equal(written["ae"], [{"seed": [0, 1], "sse": [1, math.nan]}, {"seed": [0, 1], "p/1": [2, math.nan]}])
    np.testing.assert_equal(written["vae"], [{"seed": [0, 1], "sse": [math.nan] * 2}, {"seed": [0, 1]}])
    assert storage.read_arrays(storage.run_folder("smoke", "ae") / "pictures.npz") == {"shown": 0}
    assert [storage.load_cost(storage.run_folder("smoke", m) / "cost.json").failed for m in written] == [[0, 1], [1, 1]]
    assert aebench.load("smoke/ae").seed_ == 0
    with pytest.raises(InputError, match="seed of smoke/ae must be one whose training did not fail, got 1"):
        aebench.load("smoke/ae", seed=1)


def test_a_stack_whose_layer_failed_has_no_loss_and_no_probe(stages):
    pretrain(TrainingRun("smoke", "stacked"))
    layers = storage.read_columns(storage.run_folder("smoke", "stacked") / "layers.csv")
    for name in ("loss.1", "probe.1", "loss.3", "probe.3"):
        assert math.isnan(layers[name][0]) and math.isfinite(layers[name][1])


def fail(model, seeds, epochs=None):
    """Empty the results of the seeds at these positions, as the stages write them; all seeds have no profiles."""
    for file in ("metrics.csv", "profiles.csv", "classification.csv"):
        columns = storage.read_columns(fake_runs.file_of(model, file))
        values = {n: [math.nan if s in seeds else v for s, v in enumerate(c)] for n, c in columns.items() if n != "seed"}
        everything = file == "profiles.csv" and len(seeds) == len(fake_runs.SEEDS)
        storage.write_columns(fake_runs.file_of(model, file), {"seed": columns["seed"]} | ({} if everything else values))
    cost = storage.read_json(fake_runs.file_of(model, "cost.json")) | {"failed": epochs or [0, 0, 0]}
    storage.write_json(fake_runs.file_of(model, "cost.json"), cost)
    if 0 in seeds and len(seeds) == len(fake_runs.SEEDS):
        storage.write_arrays(fake_runs.file_of(model, "pictures.npz"))


def test_the_report_shows_failed_seeds_in_n_and_in_a_line_and_others_as_before(fake_project):
    before = fake_runs.write_texts()
    fail("ae", [1], [0, 7, 0])
    fail("sae", [0, 1, 2], [1, 1, 2])
    after = fake_runs.write_texts()
    table = fake_runs.read_table()
    values = fake_runs.measured("ae", "sse")
    assert float(table["ae"]["sse.mean"]) == pytest.approx((values[0] + values[2]) / 2, rel=1e-12)
    assert (table["ae"]["n"], table["ae"]["sse.n"], table["sae"]["n"], table["sae"]["sse.mean"]) == ("2", "2", "0", "")
    for text in (after[".md"], after[".html"]):
        assert "ae: 1 of 3 seeds failed and has no values: the loss was not finite in epoch 7 (seed 1)." in text
        assert "sae: 3 of 3 seeds failed and have no values: the loss was not finite in epoch 1 (seeds 0, 1); the loss" in text
        assert "—" in fake_runs.row_of("sae", text)
    for suffix in (".md", ".html"):
        assert fake_runs.row_of("ae_2d", after[suffix]).split() == fake_runs.row_of("ae_2d", before[suffix]).split()


@pytest.mark.slow
def test_the_whole_report_is_written_when_every_seed_of_a_model_failed(fake_project):
    fail("sae", [0, 1, 2], [1, 1, 1])
    fail("ae_2d", [0, 1, 2], [1, 1, 1])
    reporting.report(fake_runs.DATASET)
    assert (fake_project / "reports/fake/figures/reconstructions.png").exists()


def test_a_claim_is_tested_with_the_seeds_that_did_not_fail(fake_project):
    fail("ae", [1], [0, 7, 0])
    claim = Test(measured="m", plus=["ae_2d:sse"], minus=["ae:sse"], above=0)
    result = _result(read(fake_runs.DATASET), claim)
    first, second = (np.array(fake_runs.measured(model, "sse")) for model in ("ae_2d", "ae"))
    assert result.effect.n == 2 and result.effect.mean == pytest.approx((first - second)[[0, 2]].mean(), rel=1e-12)
    fail("ae", [0, 1, 2], [1, 7, 1])
    assert _result(read(fake_runs.DATASET), claim).why == "not measured: ae:sse"


def test_a_failed_seed_of_a_model_is_kept_for_the_series_of_that_name_in_a_study(fake_project):
    fail("ae", [1], [0, 7, 0])
    study = StudyResults(None, {"ae": {"1": {"sse": [1.0, 2.0, 6.0]}}})
    claim = Test(measured="m", plus=["ae:study/s/1/sse"], above=0)
    effect = _result(replace(read(fake_runs.DATASET), studies={"s": study}), claim).effect
    assert (effect.mean, effect.n) == (3, 3)


def test_a_failed_seed_of_a_study_is_left_out_of_a_claim(fake_project):
    study = StudyResults(
        None, {name: {"1": {"sse": values}} for name, values in {"a": [1.0, np.nan, 6.0], "b": [2.0, 3.0, 5.0]}.items()}
    )
    claim = Test(measured="m", plus=["a:study/s/1/sse"], minus=["b:study/s/1/sse"], above=0)
    effect = _result(replace(read(fake_runs.DATASET), studies={"s": study}), claim).effect
    assert (effect.mean, effect.n) == (0, 2), "the mean of 1 - 2 and 6 - 5"


def test_a_failed_seed_does_not_hide_that_a_model_was_still_improving(fake_project):
    falling = {"seed": [0] * 20 + [1] + [2] * 20, "epoch": [*range(1, 21), 1, *range(1, 21)]}
    losses = [*np.linspace(10, 5, 20), math.nan, *np.linspace(11, 6, 20)]
    storage.write_columns(fake_runs.file_of("ae", "history.csv"), falling | {"validation.loss": losses})
    (model,) = (model for model in read(fake_runs.DATASET).models if model.name == "ae")
    assert still_improving(model)
    storage.write_columns(
        fake_runs.file_of("ae", "history.csv"), {"seed": [0, 1], "epoch": [1, 1], "validation.loss": [math.nan] * 2}
    )
    (model,) = (model for model in read(fake_runs.DATASET).models if model.name == "ae")
    assert not still_improving(model)


def test_mlflow_marks_the_runs_of_failed_seeds(fake_project):
    fail("ae", [1], [0, 7, 0])
    (results,) = (model for model in read(fake_runs.DATASET).models if model.name == "ae")
    summary, first, second, third = TrackedModel("fake", results, {}, {}).records()
    assert (first.failed, third.failed) == ("", "")
    assert second.failed == summary.failed and "epoch 7 (seed 1)" in second.failed
    assert summary.scores["test/sse"] == pytest.approx(np.nanmean(results.samples["sse"]), rel=1e-12)
