"""Which rows are best, and which only seem to be: rows with as many numbers in their code, compared seed by seed.

A code of 1000 numbers reconstructs better than one of 30 because it is longer, and raw pixels copy: rows compete with those
of their own code size. What is compared and how is `aebench.statistics`.
"""

from dataclasses import asdict
from typing import TYPE_CHECKING

from aebench.metrics import METRICS, Metric
from aebench.reporting.results import Results
from aebench.statistics import compare

if TYPE_CHECKING:
    from pandas import DataFrame

NOTE = (
    "Bold: the best of the rows with as many numbers in their code, and those that do not differ from it: paired t tests over "
    "seeds of all pairs of these rows, with Holm's correction, at 5 %. A row that is alone with its code size has none to beat."
)


def comparisons(results: Results) -> "DataFrame":
    """One line a main metric that judges, code size and pair of rows; `p` is adjusted for the pairs of its group."""
    from pandas import DataFrame

    lines = [
        {"metric": name, "first": each.first, "second": each.second}
        | asdict(each.difference)
        | {"p": each.p, "effect": each.effect, "seeds": each.seeds}
        for name, metric in METRICS.items()
        if judging(metric)
        for group in results.groups(name)
        for each in compare(group)
    ]
    keys = ["metric", "first", "second", "mean", "sd", "half_width", "n", "p", "effect", "seeds"]
    return DataFrame(lines, columns=keys)


def judging(metric: Metric) -> bool:
    """Whether it is in the comparison of all rows and says what is better."""
    return metric.main and metric.better is not None
