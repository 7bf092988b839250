"""`aebench compare` pairs two models by seed: SciPy's differences, intervals and p values, by Holm's method for all metrics."""

import re
from dataclasses import replace
from pathlib import Path

import fake_runs
import numpy as np
import pytest
from fake_runs import DATASET, measured, overwrite
from scipy import stats

from aebench.errors import InputError
from aebench.evaluation.metrics import METRICS
from aebench.reporting.tables.contrast import contrast, read, text
from aebench.statistics import holm

MAIN = [name for name, metric in METRICS.items() if metric.main]


def test_differences_intervals_and_tests_are_those_of_scipy(fake_project):
    result = contrast(read("fake/ae"), read("fake/sae"))
    assert list(result) == MAIN
    expected = {}
    for metric in MAIN:
        difference = np.subtract(measured("ae", metric), measured("sae", metric))
        interval = stats.t.interval(0.95, 2, difference.mean(), stats.sem(difference))
        found = result[metric].difference
        np.testing.assert_allclose([found.low, found.high], interval, rtol=1e-9)
        expected[metric] = stats.ttest_rel(measured("ae", metric), measured("sae", metric)).pvalue
    np.testing.assert_allclose([result[metric].p for metric in MAIN], holm(list(expected.values())), rtol=1e-6)


def test_values_are_paired_by_seed_and_not_by_position(fake_project):
    before = contrast(read("fake/ae"), read("fake/sae"))
    for name in ("metrics.csv", "classification.csv"):
        columns = fake_runs.storage.read_columns(fake_runs.file_of("sae", name))
        reverse = {column: values[::-1] for column, values in columns.items()}
        fake_runs.storage.write_columns(fake_runs.file_of("sae", name), reverse)
    after = contrast(read("fake/ae"), read("fake/sae"))
    for metric, result in before.items():
        assert after[metric].difference.mean == pytest.approx(result.difference.mean, rel=1e-9)
        assert after[metric].p == pytest.approx(result.p, rel=1e-6)


def test_only_common_seeds_are_compared(fake_project):
    seeds = list(fake_runs.SEEDS)
    overwrite("sae", seed=[*seeds[:2], 99])
    assert {each.difference.n for each in contrast(read("fake/ae"), read("fake/sae")).values()} == {2}
    overwrite("sae", seed=[97, 98, 99])
    with pytest.raises(InputError, match="must have common seeds"):
        contrast(read("fake/ae"), read("fake/sae"))


def test_a_deterministic_model_has_the_same_value_for_every_seed(fake_project):
    result = contrast(read("fake/ae"), read("fake/pca_2"))
    difference = np.array(measured("ae", "sse")) - measured("pca_2", "sse")[0]
    assert result["sse"].difference.n == 3 and result["sse"].difference.mean == pytest.approx(difference.mean())
    assert "n = 1, no interval" in text(read("fake/mean"), read("fake/pca_2"))


def test_two_folders_are_compared(fake_project, monkeypatch):
    fake_runs.write_fake_suite(fake_project / "other")
    overwrite("ae", sse=[1.0, 1.25, 1.5])
    monkeypatch.chdir(fake_project / "other")
    overwrite("ae", sse=[2.0, 2.5, 2.0])
    monkeypatch.chdir(fake_project)
    result = contrast(read("fake/ae"), read("other:fake/ae"))
    assert result["sse"].difference.mean == pytest.approx(-11 / 12) and result["knn_5"].difference.mean == 0
    printed = text(read("fake/ae"), read("other:fake/ae"))
    assert re.search(r"SSE ↓ \(per image\) +1\.250 +2\.167 +-0\.917 ± 0\.949 +0\.\d+ +no", printed)
    assert "n = 3 seeds" in printed and len(printed.splitlines()) == 3 + len(MAIN)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("fake", r"A and B must be <dataset>/<model>, or <folder>:<dataset>/<model>, got 'fake'"),
        ("fake/aee", r"A and B \(for conf/fake.yaml\) must be one of .*, got 'aee'"),
        ("fakes/ae", r"A and B must be one of fake, got 'fakes'"),
        ("there:fake/ae", r"there:fake/ae must begin with a folder, got none at there"),
    ],
)
def test_unknown_models_and_folders_are_refused(fake_project, name, message):
    with pytest.raises(InputError, match=message):
        read(name)


def test_a_model_without_results_is_named(fake_project):
    Path("runs", DATASET, "ae", "metrics.csv").unlink()
    with pytest.raises(InputError, match=r"runs/fake/ae/metrics.csv is missing"):
        read("fake/ae")


def test_models_of_two_data_sets_are_not_compared(fake_project):
    first, second = read("fake/ae"), read("fake/sae")
    with pytest.raises(InputError, match="must be models of the same data set, got fake and other"):
        contrast(first, replace(second, name="own:other/sae"))
