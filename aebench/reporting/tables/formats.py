"""The formats of a table: CSV with every digit, Markdown, LaTeX, and a LaTeX macro for each number.

In LaTeX, siunitx's S columns align decimal points and ±; 4.017(13) means 4.017 ± 0.013.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from tabulate import tabulate

from aebench.reporting import templates
from aebench.reporting.tables.columns import FIGURE_SPACE, Column, Table, number
from aebench.reporting.templates import Latex
from aebench.statistics import Estimate

if TYPE_CHECKING:
    from pandas import DataFrame

BOLD = (
    "Bold: the best model at each latent dimension and those that do not differ significantly from it (paired t tests over "
    "seeds, all pairs, Holm's correction, 5 %)."
)
LINE = 40
"""Cells with more characters than this are broken into lines."""


def frame(table: Table) -> "DataFrame":
    """Return one row per row of the table, see `columns_frame`."""
    return columns_frame(table.columns)


def columns_frame(columns: list[Column]) -> "DataFrame":
    """Return text as printed, and for numbers mean, sd, half_width, n and, with a better direction, best."""
    from pandas import DataFrame

    fields: dict[str, list] = {}
    for column in columns:
        if not column.values:
            fields[column.header] = [cell.strip(FIGURE_SPACE) for cell in column.cells]
            continue
        for field in ("mean", "sd", "half_width", "n"):
            fields[f"{column.name}.{field}"] = [getattr(value, field) for value in column.values]
        if column.best:
            fields[f"{column.name}.best"] = list(column.best)
    return DataFrame(fields)


def markdown(columns: list[Column]) -> str:
    """Return the columns as a pipe table with the best numbers in bold."""
    escaped = [replace(c, cells=[cell.replace("|", r"\|") for cell in c.cells]).emphasised(_strong) for c in columns]
    headers = [f"{c.header} ({c.unit})" if c.unit else c.header for c in columns]
    rows, sides = list(zip(*escaped, strict=True)), [c.side for c in columns]
    return tabulate(rows, headers, "pipe", disable_numparse=True, preserve_whitespace=True, colalign=sides)


def latex(columns: list[Column]) -> dict[str, list]:
    """Return the variables of table.tex; `rows` are headers, units and cells, and `bold` explains bold numbers, if any."""
    rows = zip(*(_latex_cells(column) for column in columns), strict=True)
    intervals = any(math.isfinite(value.half_width) for column in columns for value in column.values)
    bold = BOLD if any(any(column.best) for column in columns) else ""
    specifications = [Latex(_specification(column)) for column in columns]
    return {"specifications": specifications, "rows": list(rows), "intervals": intervals, "bold": bold}


def macros(table: Table) -> Iterator[tuple[str, str, str, str]]:
    """Return (model, name, mean, half-width) of each number, as printed; the half-width is "" if there is no interval."""
    for column in table.columns:
        for i, value in enumerate(column.values):
            if math.isfinite(value.mean):
                model = table.model or table.columns[0].cells[i]
                name = f"{column.name}.{table.rows[i]}" if table.model else column.name
                yield model, name, number(value.mean, column.decimals), number(value.half_width, column.decimals)


def _strong(cell: str) -> str:
    """Make a cell bold in Markdown, without its padding."""
    text = cell.lstrip(FIGURE_SPACE)
    return f"{FIGURE_SPACE * (len(cell) - len(text))}**{text}**"


def _specification(column: Column) -> str:
    """Return a column specification: l, r or a paragraph for text; for numbers, siunitx's S with room for the widest cell."""
    if not column.values:
        return r"p{0.3\linewidth}" if max(map(len, column.cells)) > LINE else column.side[0]
    numbers = [value for value in column.values if math.isfinite(value.mean)]
    integer = max((len(number(abs(value.mean), column.decimals).partition(".")[0]) for value in numbers), default=1)
    sign = "-" * any(number(value.mean, column.decimals).startswith("-") for value in numbers)
    fraction = f".{column.decimals}" * (column.decimals > 0)
    digits = max((len(_uncertainty(value, column.decimals)) for value in numbers), default=0)
    return f"S[table-format={sign}{integer}{fraction}{f'({digits})' * (digits > 0)}]"


def _latex_cells(column: Column) -> list[str]:
    if not column.values:
        return [column.header, column.unit, *column.cells]
    bold = column.best or (False,) * len(column.values)
    cells = [_latex_cell(value, column.decimals, best) for value, best in zip(column.values, bold, strict=True)]
    return [*(Latex(f"{{{templates.latex(text)}}}") for text in (column.header, column.unit)), *cells]


def _latex_cell(value: Estimate, decimals: int, best: bool) -> Latex:
    """Return a number for siunitx; anything else is in braces, whose content siunitx prints unchanged."""
    if not math.isfinite(value.mean):
        return Latex("{---}" if math.isnan(value.mean) else r"{$\infty$}")
    uncertainty = _uncertainty(value, decimals)
    return Latex(r"\bfseries " * best + number(value.mean, decimals) + f"({uncertainty})" * bool(uncertainty))


def _uncertainty(value: Estimate, decimals: int) -> str:
    """Return the half-width in units of the last decimal: 13 for 0.013; empty if there is no interval."""
    return str(int(number(value.half_width, decimals).replace(".", ""))) if math.isfinite(value.half_width) else ""
