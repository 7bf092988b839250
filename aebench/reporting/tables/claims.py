"""The claims and their verdicts, one row per test."""

from typing import Any

from aebench.reporting import claims
from aebench.reporting.results import Results
from aebench.reporting.sections import SECTIONS
from aebench.reporting.tables.columns import Column, Table, cells
from aebench.statistics import Estimate

HEADERS = {"claim": "says", "measured": "measured", "holds if": "holds", "outcome": "outcome", "verdict": "verdict"}
"""Header -> column of claims.csv."""


def tables(results: Results) -> list[Table]:
    """Return the table of claims, as a list with one table."""
    rows = claims.table(results)
    claim, measured, *others = (Column(header, rows[name].tolist()) for header, name in HEADERS.items())
    effects = Column("effect", [effect(row) for row in rows.to_dict("records")], "right")
    return [Table("claims", "claims", SECTIONS["claims"], claims.NOTE, [claim, measured, effects, *others])]


def effect(row: dict[str, Any]) -> str:
    """Return the printed effect of a row of claims.csv: mean ± half-width of its 95 % interval."""
    return cells([Estimate(row["mean"], row["sd"], row["half_width"], row["n"])], int(row["decimals"]))[0]
