"""A verdict depends only on intervals and bounds, and a broken model does not support a claim."""

import math
from contextlib import chdir
from dataclasses import replace
from pathlib import Path

import fake_runs
import numpy as np
import pandas as pd
import pytest
from family import descend, images, make_ensemble, settings
from representations import PERFECT, view

from aebench import corruptions, storage
from aebench.errors import InputError
from aebench.evaluation.arrays import contraction
from aebench.evaluation.metrics import METRICS
from aebench.randomness import Streams
from aebench.reporting import claims, claims_summary
from aebench.reporting.claims import NOT_TESTED, REFUTED, SUPPORTED, UNDECIDED, Claim, Test
from aebench.reporting.results import read
from aebench.reporting.tables.claims import effect
from aebench.statistics import Estimate

ALL = {name: claim for chapter in claims.claims().values() for name, claim in chapter.items()}
TESTS = [pytest.param(test, id=f"{name}-{i}") for name, claim in ALL.items() for i, test in enumerate(claim.tests)]


@pytest.fixture
def project(tmp_path, monkeypatch):
    fake_runs.write_fake_suite(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def overwrite(model, name, values):
    """Replace the values of a metric."""
    file = storage.run_folder(fake_runs.DATASET, model) / "metrics.csv"
    storage.write_columns(file, storage.read_columns(file) | {name: values})


def decide(*tests):
    claim = Claim(says="", figure="reconstructions", tests=[Test(measured="", **test) for test in tests])
    return claims.verdict(read(fake_runs.DATASET), claim)


@pytest.mark.parametrize(
    ("mean", "half", "above", "below", "expected"),
    [
        (1.0, 0.5, 0, None, SUPPORTED),
        (1.0, 1.0, 0, None, UNDECIDED),
        (-1.0, 0.5, 0, None, REFUTED),
        (-1.0, 1.0, 0, None, REFUTED),
        (0.0, 0.0, 0, None, REFUTED),
        (1.0, 0.5, None, 0, REFUTED),
        (-1.0, 0.5, None, 0, SUPPORTED),
        (0.0, 0.01, -0.02, 0.02, SUPPORTED),
        (0.015, 0.01, -0.02, 0.02, UNDECIDED),
        (0.05, 0.01, -0.02, 0.02, REFUTED),
        (0.0, 0.1, -0.02, 0.02, UNDECIDED),
    ],
)
def test_an_interval_inside_the_bounds_supports_and_one_outside_refutes(mean, half, above, below, expected):
    assert claims.outcome(Estimate(mean, 1.0, half, 5), above, below) == expected


def test_a_mean_without_interval_is_taken_as_exact():
    assert claims.outcome(Estimate(0.01, math.nan, math.nan, 1), 0, None) == SUPPORTED


def test_an_effect_is_computed_per_seed(project):
    overwrite("ae", "sse", [1.0, 2.0, 6.0])
    overwrite("ae_2d", "sse", [2.0, 3.0, 7.0])
    overwrite("ae", "knn_5", [2.0, 4.0, 4.0])
    difference = decide({"plus": ["ae_2d:sse"], "minus": ["ae:sse"], "above": 0})[1][0].effect
    assert (difference.mean, difference.half_width, difference.n) == (1, 0, 3)
    ratio = decide({"plus": ["ae:sse", "ae_2d:sse"], "minus": ["ae:sse"], "over": "ae:knn_5", "above": 0})[1][0].effect
    assert ratio.mean == pytest.approx((2 / 2 + 3 / 4 + 7 / 4) / 3)


def test_a_model_that_is_not_random_is_compared_with_every_seed(project):
    overwrite("ae", "sse", [5.0, 6.0, 7.0])
    overwrite("pca_2d", "sse", [4.0])
    verdict, (result,) = decide({"plus": ["ae:sse"], "minus": ["pca_2d:sse"], "above": 0})
    assert (result.effect.mean, result.effect.n) == (2, 3)
    assert verdict == UNDECIDED, "2 ± 2.48"
    assert decide({"plus": ["pca_2d:sse"], "above": 3})[0] == SUPPORTED, "exact"


def test_effects_can_be_of_profiles_numbers_of_labels_and_settings(project):
    folder = storage.run_folder(fake_runs.DATASET, "ae")
    profile, label = storage.read_columns(folder / "profiles.csv"), storage.read_columns(folder / "classification.csv")
    for name, expected in {
        "ae:sse_at_bits/1": np.mean(profile["sse_at_bits/1"]),
        "ae:linear_probe_by_labels/0.1": np.mean(label["linear_probe_by_labels/0.1"]),
        "ae:settings/latent_dim": 8,
    }.items():
        assert decide({"plus": [name], "above": 0})[1][0].effect.mean == pytest.approx(expected), name


@pytest.mark.parametrize("quantity", ["missing:sse", "ae:elbo", "ae:sse_at_bits/3", "ae:layers/probe.1", "ae:settings/target"])
def test_a_missing_quantity_is_not_tested_and_named(project, quantity):
    overwrite("ae", "elbo", [math.nan] * 3)
    verdict, (result,) = decide({"plus": [quantity], "above": 0})
    assert verdict == NOT_TESTED and quantity in result.why


def test_a_series_of_a_study_is_no_model_of_a_claim():
    tests = [Test(measured="", plus=["dae:study/depth/1/frozen/1.0"], minus=["raw:linear_probe"], over="ae:sse", above=0)]
    assert Claim(says="", figure="card", tests=tests).models == {"raw", "ae"}


def test_one_seed_of_a_random_model_is_undecided(project):
    Path("params.yaml").write_text(Path("params.yaml").read_text().replace("[0, 1, 2]", "[0]"))
    fake_runs.write_run(fake_runs.DATASET, "ae", 0.9, 8, (0,))
    assert decide({"plus": ["ae:sse"], "above": 0})[0] == UNDECIDED


def test_a_claim_needs_all_of_its_tests(project):
    overwrite("ae", "sse", [1.0, 1.1, 0.9])
    holds, fails, open_ = ({"plus": ["ae:sse"], "above": bound} for bound in (0, 2, 1))
    absent = {"plus": ["missing:sse"], "above": 0}
    assert decide(holds, holds)[0] == SUPPORTED
    assert decide(holds, open_)[0] == UNDECIDED
    assert decide(holds, absent, open_)[0] == NOT_TESTED
    assert decide(holds, absent, open_, fails)[0] == REFUTED


@pytest.mark.parametrize("test", TESTS)
def test_every_test_of_the_lecture_can_be_supported_and_refuted(project, monkeypatch, test):
    """Values within the bounds support the claim, values outside refute it."""
    low, high = (-math.inf if test.above is None else test.above), (math.inf if test.below is None else test.below)
    inside = (low + high) / 2 if math.isfinite(low + high) else max(low + 1, -1e9) if math.isfinite(low) else high - 1
    outside = high + 1 if math.isfinite(high) else low - 1
    for value, expected in ((inside, SUPPORTED), (outside, REFUTED)):
        values = {name: np.zeros(3) for name in test.quantities}
        values |= {test.plus[0]: np.array([value, value + 1e-6, value - 1e-6])}
        values |= {test.over: np.ones(3)} if test.over else {}
        monkeypatch.setattr(claims, "_values", lambda results, name, values=values: values[name])
        assert claims.verdict(read(fake_runs.DATASET), Claim(says="", figure="card", tests=[test]))[0] == expected


# Claims about broken models: small models, trained here, replace those that the claim names


def trained(kind, **changes):
    ensemble = make_ensemble(kind, (0, 1, 2), **changes)
    ensemble.model.fit(ensemble, images(), descend(settings(epochs=60, learning_rate=0.03)))
    return ensemble


def scores(ensemble, name):
    """Values of a metric for each replica on its training images."""
    x, values = images().train, []
    for seed, replica in enumerate(ensemble.replicas()):
        trained_view = view(replica, x, x[:, 0].long(), seed)
        masks = corruptions.masking(*x.shape, 0.3, Streams(seed).torch("evaluation"))
        reconstructed = trained_view.decode(trained_view.encode(corruptions.corrupt(x, masks)))
        parts = {"contraction": contraction.contraction(trained_view), "corrupted_reconstructions": reconstructed}
        values.append(METRICS[name].measure(replace(PERFECT, images=x, codes=trained_view.codes, **parts)))
    return values


BROKEN = [
    ("kl_target", "sae", "activation", "sparse", {"weight": 3.0, "target": 0.1}, {"weight": 0.0, "target": 0.1}, None),
    ("cae_jacobian", "cae", "jacobian", "contractive", {"weight": 0.3}, {"weight": 0.0}, ("ae_sigmoid", {"weight": 0.0})),
    ("dae_images", "dae", "sse_corrupted", "denoising", {"level": 0.3}, {"level": 0.0}, ("ae", {"level": 0.0})),
]


@pytest.mark.parametrize(
    ("claim", "model", "metric", "kind", "sound", "broken", "baseline"), BROKEN, ids=[b[0] for b in BROKEN]
)
def test_a_broken_model_does_not_support_its_claim(tmp_path, claim, model, metric, kind, sound, broken, baseline):
    models = {model: f"{{kind: {kind}, target: 0.1}}"} | ({baseline[0]: "{kind: vanilla}"} if baseline else {})
    fake_runs.write_fake_suite(tmp_path)
    with chdir(tmp_path):
        fake_runs.write_params([fake_runs.DATASET], list(models))
        fake_runs.write_conf(fake_runs.DATASET, models)
        for name in models:
            fake_runs.write_run(fake_runs.DATASET, name, 0.5, 8, fake_runs.SEEDS)
        if baseline:
            overwrite(baseline[0], metric, scores(trained(kind, **baseline[1]), metric))
        verdicts = []
        for changes in (sound, broken):
            overwrite(model, metric, scores(trained(kind, **changes), metric))
            verdicts.append(claims.verdict(read(fake_runs.DATASET), ALL[claim])[0])
    assert verdicts == [SUPPORTED, REFUTED]


# The files


def write(tmp_path, text):
    file = tmp_path / "claims.yaml"
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "v: {a: {says: x, figure: cards, tests: [{measured: x, plus: ['ae:sse'], above: 0}]}}",
            r"figure .*did you mean 'card'",
        ),
        ("v: {a: {says: x, figure: card, tests: [{measured: x, plus: ['ae:sses'], above: 0}]}}", "did you mean 'sse'"),
        ("v: {a: {says: x, figure: card, tests: [{measured: x, plus: ['ae:sse']}]}}", "above, below or both"),
        ("v: {a: {says: x, figure: card, tests: []}}", "v.a.tests"),
        ("v: {a: {says: x, figure: card, tests: [{measured: x, plus: [], above: 0}]}}", "plus"),
    ],
)
def test_an_invalid_claim_is_an_input_error(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        claims.claims(write(tmp_path, text))


def test_claims_md_and_lecture_md_have_the_verdicts_of_every_report(project):
    results = read(fake_runs.DATASET)
    claims_summary.write(results)
    claims_summary.write_all()
    first = [path.read_bytes() for path in (claims_summary.SUMMARY, claims_summary.LECTURE)]
    table = claims.table(results)
    text = claims_summary.SUMMARY.read_text()
    for row in table.to_dict("records"):
        part = text.partition(f"\n### {row['claim']}\n")[2].partition("\n### ")[0]
        assert f"**{fake_runs.DATASET}: {row['verdict']}**" in part and row["says"] in part
        assert f"{row['measured']}: {effect(row).strip()}" in part and row["outcome"] in part
        assert row["says"] in claims_summary.LECTURE.read_text()
    assert set(table["verdict"]) > {NOT_TESTED}, "the fake suite has models of some claims"
    claims_summary.write(results)
    claims_summary.write_all()
    assert [path.read_bytes() for path in (claims_summary.SUMMARY, claims_summary.LECTURE)] == first


@pytest.mark.parametrize("change", [{"says": "another sentence"}, {"holds": "> 7"}, {"measured": "something else"}, None])
def test_a_verdict_on_an_earlier_form_of_a_claim_is_not_printed(project, change):
    results = read(fake_runs.DATASET)
    claims_summary.write(results)
    file = results.folder / "claims.csv"
    rows = pd.read_csv(file, keep_default_na=False)
    changed = rows["claim"] == "sparse_useful"
    assert changed.sum() == 3
    rows = rows.drop(rows.index[changed][-1]) if change is None else rows
    for column, value in (change or {}).items():
        rows.loc[rows.index[changed][0], column] = value
    rows.to_csv(file, index=False, lineterminator="\n")
    claims_summary.write_all()
    text = claims_summary.SUMMARY.read_text()
    assert fake_runs.DATASET not in text.partition("\n### sparse_useful\n")[2].partition("\n### ")[0]
    assert fake_runs.DATASET in text.partition("\n### linear_pca\n")[2].partition("\n### ")[0]
