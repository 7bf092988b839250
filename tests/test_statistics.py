import gc
import math

import numpy as np
import pytest
from scipy import stats

from aebench.statistics import best, compare, estimate


def test_the_interval_is_students():
    values = [3.0, 4.0, 8.0]
    e = estimate(values)
    low, high = stats.t.interval(0.95, 2, loc=np.mean(values), scale=stats.sem(values))
    assert (e.low, e.high) == pytest.approx((low, high))
    assert e.sd == pytest.approx(np.std(values, ddof=1))


def test_by_hand_two_values():
    """t(0.975, 1) = 12.7062, sd / sqrt(2) = 0.5: half-width 6.3531."""
    assert estimate([0.0, 1.0]).half_width == pytest.approx(6.3531, abs=1e-4)


def test_one_value_is_exact_and_has_no_interval():
    e = estimate([5.0])
    assert (e.mean, e.n) == (5.0, 1)
    assert math.isnan(e.half_width) and math.isnan(e.sd)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = [abs(estimate(sample).mean) <= estimate(sample).half_width for sample in rng.normal(size=(2000, 5))]
    assert np.mean(hits) == pytest.approx(0.95, abs=0.015)


# Differences


def seeded(rng, means, noise=1.0, shared=3.0, n=10):
    """Samples over n seeds whose seeds have something in common."""
    common = rng.normal(scale=shared, size=n)
    return {name: mean + common + rng.normal(scale=noise, size=n) for name, mean in means.items()}


def test_a_pair_is_scipys_paired_t_test():
    samples = seeded(np.random.default_rng(1), {"a": 0.0, "b": 0.7})
    (found,) = compare(samples)
    oracle = stats.ttest_rel(samples["a"], samples["b"])
    assert (found.first, found.second) == ("a", "b")
    assert found.p == pytest.approx(oracle.pvalue, rel=1e-9)
    interval = oracle.confidence_interval(0.95)
    assert (found.difference.low, found.difference.high) == pytest.approx((interval.low, interval.high))
    assert found.effect == pytest.approx(oracle.statistic / math.sqrt(10))


def test_holm_by_hand():
    """Raw p of three pairs, ascending, times 3, 2 and 1, never falling."""
    samples = seeded(np.random.default_rng(2), {"a": 0.0, "b": 0.4, "c": 2.0})
    raw = {(x, y): stats.ttest_rel(samples[x], samples[y]).pvalue for x, y in (("a", "b"), ("a", "c"), ("b", "c"))}
    expected, least = {}, 0.0
    for factor, pair in zip((3, 2, 1), sorted(raw, key=raw.get), strict=True):
        least = expected[pair] = min(1.0, max(least, factor * raw[pair]))
    assert {(c.first, c.second): c.p for c in compare(samples)} == pytest.approx(expected)


def test_what_seeds_share_does_not_hide_a_difference():
    samples = seeded(np.random.default_rng(3), {"a": 0.0, "b": 1.0}, noise=0.1, shared=50.0)
    assert stats.ttest_ind(samples["a"], samples["b"]).pvalue > 0.5 and compare(samples)[0].p < 1e-6


def test_without_randomness_equal_is_equal_and_different_is_different():
    same, other = (compare({"a": [1.0], "b": [b]})[0] for b in (1.0, 1.1))
    assert (same.p, same.effect) == (1.0, 0.0) and math.isnan(same.seeds)
    assert (other.p, other.effect, other.seeds) == (0.0, -math.inf, 2.0)
    assert compare({"a": [1e9, 1e9 + 1], "b": [0.0]})[0].seeds == 2.0
    third = 0.1 + 0.2
    assert compare({"a": [third, third], "b": [0.3, 0.3]})[0].p == 1.0, "rounding is no difference"


def test_one_value_stands_for_all_seeds():
    drawn = np.random.default_rng(4).normal(1.0, 0.5, 8)
    (found,) = compare({"fixed": [0.0], "drawn": drawn})
    assert found.p == pytest.approx(stats.ttest_1samp(drawn, 0.0).pvalue)
    assert found.difference.mean == pytest.approx(-drawn.mean())


@pytest.mark.parametrize("effect", [0.1, 0.4, 1.0, 2.0])
def test_so_many_seeds_show_the_effect_four_times_in_five(effect):
    rng, known = np.random.default_rng(5), np.array([-1.0, 1.0]) / math.sqrt(2)
    (found,) = compare({"a": effect + known, "b": [0.0]})
    assert found.effect == pytest.approx(effect)
    tries = stats.ttest_1samp(rng.normal(effect, 1.0, (2000, int(found.seeds))), 0.0, axis=1).pvalue <= 0.05
    fewer = stats.ttest_1samp(rng.normal(effect, 1.0, (2000, int(found.seeds) - 1)), 0.0, axis=1).pvalue <= 0.05
    assert tries.mean() > 0.775 and fewer.mean() < 0.82


@pytest.fixture
def frozen():
    """Spares objects of other tests the collection that statsmodels calls for at each correction: minutes, of hundreds."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.parametrize("n", [5, 10])
def test_rows_that_are_all_alike_tie_in_at_least_95_of_100_runs(n, frozen):
    rng, rows = np.random.default_rng(6), dict.fromkeys("abcdefgh", 0.0)
    tied = [best(seeded(rng, rows, n=n), "lower") == set(rows) for _ in range(400)]
    assert np.mean(tied) >= 0.95 - 2 * math.sqrt(0.05 * 0.95 / 400)


@pytest.mark.parametrize(("better", "expected"), [("lower", {"a", "b"}), ("higher", {"d"})])
def test_the_best_group_is_the_best_and_what_ties_with_it(better, expected):
    samples = seeded(np.random.default_rng(7), {"a": 0.0, "b": 0.001, "c": 3.0, "d": 6.0}, noise=0.1)
    assert best(samples, better) == expected


def test_nobody_is_best_alone_or_of_one_seed():
    assert best({"a": [1.0, 2.0]}, "lower") == best({"a": [1.0], "b": [2.0]}, "lower") == best({}, "lower") == set()
