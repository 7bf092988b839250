import math

import numpy as np
import pytest
from scipy import stats

from aebench.statistics import estimate


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
