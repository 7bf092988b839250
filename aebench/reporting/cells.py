"""How a number is printed: mean ± half-width of the mean's 95 % interval, both with the metric's decimals.

A single value has no ±, "—" was not measured. Means are padded to one width, so that their points align.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Literal

from aebench.metrics import Metric, Profile
from aebench.reporting.templates import Latex
from aebench.statistics import Estimate, estimate

if TYPE_CHECKING:
    from pandas import DataFrame

ARROWS = {"lower": "↓", "higher": "↑"}
FIGURE_SPACE = "\N{FIGURE SPACE}"


@dataclass(frozen=True)
class Notation:
    """How a medium writes a mean, a mean with its interval, nothing, infinity, and the place of a digit left blank."""

    kind: type[str]
    alone: str
    interval: str
    missing: str
    infinite: str
    blank: str


TEXT = Notation(str, "{mean}", "{mean} ± {half_width}", "—", "∞", FIGURE_SPACE)
LATEX = Notation(Latex, "${mean}$", r"${mean} \pm {half_width}$", "---", r"\infty", r"\phantom{0}")


@dataclass(frozen=True)
class Column:
    """A head, the unit below it and one printed cell a model; the cells are flush on `side`, and those of the `best` bold."""

    head: str
    cells: list[str]
    side: Literal["left", "right"] = "left"
    unit: str = ""
    best: tuple[bool, ...] = ()

    def emphasised(self, form: Callable[[str], str]) -> list[str]:
        """The cells, the best in another form."""
        return [form(cell) if b else cell for cell, b in zip_longest(self.cells, self.best, fillvalue=False)]


@dataclass(frozen=True)
class Table:
    """A table beside the comparison: its file name, whose of `SECTIONS` it is, its heading, what to know of it, its columns."""

    name: str
    section: str
    title: str
    note: str
    columns: list[Column]


NOTHING = Estimate(math.nan, math.nan, math.nan, 0)
"""What was not measured."""


def scores(table: "DataFrame", name: str, metric: Metric, notation: Notation) -> Column:
    """The column of the metric called `name`, from `<name>.mean`, `.half_width` and `.best` of a measured table."""
    values = table.reindex(columns=[f"{name}.mean", f"{name}.half_width"]).to_numpy()
    found = [Estimate(mean, math.nan, half, 0) for mean, half in values]
    best = tuple(table[f"{name}.best"]) if f"{name}.best" in table else ()
    return Column(head(metric), cells(found, metric.decimals, notation), unit=metric.unit, best=best)


def head(metric: Metric | Profile) -> str:
    """Its title, with an arrow to where better lies."""
    return f"{metric.title} {ARROWS[metric.better]}" if metric.better else metric.title


def estimates(samples: Sequence[Sequence[float] | None], decimals: int, notation: Notation) -> list[str]:
    """A cell for each sample over seeds; None is what was not measured."""
    return cells([NOTHING if sample is None else estimate(sample) for sample in samples], decimals, notation)


def cells(found: Sequence[Estimate], decimals: int, notation: Notation) -> list[str]:
    """A cell for each mean and interval, the points below each other."""
    means, halves = ([_number(getattr(e, field), decimals) for e in found] for field in ("mean", "half_width"))
    width = max(len(mean) for mean in means)
    return [_cell(mean, half, width, notation) for mean, half in zip(means, halves, strict=True)]


def span(values: list[int]) -> str:
    """The least and the greatest of the seeds' numbers."""
    low, high = min(values, default=0), max(values, default=0)
    return "—" if not values else f"{low:,}" if low == high else f"{low:,}–{high:,}"


def aligned(columns: list[Column], form: str, head: str = "{head} ({unit})") -> str:
    """The columns as one of tabulate's text formats; `head` says how heads are written that have a unit."""
    from pandas import DataFrame

    lines = list(zip(*(column.cells for column in columns), strict=True))
    heads = [head.format(head=column.head, unit=column.unit) if column.unit else column.head for column in columns]
    frame, sides = DataFrame(lines, columns=heads), [column.side for column in columns]
    return frame.to_markdown(index=False, tablefmt=form, colalign=sides, disable_numparse=True, preserve_whitespace=True)


def _number(value: float, decimals: int) -> str:
    return "" if math.isnan(value) else f"{value:z.{decimals}f}"


def _cell(mean: str, half: str, width: int, notation: Notation) -> str:
    if not mean:
        return notation.kind(notation.missing)
    blanks = notation.blank * (width - len(mean))
    form = notation.interval if half else notation.alone
    return notation.kind(form.format(mean=blanks + mean.replace("inf", notation.infinite), half_width=half))
