"""Values of a few models for the tables of the lecture, from table.csv and profiles.csv of every report.

A quantity is a metric (sse) or a profile at one position of its axis (coverage_by_sampler/prior). Wall times are not printed,
because they differ between runs and docs/lecture.md must not.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from aebench import storage
from aebench.evaluation.metrics import METRICS, PROFILES
from aebench.reporting.tables.columns import scores
from aebench.reporting.tables.written import read

if TYPE_CHECKING:
    from pandas import DataFrame

KEYS = ("profile", "position", "model")
"""The columns of profiles.csv that name an estimate."""


def values(models: list[str], quantities: list[str]) -> dict[str, list[list[str]]]:
    """Return rows by data set, for data sets with results of all `models`.

    Each quantity has a row: its title and unit, and a cell per model.
    """
    folders = [file.parent for file in sorted(storage.REPORTS.glob("*/table.csv"))]
    tables = {folder: table for folder in folders if set(models) <= set((table := _read(folder / "table.csv", "model")).index)}
    return {
        folder.name: [_row(table, _read(folder / "profiles.csv", *KEYS), models, quantity) for quantity in quantities]
        for folder, table in tables.items()
    }


def _read(file: Path, *keys: str) -> "DataFrame":
    return read(file, *keys).set_index(list(keys))


def _row(table: "DataFrame", profiles: "DataFrame", models: list[str], quantity: str) -> list[str]:
    name, _, position = quantity.partition("/")
    measure = PROFILES[name] if position else METRICS[name]
    if position:
        table = profiles.reindex([(name, position, model) for model in models]).add_prefix(f"{name}.")
    title = f"{measure.title}, {position}" if position else measure.title
    cells = scores(table if position else table.loc[models], name, measure).cells
    return [f"{title} ({measure.unit})", *(cell.strip("\N{FIGURE SPACE}") for cell in cells)]
