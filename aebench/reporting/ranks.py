"""Which rows differ over data sets? Average ranks and Nemenyi's critical difference (Demšar 2006, section 3.2.2).

    CD = q_α sqrt(k (k + 1) / (6 N)),   k rows, N data sets,   q_α: quantile of the studentized range of k means / sqrt 2

Ranks are among the rows that every data set's reports/<dataset>/table.csv has, 1 the best, ties share theirs.
"""

from math import inf, sqrt
from typing import TYPE_CHECKING

import numpy as np

from aebench import runs
from aebench.metrics import METRICS
from aebench.reporting import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas import DataFrame

SHOWN = ("sse", "knn_5")
"""Metrics, a panel each."""
ALPHA = 0.05
LINE = 0.16
"""Inches of a name."""


def ranks() -> "Figure | None":
    """A diagram a metric over all reported data sets; of fewer than two there are no ranks to average."""
    tables = reported()
    found = {metric: average(tables, metric) for metric in SHOWN}
    rows = len(next(iter(found.values())))
    if len(tables) < 2 or rows < 2:
        return None
    drawing = canvas.figure(len(SHOWN) * (LINE * (rows / 2 + 1) + 0.9))
    for axes, (metric, means) in zip(drawing.subplots(len(SHOWN)), found.items(), strict=True):
        _draw(axes, means, critical_difference(len(means), len(tables)))
        axes.set_title(f"{METRICS[metric].title}: average rank over {', '.join(tables)}")
    return drawing


def reported() -> "dict[str, DataFrame]":
    """Data set -> its table, a line a row."""
    from pandas import read_csv

    return {file.parent.name: read_csv(file, index_col="model") for file in sorted(runs.REPORTS.glob("*/table.csv"))}


def average(tables: "dict[str, DataFrame]", metric: str) -> dict[str, float]:
    """Row -> its mean rank, the best first, of the rows that all tables have a number for."""
    from scipy.stats import rankdata

    sign = -1 if METRICS[metric].better == "higher" else 1
    means = [table[f"{metric}.mean"].dropna() for table in tables.values()]
    rows = [row for row in means[0].index if all(row in each.index for each in means)] if means else []
    places = [rankdata(sign * each[rows].to_numpy()) for each in means]
    return dict(sorted(zip(rows, np.mean(places, axis=0).tolist(), strict=True), key=lambda pair: pair[1])) if rows else {}


def critical_difference(rows: int, datasets: int, alpha: float = ALPHA) -> float:
    """Nemenyi's: average ranks nearer to each other are not told apart."""
    from scipy.stats import studentized_range

    return float(studentized_range.ppf(1 - alpha, rows, inf) / sqrt(2) * sqrt(rows * (rows + 1) / (6 * datasets)))


def groups(means: list[float], difference: float) -> list[tuple[float, float]]:
    """First and last of the longest runs of sorted ranks that lie within the difference."""
    ends = [max(each for each in means if each - low <= difference) for low in means]
    return [(low, high) for i, (low, high) in enumerate(zip(means, ends, strict=True)) if high > max([low, *ends[:i]])]


def _draw(axes: "Axes", means: dict[str, float], difference: float) -> None:
    """An axis of ranks, names below it, the better half to the left; bars join what is not told apart."""
    count, half = len(means), -(-len(means) // 2)
    bars = groups(list(means.values()), difference)
    for i, (low, high) in enumerate(bars):
        axes.plot([low - 0.1, high + 0.1], [-0.5 - 0.5 * i] * 2, color=canvas.BLUE, linewidth=3, solid_capstyle="butt")
    top = 0.6 + 0.5 * len(bars)
    for i, (name, mean) in enumerate(means.items()):
        left = i < half
        depth = -top - (i if left else count - 1 - i) - 0.5
        edge = 0.5 if left else count + 0.5
        axes.plot([mean, mean, edge], [0, depth, depth], color="0.4", linewidth=0.6)
        text = f"{name} {mean:.1f}"
        axes.text(edge, depth, f"{text} " if left else f" {text}", ha="right" if left else "left", va="center", fontsize=7)
    axes.plot([1, 1 + difference], [1.2, 1.2], color=canvas.ORANGE, linewidth=2)
    axes.text(1, 1.5, f"critical difference {difference:.1f}", fontsize=7, va="bottom", color=canvas.ORANGE)
    axes.set(
        xlim=(-0.12 * count, max(1.12 * count, difference) + 1), ylim=(-top - half, 3), yticks=[], xticks=range(1, count + 1)
    )
    axes.spines[:].set_visible(False)
    axes.spines["bottom"].set(visible=True, position=("data", 0), bounds=(1, count))
    axes.tick_params(axis="x", direction="in", pad=-12, labelsize=7)
