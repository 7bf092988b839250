"""How a number is printed: mean ± half-width of the mean's 95 % interval, both with the metric's decimals.

A single value has no ±, "—" was not measured. Means are padded to one width, so that their points align.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Literal

from aebench.metrics import Metric, Profile
from aebench.statistics import Estimate, estimate

if TYPE_CHECKING:
    from pandas import DataFrame

ARROWS = {"lower": "↓", "higher": "↑"}
FIGURE_SPACE = "\N{FIGURE SPACE}"
MISSING, INFINITE = "—", "∞"
DAGGER = "†"
"""Stands beside the name of a row that is not certified."""


@dataclass(frozen=True)
class Column:
    """A head, the unit below it and one printed cell a line; the cells are flush on `side`, and those of the `best` bold.

    A column of numbers has a `name` for files and macros, the numbers themselves and how many decimals are printed.
    """

    head: str
    cells: list[str]
    side: Literal["left", "right"] = "left"
    unit: str = ""
    best: tuple[bool, ...] = ()
    name: str = ""
    values: tuple[Estimate, ...] = ()
    decimals: int = 0

    def emphasised(self, form: Callable[[str], str]) -> list[str]:
        """The cells, the best in another form."""
        return [form(cell) if b else cell for cell, b in zip_longest(self.cells, self.best, fillvalue=False)]


@dataclass(frozen=True)
class Table:
    """A table: its file name, whose of `SECTIONS` it is, its heading, what to know of it, its columns.

    A line is a model, or `lines` says which: then all of them are of one model, whose numbers are called
    `<column>.<line>`.
    """

    name: str
    section: str
    title: str
    note: str
    columns: list[Column]
    model: str = ""
    lines: tuple[str, ...] = ()


NOTHING = Estimate(math.nan, math.nan, math.nan, 0)
"""What was not measured."""


def measures(
    name: str, head: str, found: Sequence[Estimate], decimals: int, unit: str = "", best: tuple[bool, ...] = ()
) -> Column:
    """A column of means with their intervals."""
    return Column(head, cells(found, decimals), unit=unit, best=best, name=name, values=tuple(found), decimals=decimals)


def counts(name: str, head: str, numbers: Sequence[float], decimals: int = 0, unit: str = "") -> Column:
    """A column of numbers that are known exactly, or to no interval; NaN is none."""
    values = tuple(NOTHING if math.isnan(number) else Estimate(number, math.nan, math.nan, 1) for number in numbers)
    printed = [MISSING if math.isnan(number) else f"{number:,.{decimals}f}" for number in numbers]
    return Column(head, printed, "right", unit, name=name, values=values, decimals=decimals)


def scores(table: "DataFrame", name: str, metric: Metric) -> Column:
    """The column of the metric called `name`, from `<name>.mean` and so on of a measured table."""
    fields = ("mean", "sd", "half_width", "n")
    values = table.reindex(columns=[f"{name}.{field}" for field in fields]).to_numpy()
    found = [Estimate(*map(float, line[:3]), 0 if math.isnan(line[3]) else int(line[3])) for line in values]
    best = tuple(table[f"{name}.best"]) if f"{name}.best" in table else ()
    return measures(name, head(metric), found, metric.decimals, metric.unit, best)


def head(metric: Metric | Profile) -> str:
    """Its title, with an arrow to where better lies."""
    return f"{metric.title} {ARROWS[metric.better]}" if metric.better else metric.title


def over_seeds(samples: Sequence[Sequence[float] | None]) -> list[Estimate]:
    """An estimate for each sample over seeds; None is what was not measured."""
    return [NOTHING if sample is None else estimate(sample) for sample in samples]


def cells(found: Sequence[Estimate], decimals: int) -> list[str]:
    """A cell for each mean and interval, the points below each other."""
    means = [number(each.mean, decimals) for each in found]
    width = max(len(mean) for mean in means)
    return [_cell(mean, number(each.half_width, decimals), width) for mean, each in zip(means, found, strict=True)]


def number(value: float, decimals: int) -> str:
    """With so many decimals and no negative zero; nothing for NaN."""
    return "" if math.isnan(value) else f"{value:z.{decimals}f}"


def span(values: list[int]) -> str:
    """The least and the greatest of the seeds' numbers."""
    low, high = min(values, default=0), max(values, default=0)
    return MISSING if not values else f"{low:,}" if low == high else f"{low:,}–{high:,}"


def aligned(columns: list[Column], form: str, head: str = "{head} ({unit})") -> str:
    """The columns as one of tabulate's text formats; `head` says how heads are written that have a unit."""
    from pandas import DataFrame

    lines = list(zip(*(column.cells for column in columns), strict=True))
    heads = [head.format(head=column.head, unit=column.unit) if column.unit else column.head for column in columns]
    frame, sides = DataFrame(lines, columns=heads), [column.side for column in columns]
    return frame.to_markdown(index=False, tablefmt=form, colalign=sides, disable_numparse=True, preserve_whitespace=True)


def _cell(mean: str, half: str, width: int) -> str:
    if not mean:
        return MISSING
    padded = FIGURE_SPACE * (width - len(mean)) + mean.replace("inf", INFINITE)
    return f"{padded} ± {half}" if half else padded
