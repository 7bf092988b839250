"""Means over seeds and their uncertainty.

The seeds are the sample: with values y_1..y_n the mean's 95 % interval is mean ± t(0.975, n-1) sd / sqrt(n) (Student
1908). It covers the choice of seed (start, batches, noise), not the choice of test images. A model without randomness
has n = 1 and no interval: its value is exact, not uncertain. Two models are compared seed by seed.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from scipy import special, stats

POWER, MANY = 0.8, 500


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


@dataclass(frozen=True)
class Comparison:
    """What `first` has more than `second`, paired over seeds.

    `p` is of a t test of the differences, adjusted by Holm (1979) for all pairs that were compared; `effect` is the mean
    difference in standard deviations of the differences (Cohen's d_z; infinite where they do not vary).
    """

    first: str
    second: str
    difference: Estimate
    p: float
    effect: float

    @property
    def seeds(self) -> float:
        """How many would show such an effect in one test at 5 % with a power of 80 %; NaN where there is none to show.

        At least 2; beyond `MANY` by the normal distribution, from which Student's then differs by less than two seeds.
        """
        if self.effect == 0:
            return math.nan
        normal = ((stats.norm.ppf(0.975) + stats.norm.ppf(POWER)) / self.effect) ** 2
        if normal > MANY:
            return float(math.ceil(normal))
        n = np.arange(2, normal + 12)
        power = stats.nct.sf(stats.t.ppf(0.975, n - 1), n - 1, abs(self.effect) * np.sqrt(n))
        return float(n[~(power < POWER)][0])  # NaN where the effect is too large for SciPy


def compare(samples: Mapping[str, Sequence[float]]) -> list[Comparison]:
    """All pairs of samples, a value a seed each, in the same order of seeds; one value stands for all seeds.

    Seeds name the same batches, noise and labels for every row, so differences are taken seed by seed. Where they do not
    vary there is nothing to test: equal is equal (p = 1), and different is different (p = 0).
    """
    found = _paired(samples)
    return [Comparison(*pair, estimate(values), p, _effect(values)) for pair, (values, p) in found.items()]


def best(samples: Mapping[str, Sequence[float]], better: Literal["lower", "higher"], level: float = 0.05) -> set[str]:
    """The sample of best mean and all that do not differ from it, by `compare`; none if no other sample is there to beat.

    All pairs are tested, not those with the best alone: which is best was seen in the same data. Of samples that are all
    alike the best group is all, with a probability of at least 1 - `level`.
    """
    if len(samples) < 2 or max(map(len, samples.values())) < 2:
        return set()
    sign = {"lower": 1, "higher": -1}[better]
    first = min(samples, key=lambda name: sign * np.mean(samples[name]))
    apart = {frozenset(pair) for pair, (_, p) in _paired(samples).items() if p <= level}
    return {name for name in samples if frozenset((name, first)) not in apart}


def _paired(samples: Mapping[str, Sequence[float]]) -> dict[tuple[str, str], tuple[np.ndarray, float]]:
    """Every pair's differences and adjusted p."""
    from statsmodels.stats.multitest import multipletests

    pairs = {(a, b): np.subtract(*np.broadcast_arrays(samples[a], samples[b])) for a, b in combinations(samples, 2)}
    if not pairs:
        return {}
    adjusted = multipletests([_p(values) for values in pairs.values()], method="holm")[1]
    return {pair: (values, float(p)) for (pair, values), p in zip(pairs.items(), adjusted, strict=True)}


def _p(differences: np.ndarray) -> float:
    if _constant(differences):
        return float(np.isclose(differences.mean(), 0, atol=1e-12))
    n = len(differences)
    t = differences.mean() / (differences.std(ddof=1) / np.sqrt(n))
    return float(2 * special.stdtr(n - 1, -abs(t)))


def _constant(differences: np.ndarray) -> bool:
    """Whether they vary by less than rounding does."""
    return bool(np.ptp(differences) <= 1e-12 * max(1.0, np.abs(differences).max()))


def _effect(differences: np.ndarray) -> float:
    mean = float(differences.mean())
    if _constant(differences):
        return 0.0 if np.isclose(mean, 0, atol=1e-12) else float(np.copysign(np.inf, mean))
    return mean / float(differences.std(ddof=1))
