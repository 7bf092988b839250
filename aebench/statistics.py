"""Means over seeds, their uncertainty, and paired comparisons of models.

The sampling unit is the seed: the mean of values y_1..y_n has the 95 % confidence interval mean ± t(0.975, n-1) sd / sqrt(n)
(Student 1908). It covers the choice of the seed (initial weights, batches, noise in training), but not that of the test
images and of the random numbers of evaluation, which are the same for all models and seeds. A model without randomness in
training has n = 1 and no interval. Models are compared seed by seed.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from scipy import special, stats

ALPHA, POWER = 0.05, 0.8
LARGE = 500  # number of seeds above which the normal distribution replaces Student's: the results differ by less than two seeds


@dataclass(frozen=True)
class Estimate:
    """Mean over n seeds, standard deviation (ddof 1) and half-width of the interval; the last two are NaN if n = 1."""

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
    """Estimate the mean of one value per seed, with Student's confidence interval."""
    sample = np.asarray(values, dtype=float)
    if len(sample) < 2:
        return Estimate(float(sample[0]) if len(sample) else math.nan, math.nan, math.nan, len(sample))
    sd = float(sample.std(ddof=1))
    quantile = stats.t.ppf((1 + level) / 2, len(sample) - 1)
    return Estimate(float(sample.mean()), sd, float(quantile * sd / np.sqrt(len(sample))), len(sample))


def over_seeds(values: Sequence[float], measured: Sequence[bool] | None = None) -> Estimate:
    """Return the mean of one value per seed with its 95 % interval, without the seeds that are not `measured`.

    If a value is infinite (the PSNR of a perfect reconstruction), there is a mean but no interval; if one is NaN, the mean is
    NaN, too. A quantity that was measured for the first seed only, such as the quality of a t-SNE map, has n = 1.
    """
    if measured is not None and len(measured) == len(values):
        values = np.asarray(values)[list(measured)]
    if np.isnan(values[1:]).all():
        values = values[:1]
    if np.isfinite(values).all():
        return estimate(values)
    return Estimate(float(np.mean(values)), math.nan, math.nan, len(values))


def with_values(columns: Iterable[Sequence[float]]) -> list[bool]:
    """Return for each seed whether any of the columns has a value: a seed that failed has only NaN."""
    return [not np.isnan(values).all() for values in zip(*columns, strict=True)]


@dataclass(frozen=True)
class Comparison:
    """The difference `first` - `second`, paired by seed.

    `p` is the p value of a paired t test, adjusted for all pairs by Holm's method (1979). `effect` is Cohen's d_z, the mean
    difference in standard deviations of the differences; infinite if they are constant. Both are NaN for a pair that cannot be
    tested.
    """

    first: str
    second: str
    difference: Estimate
    p: float
    effect: float

    @property
    def seeds(self) -> float:
        """Number of seeds, at least 2, at which one test at 5 % has a power of 80 %; NaN for an effect of 0 or NaN.

        `statsmodels.stats.power.TTestPower` does not converge for effects above 5 and is 2 to 10 times slower.
        """
        if self.effect == 0 or math.isnan(self.effect):
            return math.nan
        normal = ((stats.norm.ppf(1 - ALPHA / 2) + stats.norm.ppf(POWER)) / self.effect) ** 2
        if normal > LARGE:
            return float(math.ceil(normal))
        n = np.arange(2, normal + 12)
        power = stats.nct.sf(stats.t.ppf(1 - ALPHA / 2, n - 1), n - 1, abs(self.effect) * np.sqrt(n))
        return float(n[~(power < POWER)][0])  # the power is NaN where the effect is too large for SciPy


def compare(samples: Mapping[str, Sequence[float]]) -> list[Comparison]:
    """Compare all pairs of samples: one value per seed, in the same order, or a single value that holds for all seeds.

    A seed gives every model the same batches, noise and labels, so samples are paired by seed. A t test is impossible if the
    differences of n seeds are equal: p is then 1 if they are 0, else that of a sign test, 2^(1 - n). Two deterministic models
    need no test: p is 1 or 0. A seed with NaN is left out of the pairs with that sample; a pair with one difference left cannot
    be tested. If all samples have a single value, they may be of models that depend on the seed, so nothing is tested.
    """
    return [
        Comparison(*pair, estimate(differences), p, math.nan if math.isnan(p) else _effect(differences))
        for pair, (differences, p) in _paired_tests(samples).items()
    ]


def best(samples: Mapping[str, Sequence[float]], better: Literal["lower", "higher"], level: float = ALPHA) -> set[str]:
    """The sample with the best mean and those that do not differ from it significantly; empty if there is nothing to compare.

    A sample without a value is not among them.

    The correction is for all pairs, because the best sample is selected from the same data. If all
    samples have the same distribution, all are returned with a probability of at least 1 - `level`.
    """
    if len(samples) < 2 or _most(samples) < 2:
        return set()
    sign = {"lower": 1, "higher": -1}[better]
    given = {name: values for name, values in samples.items() if not np.isnan(values).all()}
    if not given:
        return set()
    first = min(given, key=lambda name: sign * np.nanmean(given[name]))
    different = {frozenset(pair) for pair, (_, p) in _paired_tests(given).items() if p <= level}
    return {name for name in given if frozenset((name, first)) not in different}


def holm(p: Sequence[float]) -> np.ndarray:
    """Adjust p values (Holm 1979): p_(i) of n in ascending order becomes max over j <= i of (n - j + 1) p_(j), at most 1.

    NaN stands for a test that is impossible: it stays NaN and does not count.

    `multipletests` of statsmodels takes 40 ms instead of 7 µs because every call collects garbage: seconds per report.
    """
    values = np.asarray(p, dtype=float)
    n = int((~np.isnan(values)).sum())
    order = np.argsort(values, kind="stable")[:n]  # NaN would be last
    adjusted = np.full(len(values), math.nan)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(np.arange(n, 0, -1) * values[order]))
    return adjusted


def _paired_tests(samples: Mapping[str, Sequence[float]]) -> dict[tuple[str, str], tuple[np.ndarray, float]]:
    """Differences, without NaN, and adjusted p value of every pair; p is NaN for a pair that cannot be tested."""
    pairs = {(a, b): np.subtract(*np.broadcast_arrays(samples[a], samples[b])) for a, b in combinations(samples, 2)}
    given = {pair: differences[~np.isnan(differences)] for pair, differences in pairs.items()}
    deterministic = _most(samples) > 1  # single values hold for all seeds, since other samples have several
    adjusted = holm([_p_value(given[pair], deterministic and len(pairs[pair]) == 1) for pair in pairs])
    return {pair: (given[pair], p) for pair, p in zip(pairs, adjusted.tolist(), strict=True)}


def _most(samples: Mapping[str, Sequence[float]]) -> int:
    """The largest number of values of a sample."""
    return max(map(len, samples.values()), default=0)


def _p_value(differences: np.ndarray, deterministic: bool) -> float:
    """Two-sided p value of a paired t test; `scipy.stats.ttest_rel` returns the same and takes 17 times as long.

    NaN if there are fewer than two differences, unless the only one is that of two `deterministic` models.
    """
    n = len(differences)
    if n < 2 and not (n and deterministic):
        return math.nan
    if _is_constant(differences):
        return 1.0 if _is_zero(differences.mean()) else 2.0 ** (1 - n) if n > 1 else 0.0
    t = differences.mean() / (differences.std(ddof=1) / np.sqrt(n))
    return float(2 * special.stdtr(n - 1, -abs(t)))


def _is_zero(mean: float) -> bool:
    return bool(np.isclose(mean, 0, atol=1e-12))


def _is_constant(differences: np.ndarray) -> bool:
    """Whether the differences vary by no more than rounding errors."""
    return bool(np.ptp(differences) <= 1e-12 * max(1.0, np.abs(differences).max()))


def _effect(differences: np.ndarray) -> float:
    if not len(differences):
        return math.nan
    mean = float(differences.mean())
    if _is_constant(differences):
        return 0.0 if _is_zero(mean) else float(np.copysign(np.inf, mean))
    return mean / float(differences.std(ddof=1))
