"""Average ranks of models over data sets and Nemenyi's critical difference (Demšar 2006, section 3.2.2).

    CD = q_α sqrt(k (k + 1) / (6 N)),   k models, N data sets,   q_α: quantile of the studentized range of k means / sqrt 2

Models that are in every reports/<dataset>/table.csv are ranked; 1 is the best rank, and ties share their mean rank.
"""

from math import inf, sqrt
from typing import TYPE_CHECKING

from aebench import storage
from aebench.evaluation.metrics import METRICS
from aebench.reporting.figures import canvas
from aebench.reporting.figures.base import ReportFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas import DataFrame

SHOWN = ("sse", "knn_5")
"""Metrics, one panel each."""
ALPHA = 0.05
LINE = 0.16
"""Inches per line of names."""


def ranks() -> "Figure | None":
    """One critical-difference diagram per metric, if there are at least two reports with at least two models in common."""
    tables = reported()
    ranks_by_metric = {metric: average(tables, metric) for metric in SHOWN}
    models = len(ranks_by_metric[SHOWN[0]])
    if len(tables) < 2 or models < 2:
        return None
    drawing = canvas.figure(len(SHOWN) * (LINE * (models / 2 + 1) + 0.9))
    for axes, (metric, means) in zip(drawing.subplots(len(SHOWN)), ranks_by_metric.items(), strict=True):
        _draw(axes, means, critical_difference(len(means), len(tables)))
        axes.set_title(f"{METRICS[metric].title}: average rank over {', '.join(tables)}")
    return drawing


def reported() -> "dict[str, DataFrame]":
    """Data set -> table.csv, indexed by model."""
    from pandas import read_csv

    return {
        file.parent.name: read_csv(file, index_col="model", keep_default_na=False, na_values=[""])
        for file in sorted(storage.REPORTS.glob("*/table.csv"))
    }


def average(tables: "dict[str, DataFrame]", metric: str) -> dict[str, float]:
    """Model -> its mean rank, the best first; only models that have a value in every table."""
    from pandas import concat

    if not tables:
        return {}
    means = concat([table[f"{metric}.mean"] for table in tables.values()], axis=1, join="inner").dropna()
    return means.rank(ascending=METRICS[metric].better != "higher").mean(axis=1).sort_values(kind="stable").to_dict()


def critical_difference(models: int, datasets: int, alpha: float = ALPHA) -> float:
    """Nemenyi's critical difference: average ranks that differ by less do not differ significantly."""
    from scipy.stats import studentized_range

    return float(studentized_range.ppf(1 - alpha, models, inf) / sqrt(2) * sqrt(models * (models + 1) / (6 * datasets)))


def groups(means: list[float], difference: float) -> list[tuple[float, float]]:
    """First and last rank of each maximal run of sorted ranks within `difference`."""
    ends = [max(each for each in means if each - low <= difference) for low in means]
    return [(low, high) for i, (low, high) in enumerate(zip(means, ends, strict=True)) if high > max([low, *ends[:i]])]


def _draw(axes: "Axes", means: dict[str, float], difference: float) -> None:
    """An axis of ranks with the names below, the better half on the left; bars join ranks that do not differ significantly."""
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


FIGURES = {
    "ranks": ReportFigure(
        ranks,
        "Average ranks over data sets",
        "Axes of average ranks with the names of the models; bars join models whose ranks do not differ significantly.",
        "The rank of each model among the models that all reported data sets have in common, averaged over data sets; 1 is the "
        f"best. Bars join models whose average ranks differ by less than Nemenyi's critical difference at {100 * ALPHA:g} % "
        "(Demšar 2006). With few data sets it is large: a bar then means that there are too few data sets to distinguish two "
        "models, not that they are equally good. Within a data set, models are compared over seeds.",
    ),
}
