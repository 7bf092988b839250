"""The table and the figure of a sweep: the main metrics of one model against the values of one setting."""

import math
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from aebench import storage
from aebench.evaluation.metrics import METRICS
from aebench.reporting.figures import canvas
from aebench.reporting.results import Results
from aebench.reporting.tables import formats
from aebench.reporting.tables.columns import Column, header, measures
from aebench.statistics import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "sweep"
TITLE = 32
"""Maximum number of characters of a line of a panel's title."""
Scores = dict[str, list[Estimate]]
"""Main metric -> one estimate per value."""


def write(results: Results, model: str, key: str, values: dict[str, Any]) -> str:
    """Write tables/sweep.csv and .md, figures/sweep.png and pdf/sweep.pdf; returns the table in Markdown.

    `values` maps the name of each model in `results` to its value of the setting `key` of `model`.
    """
    by_name = {each.name: each for each in results.models}
    measured = {metric: [by_name[name].scores[metric] for name in values] for metric, facts in METRICS.items() if facts.main}
    measured = {metric: scores for metric, scores in measured.items() if not all(math.isnan(each.mean) for each in scores)}
    texts = [_text(value) for value in values.values()]
    columns = [Column(key, texts, "right"), *(_column(metric, scores) for metric, scores in measured.items())]
    folder, table = results.folder / "tables", formats.markdown(columns)
    seeds = max((each.n for scores in measured.values() for each in scores), default=0)
    note = f"{results.about.title}: {model} with several values of {key}. Mean on test images"
    note += f" ± 95 % interval over {seeds} seeds." if seeds > 1 else ", one seed."
    notes = [note, *(each.failure for each in by_name.values() if each.failure)]
    with storage.atomic_write(folder / f"{NAME}.csv") as partial:
        _frame(columns, list(values.values()), key).to_csv(partial, index=False, lineterminator="\n")
    with storage.atomic_write(folder / f"{NAME}.md") as partial:
        partial.write_text("\n\n".join([table, *notes]) + "\n", encoding="utf-8")
    files = (results.figures / f"{NAME}.png", results.pdf / f"{NAME}.pdf")
    with canvas.style():
        canvas.publish(_draw(measured, key, list(values.values())) if measured else None, files, note)
    return "\n\n".join([table, *notes])


def _frame(columns: list[Column], values: list[Any], key: str):
    frame = formats.columns_frame(columns)
    frame[key] = [value if isinstance(value, (int, float)) else _text(value) for value in values]
    return frame


def _column(metric: str, scores: list[Estimate]) -> Column:
    facts = METRICS[metric]
    return measures(metric, header(facts), scores, facts.decimals, facts.unit)


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _draw(measured: Scores, key: str, values: list[Any]) -> "Figure":
    """Draw one panel per metric: points with their intervals, joined by lines if the values are numbers."""
    numeric = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)
    order = np.argsort(values) if numeric else np.arange(len(values))
    positions = np.array(values, float)[order] if numeric else order
    figure, panels = canvas.panels(len(measured), across=min(len(measured), 4), height=2.1, sharex=True)
    for axes, (metric, scores) in zip(panels, measured.items(), strict=True):
        _draw_panel(axes, positions, [scores[i] for i in order], "-" if numeric else "")
        facts = METRICS[metric]
        axes.set_title(fill(f"{header(facts)} ({facts.unit})" if facts.unit else header(facts), TITLE), fontsize="small")
    if numeric and positions[0] > 0 and positions[-1] >= 10 * positions[0]:
        panels[0].set_xscale("log")
    labels = [_text(values[i]) for i in order]
    for axes in panels:
        axes.minorticks_off()
        axes.set_xticks(positions, labels, fontsize="x-small", rotation=60 if max(map(len, labels)) > 3 else 0)
        axes.margins(x=0.1)
    figure.supxlabel(key)
    return figure


def _draw_panel(axes: "Axes", positions: np.ndarray, scores: list[Estimate], line: str) -> None:
    means, halves = (np.array([getattr(each, field) for each in scores]) for field in ("mean", "half_width"))
    bars = np.where(np.isfinite(halves), halves, 0)
    axes.errorbar(positions, means, bars, linestyle=line, marker="o", markersize=3, linewidth=1.2, capsize=3, color=canvas.BLUE)
