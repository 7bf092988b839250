"""The comparison of all models as plain text; it is read from the report, without the libraries that a report needs."""

import re
from pathlib import Path

from tabulate import tabulate

from aebench import storage
from aebench.errors import InputError, unknown

FIGURE_SPACE = "\N{FIGURE SPACE}"
SEPARATOR = re.compile(r"(?<!\\)\|")


def comparison(dataset: str) -> str:
    """The table in reports/<dataset>/tables/comparison.md, with the units below the headers."""
    file = storage.written(storage.REPORTS / dataset / "tables" / "comparison.md")
    if "\n|" not in (text := file.read_text()):
        raise damaged(file, "no table")
    return plain(text)


def reports() -> list[str]:
    """The data sets with a report in the current folder."""
    return sorted(file.parent.name for file in storage.REPORTS.glob("*/table.csv"))


def no_report(dataset: str, known: list[str]) -> InputError:
    """The error for a data set that has no report in the current folder."""
    if known:
        return unknown("DATASET (with a report)", dataset, known)
    return InputError(f"DATASET must have a report in {Path.cwd()}, got {dataset}: `aebench run` writes those of the suite")


def damaged(file: Path, got: str) -> InputError:
    """The error for a file of a report that is not as it was written."""
    return InputError(f"{file} must be a table of a report (`aebench run` writes it again), got {got}")


def plain(markdown: str) -> str:
    """The table in a Markdown text, without its marks."""
    header, sides, *rows = [_cells(line) for line in markdown.splitlines() if line.startswith("|")]
    headers = [re.sub(r" \((.*)\)$", r"\n\1", cell) for cell in header]
    alignment = ["right" if side.endswith(":") else "left" for side in sides]
    text = tabulate(rows, headers, "simple", disable_numparse=True, preserve_whitespace=True, colalign=alignment)
    return text.replace(FIGURE_SPACE, " ")


def _cells(line: str) -> list[str]:
    """The cells of a line, without the marks of Markdown; figure spaces, which align decimal points, are kept."""
    return [cell.strip(" ").replace("**", "").replace(r"\|", "|") for cell in SEPARATOR.split(line)[1:-1]]
