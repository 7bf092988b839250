"""Verdicts follow from the interval and the rule alone, and a model that breaks its law loses its claim."""

import math
from contextlib import chdir
from dataclasses import replace
from pathlib import Path

import fake_runs
import numpy as np
import pytest
from family import descend, ensemble, images, settings
from representations import PERFECT, view

from aebench import corruptions, runs
from aebench.errors import InputError
from aebench.lock import Lock
from aebench.metrics import METRICS
from aebench.randomness import Streams
from aebench.reporting import claims, ledger
from aebench.reporting.claims import NOT_TESTED, REFUTED, SUPPORTED, UNDECIDED, Claim, Test
from aebench.reporting.results import read
from aebench.representation import jacobian
from aebench.statistics import Estimate

ALL = {name: claim for chapter in claims.claims().values() for name, claim in chapter.items()}
TESTS = [pytest.param(test, id=f"{name}-{i}") for name, claim in ALL.items() for i, test in enumerate(claim.tests)]


@pytest.fixture
def project(tmp_path, monkeypatch):
    fake_runs.write_fake_suite(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Lock, "fingerprint", lambda self, dataset: "0123456789ab")
    return tmp_path


def told(model, name, values):
    """Write other values of a metric."""
    file = runs.folder(fake_runs.DATASET, model) / "metrics.csv"
    runs.write_columns(file, runs.read_columns(file) | {name: values})


def judged(*tests):
    claim = Claim(says="", figure="reconstructions", tests=[Test(measured="", **test) for test in tests])
    return claims.judge(read(fake_runs.DATASET), claim)


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
def test_an_interval_inside_supports_and_one_outside_refutes(mean, half, above, below, expected):
    assert claims.outcome(Estimate(mean, 1.0, half, 5), above, below) == expected


def test_a_mean_without_interval_counts_by_itself():
    assert claims.outcome(Estimate(0.01, math.nan, math.nan, 1), 0, None) == SUPPORTED


def test_an_effect_is_taken_seed_by_seed_before_its_interval(project):
    told("ae", "sse", [1.0, 2.0, 6.0])
    told("ae_2d", "sse", [2.0, 3.0, 7.0])
    told("ae", "knn_5", [2.0, 4.0, 4.0])
    difference = judged({"plus": ["ae_2d:sse"], "minus": ["ae:sse"], "above": 0})[1][0].effect
    assert (difference.mean, difference.half_width, difference.n) == (1, 0, 3)
    ratio = judged({"plus": ["ae:sse", "ae_2d:sse"], "minus": ["ae:sse"], "over": "ae:knn_5", "above": 0})[1][0].effect
    assert ratio.mean == pytest.approx((2 / 2 + 3 / 4 + 7 / 4) / 3)


def test_a_row_without_randomness_stands_for_every_seed(project):
    told("ae", "sse", [5.0, 6.0, 7.0])
    told("pca_2", "sse", [4.0])
    verdict, (found,) = judged({"plus": ["ae:sse"], "minus": ["pca_2:sse"], "above": 0})
    assert (found.effect.mean, found.effect.n) == (2, 3)
    assert verdict == UNDECIDED, "2 ± 2.48"
    assert judged({"plus": ["pca_2:sse"], "above": 3})[0] == SUPPORTED, "exact"


def test_profiles_labels_and_settings_are_quantities_too(project):
    place = runs.folder(fake_runs.DATASET, "ae")
    profile, label = runs.read_columns(place / "profiles.csv"), runs.read_columns(place / "classification.csv")
    for name, expected in {
        "ae:gain/1": np.mean(profile["gain/1"]),
        "ae:classify/frozen.0.1": np.mean(label["frozen.0.1"]),
        "ae:settings/code": 8,
    }.items():
        assert judged({"plus": [name], "above": 0})[1][0].effect.mean == pytest.approx(expected), name


@pytest.mark.parametrize("quantity", ["nobody:sse", "ae:elbo", "ae:gain/3", "ae:layers/probe.1", "ae:settings/target"])
def test_what_was_not_measured_is_not_tested_and_says_so(project, quantity):
    told("ae", "elbo", [math.nan] * 3)
    verdict, (found,) = judged({"plus": [quantity], "above": 0})
    assert verdict == NOT_TESTED and quantity in found.why


def test_one_seed_of_a_random_model_decides_nothing(project):
    file = Path("params.yaml")
    file.write_text(file.read_text().replace("[0, 1, 2]", "[0]"))
    for name in ("metrics.csv", "profiles.csv"):
        path = runs.folder(fake_runs.DATASET, "ae") / name
        runs.write_columns(path, {key: values[:1] for key, values in runs.read_columns(path).items()})
    assert judged({"plus": ["ae:sse"], "above": 0})[0] == UNDECIDED


def test_a_claim_of_several_tests_needs_them_all(project):
    told("ae", "sse", [1.0, 1.1, 0.9])
    holds, fails, open_ = ({"plus": ["ae:sse"], "above": bound} for bound in (0, 2, 1))
    absent = {"plus": ["nobody:sse"], "above": 0}
    assert judged(holds, holds)[0] == SUPPORTED
    assert judged(holds, open_)[0] == UNDECIDED
    assert judged(holds, absent, open_)[0] == NOT_TESTED
    assert judged(holds, absent, open_, fails)[0] == REFUTED


@pytest.mark.parametrize("test", TESTS)
def test_no_verdict_of_the_ledger_is_hard_wired(project, monkeypatch, test):
    """Numbers that keep the rule support it, numbers that break it refute it."""
    low, high = (-math.inf if test.above is None else test.above), (math.inf if test.below is None else test.below)
    inside = (low + high) / 2 if math.isfinite(low + high) else max(low + 1, -1e9) if math.isfinite(low) else high - 1
    outside = high + 1 if math.isfinite(high) else low - 1
    for effect, expected in ((inside, SUPPORTED), (outside, REFUTED)):
        values = {name: np.zeros(3) for name in test.quantities}
        values |= {test.plus[0]: np.array([effect, effect + 1e-6, effect - 1e-6])}
        values |= {test.over: np.ones(3)} if test.over else {}
        monkeypatch.setattr(claims, "_values", lambda results, name, values=values: values[name])
        assert claims.judge(read(fake_runs.DATASET), Claim(says="", figure="card", tests=[test]))[0] == expected


# A broken model loses its claim: small ones, trained here, in the place of the rows that the claim names


def trained(kind, **changes):
    family = ensemble(kind, (0, 1, 2), **changes)
    family.model.fit(family, images(), descend(settings(epochs=60, learning_rate=0.03)))
    return family


def scores(family, name):
    """A metric of each replica on the images it was trained on."""
    x, found = images().train, []
    for seed, replica in enumerate(family.replicas()):
        shown = view(replica, x, x[:, 0].long(), seed)
        keep, add = corruptions.masking(*x.shape, 0.3, Streams(seed).torch("evaluation"))
        made = shown.decode(shown.encode(corruptions.corrupt(x, (keep, add))))
        parts = {"contraction": jacobian.contraction(shown), "corrupted_reconstructions": made}
        found.append(METRICS[name].measure(replace(PERFECT, images=x, codes=shown.codes, **parts)))
    return found


BROKEN = [
    ("kl_target", "sae", "activation", "sparse", {"weight": 3.0, "target": 0.1}, {"weight": 0.0, "target": 0.1}, None),
    ("cae_jacobian", "cae", "jacobian", "contractive", {"weight": 0.3}, {"weight": 0.0}, ("ae_sigmoid", {"weight": 0.0})),
    ("dae_images", "dae", "sse_corrupted", "denoising", {"corruption": 0.3}, {"corruption": 0.0}, ("ae", {"corruption": 0.0})),
]


@pytest.mark.parametrize(("claim", "row", "metric", "kind", "sound", "broken", "control"), BROKEN, ids=[b[0] for b in BROKEN])
def test_a_broken_model_loses_its_claim(tmp_path, claim, row, metric, kind, sound, broken, control):
    rows = {row: f"{{kind: {kind}, target: 0.1}}"} | ({control[0]: "{kind: vanilla}"} if control else {})
    fake_runs.write_fake_suite(tmp_path)
    with chdir(tmp_path):
        fake_runs.write_params([fake_runs.DATASET], list(rows))
        fake_runs.write_conf(fake_runs.DATASET, rows)
        for name in rows:
            fake_runs.write_run(fake_runs.DATASET, name, 0.5, 8, fake_runs.SEEDS)
        if control:
            told(control[0], metric, scores(trained(kind, **control[1]), metric))
        verdicts = []
        for changes in (sound, broken):
            told(row, metric, scores(trained(kind, **changes), metric))
            verdicts.append(claims.judge(read(fake_runs.DATASET), ALL[claim])[0])
    assert verdicts == [SUPPORTED, REFUTED]


# The files


def write(tmp_path, text):
    file = tmp_path / "claims.yaml"
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("text", "said"),
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
def test_a_rule_that_cannot_be_applied_is_refused(tmp_path, text, said):
    with pytest.raises(InputError, match=said):
        claims.claims(write(tmp_path, text))


def test_the_ledger_and_the_lecture_say_what_the_data_sets_say(project):
    results = read(fake_runs.DATASET)
    ledger.write(results)
    ledger.write_all()
    first = [path.read_bytes() for path in (ledger.LEDGER, ledger.LECTURE)]
    table = claims.ledger(results)
    text = ledger.LEDGER.read_text()
    for line in table.to_dict("records"):
        part = text.partition(f"\n### {line['claim']}\n")[2].partition("\n### ")[0]
        assert f"**{fake_runs.DATASET}: {line['verdict']}**" in part and line["says"] in part
        assert f"{line['measured']}: {claims.effect(line).strip()}" in part and line["outcome"] in part
        assert line["says"] in ledger.LECTURE.read_text()
    assert set(table["verdict"]) > {NOT_TESTED}, "the fake suite has rows of some claims"
    ledger.write(results)
    ledger.write_all()
    assert [path.read_bytes() for path in (ledger.LEDGER, ledger.LECTURE)] == first


def test_the_lecture_links_to_files_that_are_there(project):
    root = Path(__file__).parent.parent
    ledger.write(read(fake_runs.DATASET))
    ledger.write_all()
    import re

    links = re.findall(r"\]\(\.\./([^)]+)\)", ledger.LECTURE.read_text())
    assert len(links) > 10
    for link in links:
        made = link.startswith("reports/")
        assert made or (root / link).exists(), link
