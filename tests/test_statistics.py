"""Intervals, paired comparisons and the best group, against SciPy, statsmodels and simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from aebench.statistics import best, compare, estimate, holm


def test_the_interval_is_scipys_student_interval():
    values = [3.0, 4.0, 8.0]
    e = estimate(values)
    low, high = stats.t.interval(0.95, 2, loc=np.mean(values), scale=stats.sem(values))
    assert (e.low, e.high) == pytest.approx((low, high))
    assert e.sd == pytest.approx(np.std(values, ddof=1))


def test_half_width_of_two_values_by_hand():
    """With t(0.975, 1) = 12.7062 and sd / sqrt(2) = 0.5, the half-width is 6.3531."""
    assert estimate([0.0, 1.0]).half_width == pytest.approx(6.3531, abs=1e-4)


def test_one_value_is_exact_and_has_no_interval():
    e = estimate([5.0])
    assert (e.mean, e.n) == (5.0, 1)
    assert math.isnan(e.half_width) and math.isnan(e.sd)


def test_the_interval_has_its_nominal_coverage():
    rng = np.random.default_rng(0)
    hits = [abs(estimate(sample).mean) <= estimate(sample).half_width for sample in rng.normal(size=(2000, 5))]
    assert np.mean(hits) == pytest.approx(0.95, abs=0.015)


# Differences


def seeded(rng, means, noise=1.0, shared=3.0, n=10):
    """Samples over n seeds, with variation that is shared by all samples of a seed."""
    common = rng.normal(scale=shared, size=n)
    return {name: mean + common + rng.normal(scale=noise, size=n) for name, mean in means.items()}


def test_a_comparison_is_scipys_paired_t_test():
    samples = seeded(np.random.default_rng(1), {"a": 0.0, "b": 0.7})
    (comparison,) = compare(samples)
    oracle = stats.ttest_rel(samples["a"], samples["b"])
    assert (comparison.first, comparison.second) == ("a", "b")
    assert comparison.p == pytest.approx(oracle.pvalue, rel=1e-9)
    interval = oracle.confidence_interval(0.95)
    assert (comparison.difference.low, comparison.difference.high) == pytest.approx((interval.low, interval.high))
    assert comparison.effect == pytest.approx(oracle.statistic / math.sqrt(10))


def test_holm_is_that_of_statsmodels():
    from statsmodels.stats.multitest import multipletests

    for n in (1, 2, 10, 45):
        p = np.random.default_rng(n).random(n) ** 3
        p[n // 2 :: 7] = p[0]
        np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1], rtol=1e-15)


def test_holm_leaves_out_tests_that_are_impossible():
    np.testing.assert_array_equal(holm([math.nan, 0.01, math.nan, 0.04]), [math.nan, 0.02, math.nan, 0.04])
    assert np.isnan(holm([math.nan])).all() and len(holm([])) == 0


def test_one_difference_left_cannot_be_tested():
    pairs = {(x.first, x.second): x for x in compare({"a": [1.0, math.nan], "b": [3.0, 4.0], "c": [5.0, 7.0]})}
    assert all(math.isnan(each) for each in (pairs["a", "b"].p, pairs["a", "b"].effect, pairs["a", "b"].seeds))
    assert pairs["a", "b"].difference.mean == -2.0 and pairs["b", "c"].p == compare({"b": [3.0, 4.0], "c": [5.0, 7.0]})[0].p


def test_holm_by_hand():
    """The three p values in ascending order are multiplied by 3, 2 and 1 and made monotonic."""
    samples = seeded(np.random.default_rng(2), {"a": 0.0, "b": 0.4, "c": 2.0})
    raw = {(x, y): stats.ttest_rel(samples[x], samples[y]).pvalue for x, y in (("a", "b"), ("a", "c"), ("b", "c"))}
    expected, least = {}, 0.0
    for factor, pair in zip((3, 2, 1), sorted(raw, key=raw.get), strict=True):
        least = expected[pair] = min(1.0, max(least, factor * raw[pair]))
    assert {(c.first, c.second): c.p for c in compare(samples)} == pytest.approx(expected)


def test_pairing_removes_variation_shared_by_seeds():
    samples = seeded(np.random.default_rng(3), {"a": 0.0, "b": 1.0}, noise=0.1, shared=50.0)
    assert stats.ttest_ind(samples["a"], samples["b"]).pvalue > 0.5 and compare(samples)[0].p < 1e-6


def test_constant_differences_need_no_test():
    same, other = (compare({"a": [1.0], "b": [b], "random": [1.0, 2.0]})[0] for b in (1.0, 1.1))
    assert (same.p, same.effect) == (1.0, 0.0) and math.isnan(same.seeds)
    assert (other.p, other.effect, other.seeds) == (0.0, -math.inf, 2.0)
    assert compare({"a": [1e9, 1e9 + 1], "b": [0.0]})[0].seeds == 2.0
    third = 0.1 + 0.2
    assert compare({"a": [third, third], "b": [0.3, 0.3]})[0].p == 1.0, "rounding errors are not differences"


def test_equal_differences_of_seeds_have_the_p_value_of_a_sign_test():
    """Two accuracies of two seeds that differ by the same number of images are no proof."""
    for n in (2, 3, 10):
        seeds = np.arange(n, dtype=float)
        (comparison,) = compare({"a": seeds, "b": seeds + 2.0})
        assert comparison.p == stats.binomtest(0, n, 0.5).pvalue == 2.0 ** (1 - n)


@pytest.mark.parametrize("order", [("failed", "a", "b", "c"), ("a", "b", "c", "failed")])
def test_a_sample_without_values_changes_nothing(order):
    random = np.random.default_rng(5).normal(size=(3, 6))
    samples = {"a": random[0], "b": random[1] + 1.5, "c": random[2] + 50, "failed": np.full(6, np.nan)}
    given = {name: samples[name] for name in "abc"}
    ordered = {name: samples[name] for name in order}
    assert best(ordered, "lower") == best(given, "lower") and "c" not in best(given, "lower")
    p = {frozenset((each.first, each.second)): each.p for each in compare(ordered)}
    assert all(p[frozenset((each.first, each.second))] == each.p for each in compare(given))
    assert all(math.isnan(p[frozenset((name, "failed"))]) for name in "abc")
    assert best({"failed": [np.nan, np.nan], "other": [np.nan, np.nan]}, "lower") == set()


def test_a_single_value_holds_for_all_seeds():
    random = np.random.default_rng(4).normal(1.0, 0.5, 8)
    (comparison,) = compare({"fixed": [0.0], "random": random})
    assert comparison.p == pytest.approx(stats.ttest_1samp(random, 0.0).pvalue)
    assert comparison.difference.mean == pytest.approx(-random.mean())


def test_nothing_is_tested_with_a_single_seed():
    """Single values may be of models that depend on the seed, unless other models have several."""
    (comparison,) = compare({"ae": [1.0], "dae": [1.01]})
    assert math.isnan(comparison.p) and math.isnan(comparison.effect) and math.isnan(comparison.seeds)
    p = {(each.first, each.second): each.p for each in compare({"pca": [1.0], "raw": [2.0], "ae": [1.5, 1.6]})}
    assert p["pca", "raw"] == 0


@pytest.mark.parametrize("effect", [0.1, 0.4, 1.0, 2.0])
def test_the_number_of_seeds_gives_a_power_of_80_percent(effect):
    rng, known = np.random.default_rng(5), np.array([-1.0, 1.0]) / math.sqrt(2)
    (comparison,) = compare({"a": effect + known, "b": [0.0]})
    assert comparison.effect == pytest.approx(effect)
    tries = stats.ttest_1samp(rng.normal(effect, 1.0, (2000, int(comparison.seeds))), 0.0, axis=1).pvalue <= 0.05
    fewer = stats.ttest_1samp(rng.normal(effect, 1.0, (2000, int(comparison.seeds) - 1)), 0.0, axis=1).pvalue <= 0.05
    assert tries.mean() > 0.775 and fewer.mean() < 0.82


@pytest.mark.parametrize("n", [5, 10])
def test_models_of_equal_distribution_tie_in_95_percent_of_runs(n):
    rng, means = np.random.default_rng(6), dict.fromkeys("abcdefgh", 0.0)
    tied = [best(seeded(rng, means, n=n), "lower") == set(means) for _ in range(400)]
    assert np.mean(tied) >= 0.95 - 2 * math.sqrt(0.05 * 0.95 / 400)


@pytest.mark.parametrize(("better", "expected"), [("lower", {"a", "b"}), ("higher", {"d"})])
def test_the_best_group_is_the_best_model_and_those_that_tie_with_it(better, expected):
    samples = seeded(np.random.default_rng(7), {"a": 0.0, "b": 0.001, "c": 3.0, "d": 6.0}, noise=0.1)
    assert best(samples, better) == expected


def test_there_is_no_best_without_two_models_and_two_seeds():
    assert best({"a": [1.0, 2.0]}, "lower") == best({"a": [1.0], "b": [2.0]}, "lower") == best({}, "lower") == set()
