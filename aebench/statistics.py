"""Means over seeds and their uncertainty.

The seeds are the sample: with values y_1..y_n the mean's 95 % interval is mean ± t(0.975, n-1) sd / sqrt(n) (Student
1908). It covers the choice of seed (start, batches, noise), not the choice of test images. A model without randomness
has n = 1 and no interval: its value is exact, not uncertain.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Estimate:
    """A mean over n seeds, the seeds' standard deviation (ddof 1) and the half-width of the mean's interval; NaN if n = 1."""

    mean: float
    sd: float
    half_width: float
    n: int

    @property
    def low(self) -> float:
        """Lower end of the interval."""
        return self.mean - self.half_width

    @property
    def high(self) -> float:
        """Upper end of the interval."""
        return self.mean + self.half_width


def estimate(values: Sequence[float], level: float = 0.95) -> Estimate:
    """The mean of one value a seed, with its Student interval at `level`."""
    sample = np.asarray(values, dtype=float)
    if len(sample) == 1:
        return Estimate(float(sample[0]), float("nan"), float("nan"), 1)
    sd = float(sample.std(ddof=1))
    quantile = stats.t.ppf((1 + level) / 2, len(sample) - 1)
    return Estimate(float(sample.mean()), sd, float(quantile * sd / np.sqrt(len(sample))), len(sample))
