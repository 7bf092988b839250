"""The orders that papers print, tested on our results: is the error of one run below that of another?

Runs are compared seed by seed, as in `aebench.statistics`; p values are adjusted by Holm's method for all pairs of an order.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product

from aebench.papers import Order, Paper
from aebench.papers.measures import MEASURES
from aebench.reporting.tables.columns import MISSING, Column, cells
from aebench.statistics import Comparison, Estimate, compare, holm

HOLDS, NOT_SIGNIFICANT, REVERSED, NOT_TESTED = "holds", "not significant", "reversed", "not tested"
VERDICTS = (HOLDS, NOT_SIGNIFICANT, REVERSED, NOT_TESTED)
NOTE = (
    "An order says that the value of one run is below that of another. Difference: lower - higher, paired by seed, mean ± "
    "half-width of its 95 % interval. p: paired t test, adjusted for all pairs of the order (Holm). If p is at most the level, "
    f"the order {HOLDS} if the difference is negative and is {REVERSED} if it is positive; otherwise it is {NOT_SIGNIFICANT}."
)


def columns(paper: Paper, values: Mapping[str, Mapping[str, Sequence[float]]]) -> list[Column]:
    """Return the table of all orders of a paper, one row per pair of runs; empty if it has none."""
    found = [(order, pair) for order in paper.orders for pair in comparisons(order, values)]
    rows = [(order, MEASURES[order.measure], pair) for order, pair in found]
    table = [
        Column("lower", [paper.title_of(pair.first, order.measure) for order, _, pair in rows]),
        Column("higher", [paper.title_of(pair.second, order.measure) for order, _, pair in rows]),
        Column("measure", [f"{measure.title} ({measure.unit})" for _, measure, _ in rows]),
        Column("difference", [_signed(pair.difference, measure.decimals) for _, measure, pair in rows], "right"),
        Column("n", [str(pair.difference.n) for _, _, pair in rows], "right"),
        Column("p", [MISSING if pair.difference.n < 2 else f"{pair.p:.2g}" for _, _, pair in rows], "right"),
        Column("level", [f"{order.level:g}" for order, _, _ in rows], "right"),
        Column("verdict", [verdict(pair, order.level) for order, _, pair in rows]),
    ]
    return table if rows else []


def comparisons(order: Order, values: Mapping[str, Mapping[str, Sequence[float]]]) -> list[Comparison]:
    """Return the difference of each pair of a lower and a higher run; `values` are run -> measure -> one value per seed."""
    samples = {run: values[run][order.measure] for run in (*order.lower, *order.higher)}
    pairs = [compare({low: samples[low], high: samples[high]})[0] for low, high in product(order.lower, order.higher)]
    tested = [i for i, pair in enumerate(pairs) if pair.difference.n > 1]
    adjusted = dict(zip(tested, holm([pairs[i].p for i in tested]), strict=True))
    return [replace(pair, p=float(adjusted.get(i, math.nan))) for i, pair in enumerate(pairs)]


def verdict(comparison: Comparison, level: float) -> str:
    """Return one of `VERDICTS`; a single difference is not tested."""
    if comparison.difference.n < 2:
        return NOT_TESTED
    if comparison.p > level:
        return NOT_SIGNIFICANT
    return HOLDS if comparison.difference.mean < 0 else REVERSED


def _signed(difference: Estimate, decimals: int) -> str:
    """Return a mean with its half-width and a typographic minus sign."""
    return cells([difference], decimals)[0].replace("-", "−")
