"""The rankings that papers print, tested on our results: is the error of one run below that of another?

Runs are compared seed by seed, as in `aebench.statistics`; p values are adjusted by Holm's method for all pairs of a ranking.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product

from aebench.papers import Paper, Ranking
from aebench.papers.measures import MEASURES
from aebench.reporting.tables.columns import Column, cells, p_value
from aebench.statistics import Comparison, Estimate, compare, holm

HOLDS, NOT_SIGNIFICANT, REVERSED, NOT_TESTED = "holds", "not significant", "reversed", "not tested"
VERDICTS = (HOLDS, NOT_SIGNIFICANT, REVERSED, NOT_TESTED)
NOTE = (
    "A published ranking says that one run has a lower value than another. Difference: lower - higher, paired by seed, mean ± "
    "half-width of its 95 % interval. p: paired t test, adjusted for all pairs of the ranking (Holm). If p is at most the "
    f"level, the ranking {HOLDS} if the difference is negative and is {REVERSED} if it is positive; otherwise it is "
    f"{NOT_SIGNIFICANT}."
)


def columns(paper: Paper, values: Mapping[str, Mapping[str, Sequence[float]]]) -> list[Column]:
    """Return the table of all rankings of a paper, one row per pair of runs; empty if it has none."""
    found = [(ranking, pair) for ranking in paper.rankings for pair in comparisons(ranking, values)]
    rows = [(ranking, MEASURES[ranking.measure], pair) for ranking, pair in found]
    table = [
        Column("lower", [paper.title_of(pair.first, ranking.measure) for ranking, _, pair in rows]),
        Column("higher", [paper.title_of(pair.second, ranking.measure) for ranking, _, pair in rows]),
        Column("measure", [f"{measure.title} ({measure.unit})" for _, measure, _ in rows]),
        Column("difference", [_signed(pair.difference, measure.decimals) for _, measure, pair in rows], "right"),
        Column("n", [str(pair.difference.n) for _, _, pair in rows], "right"),
        Column("p", [p_value(pair.p, ranking.level) for ranking, _, pair in rows], "right"),
        Column("level", [f"{ranking.level:g}" for ranking, _, _ in rows], "right"),
        Column("verdict", [verdict(pair, ranking.level) for ranking, _, pair in rows]),
    ]
    return table if rows else []


def comparisons(ranking: Ranking, values: Mapping[str, Mapping[str, Sequence[float]]]) -> list[Comparison]:
    """Return the difference of each pair of a lower and a higher run; `values` are run -> measure -> one value per seed."""
    samples = {run: values[run][ranking.measure] for run in (*ranking.lower, *ranking.higher)}
    pairs = [compare({low: samples[low], high: samples[high]})[0] for low, high in product(ranking.lower, ranking.higher)]
    return [replace(pair, p=float(p)) for pair, p in zip(pairs, holm([pair.p for pair in pairs]), strict=True)]


def verdict(comparison: Comparison, level: float) -> str:
    """Return one of `VERDICTS`; a single difference is not tested."""
    if math.isnan(comparison.p):
        return NOT_TESTED
    if comparison.p > level:
        return NOT_SIGNIFICANT
    return HOLDS if comparison.difference.mean < 0 else REVERSED


def _signed(difference: Estimate, decimals: int) -> str:
    """Return a mean with its half-width and a typographic minus sign."""
    return cells([difference], decimals)[0].replace("-", "−")
