"""A table in its forms: CSV with every digit, Markdown, LaTeX for journals; and its numbers as macros for their prose.

In LaTeX numbers stand in siunitx's S columns, which align their points and their ±; 4.017(13) is 4.017 ± 0.013.
"""

import math
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from aebench.reporting import templates
from aebench.reporting.cells import DAGGER, FIGURE_SPACE, Column, Table, aligned, number
from aebench.reporting.templates import Latex
from aebench.statistics import Estimate

if TYPE_CHECKING:
    from pandas import DataFrame

LINE = 40
"""Letters of a cell up to which it is not broken."""


def frame(table: Table) -> "DataFrame":
    """Text as it is printed; of numbers mean, sd, half_width, n and, where they are judged, whether they are among the best."""
    from pandas import DataFrame

    told: dict[str, list] = {}
    for column in table.columns:
        if not column.values:
            told[column.head] = [cell.strip(FIGURE_SPACE) for cell in column.cells]
            continue
        for field in ("mean", "sd", "half_width", "n"):
            told[f"{column.name}.{field}"] = [asdict(value)[field] for value in column.values]
        if column.best:
            told[f"{column.name}.best"] = list(column.best)
    return DataFrame(told)


def markdown(columns: list[Column]) -> str:
    """A pipe table, the best bold."""
    escaped = [replace(c, cells=[cell.replace("|", r"\|") for cell in c.cells]) for c in columns]
    return aligned([replace(c, cells=c.emphasised(_strong)) for c in escaped], "pipe")


def latex(columns: list[Column]) -> dict[str, list]:
    """The kinds of the columns; lines: heads, units, then cells; whether numbers have intervals, and are judged."""
    lines = zip(*(_latex_lines(column) for column in columns), strict=True)
    varies = any(math.isfinite(value.half_width) for column in columns for value in column.values)
    kinds = [Latex(_kind(column)) for column in columns]
    return {"kinds": kinds, "lines": list(lines), "varies": varies, "judged": any(any(column.best) for column in columns)}


def macros(table: Table) -> Iterator[tuple[str, str, str, str]]:
    """(model, name, mean, half-width) of each number it has, as printed; "" of one without an interval."""
    models = [cell.removesuffix(f" {DAGGER}") for cell in table.columns[0].cells]
    for column in table.columns:
        for i, value in enumerate(column.values):
            if math.isfinite(value.mean):
                model, name = (table.model, f"{column.name}.{table.lines[i]}") if table.model else (models[i], column.name)
                yield model, name, number(value.mean, column.decimals), number(value.half_width, column.decimals)


def _strong(cell: str) -> str:
    """Bold in Markdown; what pads it stays outside."""
    text = cell.lstrip(FIGURE_SPACE)
    return f"{FIGURE_SPACE * (len(cell) - len(text))}**{text}**"


def _kind(column: Column) -> str:
    """l or r of text, a paragraph of long text, siunitx's S of numbers, with room for the widest."""
    if not column.values:
        return r"p{0.3\linewidth}" if max(map(len, column.cells)) > LINE else column.side[0]
    numbers = [value for value in column.values if math.isfinite(value.mean)]
    whole = max((len(number(abs(value.mean), column.decimals).partition(".")[0]) for value in numbers), default=1)
    sign = "-" * any(number(value.mean, column.decimals).startswith("-") for value in numbers)
    places = f".{column.decimals}" * (column.decimals > 0)
    digits = max((len(_uncertainty(value, column.decimals)) for value in numbers), default=0)
    return f"S[table-format={sign}{whole}{places}{f'({digits})' * (digits > 0)}]"


def _latex_lines(column: Column) -> list[str]:
    if not column.values:
        return [column.head, column.unit, *column.cells]
    bold = column.best or (False,) * len(column.values)
    cells = [_latex_cell(value, column.decimals, best) for value, best in zip(column.values, bold, strict=True)]
    return [*(Latex(f"{{{templates.latex(text)}}}") for text in (column.head, column.unit)), *cells]


def _latex_cell(value: Estimate, decimals: int, best: bool) -> Latex:
    """What is no number stands in braces, which siunitx leaves alone."""
    if not math.isfinite(value.mean):
        return Latex("{---}" if math.isnan(value.mean) else r"{$\infty$}")
    uncertainty = _uncertainty(value, decimals)
    return Latex(r"\bfseries " * best + number(value.mean, decimals) + f"({uncertainty})" * bool(uncertainty))


def _uncertainty(value: Estimate, decimals: int) -> str:
    """The half-width in units of the last decimal: 13 of 0.013; nothing where there is none."""
    return str(int(number(value.half_width, decimals).replace(".", ""))) if math.isfinite(value.half_width) else ""
