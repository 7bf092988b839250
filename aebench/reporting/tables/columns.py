"""How numbers are printed: mean ± half-width of the mean's 95 % interval, both with the metric's decimals.

A single value has no ±. "—" means not measured. Means are padded to equal width, so that decimal points align.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Literal

from aebench.evaluation.metrics import Metric, Profile
from aebench.reporting.results import Results
from aebench.statistics import ALPHA, Estimate
from aebench.storage import Cost

if TYPE_CHECKING:
    from pandas import DataFrame

ARROWS = {"lower": "↓", "higher": "↑"}
FIGURE_SPACE = "\N{FIGURE SPACE}"
MISSING, INFINITE = "—", "∞"
NOTHING = Estimate(math.nan, math.nan, math.nan, 0)
"""The estimate of a quantity that was not measured."""


@dataclass(frozen=True)
class Column:
    """A header, a unit below it, and one printed cell per row, aligned on `side`; cells of `best` rows are bold.

    A column of numbers also has a `name` for files and macros, the estimates in `values`, and the decimals to print.
    """

    header: str
    cells: list[str]
    side: Literal["left", "right"] = "left"
    unit: str = ""
    best: tuple[bool, ...] = ()
    name: str = ""
    values: tuple[Estimate, ...] = ()
    decimals: int = 0

    def emphasised(self, form: Callable[[str], str]) -> list[str]:
        """Return the cells, with `form` applied to those of `best` rows."""
        return [form(cell) if best else cell for cell, best in zip_longest(self.cells, self.best, fillvalue=False)]


@dataclass(frozen=True)
class Table:
    """A table: its file name, its key in `SECTIONS`, title, note and columns.

    There is one row per model. If `model` is given, all rows belong to that model: `rows` names them, and macros are called
    `<column>.<row>`.
    """

    name: str
    section: str
    title: str
    note: str
    columns: list[Column]
    model: str = ""
    rows: tuple[str, ...] = ()


def models(results: Results) -> Column:
    """Return the names of the models, the first column of most tables."""
    return Column("model", [model.name for model in results.models])


def measures(
    name: str, header: str, estimates: Sequence[Estimate], decimals: int, unit: str = "", best: tuple[bool, ...] = ()
) -> Column:
    """Return a column of means with their intervals."""
    printed = cells(estimates, decimals)
    return Column(header, printed, unit=unit, best=best, name=name, values=tuple(estimates), decimals=decimals)


def counts(name: str, header: str, numbers: Sequence[float], decimals: int = 0, unit: str = "") -> Column:
    """Return a column of numbers without intervals; NaN means not measured."""
    values = tuple(NOTHING if math.isnan(number) else Estimate(number, math.nan, math.nan, 1) for number in numbers)
    printed = [MISSING if math.isnan(number) else f"{number:,.{decimals}f}" for number in numbers]
    return Column(header, printed, "right", unit, name=name, values=values, decimals=decimals)


def scores(frame: "DataFrame", name: str, metric: Metric) -> Column:
    """Return the column of a metric, from a frame like table.csv (columns <name>.mean, .sd, .half_width, .n and .best)."""
    fields = ("mean", "sd", "half_width", "n")
    values = frame.reindex(columns=[f"{name}.{field}" for field in fields]).to_numpy()
    estimates = [Estimate(*map(float, row[:3]), 0 if math.isnan(row[3]) else int(row[3])) for row in values]
    best = tuple(frame[f"{name}.best"]) if f"{name}.best" in frame else ()
    return measures(name, header(metric), estimates, metric.decimals, metric.unit, best)


def header(metric: Metric | Profile) -> str:
    """Return the title, with an arrow in the direction that is better."""
    return f"{metric.title} {ARROWS[metric.better]}" if metric.better else metric.title


def cells(estimates: Sequence[Estimate], decimals: int) -> list[str]:
    """Return one cell per estimate, decimal points aligned."""
    means = [number(each.mean, decimals) for each in estimates]
    width = max(len(mean) for mean in means)
    return [_cell(mean, number(each.half_width, decimals), width) for mean, each in zip(means, estimates, strict=True)]


def number(value: float, decimals: int) -> str:
    """Return the value with these decimals, never "-0"; empty for NaN."""
    return "" if math.isnan(value) else f"{value:z.{decimals}f}"


def p_value(p: float, level: float = ALPHA) -> str:
    """Return p with two significant digits, or with so many that it is printed on its side of the level; "—" for NaN."""
    texts = (f"{p:.{digits}g}" for digits in range(2, 18))  # 17 digits are exact
    return MISSING if math.isnan(p) else next(text for text in texts if (float(text) <= level) == (p <= level))


def value_range(values: list[int]) -> str:
    """Return the smallest and largest value over seeds: "46–50"."""
    low, high = min(values, default=0), max(values, default=0)
    return MISSING if not values else f"{low:,}" if low == high else f"{low:,}–{high:,}"


def threads(cost: Cost) -> str:
    """Return the device of training and its threads: "cpu, 2 threads"."""
    return f"{cost.device}, {cost.threads} thread{'s' * (cost.threads > 1)}"


def _cell(mean: str, half: str, width: int) -> str:
    if not mean:
        return MISSING
    padded = FIGURE_SPACE * (width - len(mean)) + mean.replace("inf", INFINITE)
    return f"{padded} ± {half}" if half else padded
