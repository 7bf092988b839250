"""The claims over all data sets, from the claims.csv of every report: reports/claims.md and docs/lecture.md.

Reports of data sets that are not in the suite are kept, and so are their verdicts, unless the claim has been changed since.
"""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aebench import storage
from aebench.reporting import templates
from aebench.reporting.claims import NOT_TESTED, NOTE, Claim, claims, table
from aebench.reporting.lecture.values import values
from aebench.reporting.results import Results
from aebench.reporting.statements import Statement, statements
from aebench.reporting.tables.claims import effect
from aebench.reporting.tables.written import read

if TYPE_CHECKING:
    from pandas import DataFrame

SUMMARY = storage.REPORTS / "claims.md"
LECTURE = Path("docs") / "lecture.md"
TEXTS = ("chapter", "claim", "says", "figure", "verdict", "measured", "holds", "outcome", "why")
"""The columns of claims.csv that are not numbers."""


def write(results: Results) -> None:
    """reports/<dataset>/claims.csv: one row per test."""
    with storage.atomic_write(results.folder / "claims.csv") as temporary_file:
        table(results).to_csv(temporary_file, index=False, lineterminator="\n")


def write_all() -> None:
    """claims.md and lecture.md, with every data set whose report tests some of the claims as they are now."""
    tables = {file.parent.name: read(file, *TEXTS) for file in sorted(storage.REPORTS.glob("*/claims.csv"))}
    entries = [_entry(chapter, name, claim, tables) for chapter, each in claims().items() for name, claim in each.items()]
    tested = [dataset for dataset in tables if any(dataset in entry["tests"] for entry in entries)]
    facts = {"datasets": tested, "claims": entries, "note": NOTE}
    templates.write(SUMMARY, "claims.md", **facts)
    by_name = {entry["name"]: entry for entry in entries}
    listed = {chapter: [(s.says, _answers(s, by_name)) for s in each] for chapter, each in statements().items()}
    functions = {"chapter": partial(_in_chapter, entries), "drawn": _drawn, "values": values}
    templates.write(LECTURE, "lecture.md", **facts, **functions, statements=listed)


def _entry(chapter: str, name: str, claim: Claim, tables: dict[str, "DataFrame"]) -> dict[str, Any]:
    """A claim with its figure, verdict and tests by data set."""
    tests = {dataset: table[table["claim"] == name].to_dict("records") for dataset, table in tables.items()}
    tests = {dataset: rows for dataset, rows in tests.items() if _is_current(claim, rows)}
    return {
        "chapter": chapter,
        "name": name,
        "says": claim.says,
        "figures": {dataset: figure for dataset in tests if (figure := _figure(dataset, claim.figure)).exists()},
        "verdicts": {dataset: rows[0]["verdict"] for dataset, rows in tests.items()},
        "tests": {dataset: [row | {"effect": effect(row).strip()} for row in rows] for dataset, rows in tests.items()},
    }


def _is_current(claim: Claim, rows: list[dict[str, Any]]) -> bool:
    """Whether a report tested the claim as it is now: with the same words, quantities and bounds."""
    tested = [(row["says"], row["measured"], row["holds"]) for row in rows]
    return tested == [(claim.says, test.measured, test.rule) for test in claim.tests]


def _figure(dataset: str, name: str) -> Path:
    return storage.REPORTS / dataset / "figures" / f"{name}.png"


def _drawn(name: str) -> list[str]:
    """The data sets whose reports have this figure."""
    return [path.parent.name for path in sorted(storage.REPORTS.glob("*/figures")) if _figure(path.parent.name, name).exists()]


def _answers(statement: Statement, claims: dict[str, dict[str, Any]]) -> str:
    """What answers a statement, in Markdown: claims with their verdicts by data set, models, figures and tests."""
    parts = []
    for name in statement.claims:
        verdicts = claims[name]["verdicts"]
        listed = {v: ", ".join(dataset for dataset in verdicts if verdicts[dataset] == v) for v in verdicts.values()}
        parts.append(f"claim `{name}`: {'; '.join(f'{v} on {where}' for v, where in listed.items()) or NOT_TESTED}")
    if statement.models:
        parts.append("models " + ", ".join(f"`{model}`" for model in statement.models))
    parts += [f"figure {link}" for name in statement.figures if (link := _link(name))]
    parts += [f"test [`{name.partition('::')[2]}`](../tests/{name.partition('::')[0]})" for name in statement.tests]
    return "<br>".join(parts)


def _link(figure: str) -> str:
    """A link to a figure of the lecture or of the first report that has it; empty if there is none."""
    files = [storage.REPORTS / "lecture" / f"{figure}.png", *(_figure(dataset, figure) for dataset in _drawn(figure))]
    return next((f"[{figure}](../{file.as_posix()})" for file in files if file.exists()), "")


def _in_chapter(entries: list[dict[str, Any]], chapter: str) -> list[dict[str, Any]]:
    return [entry for entry in entries if entry["chapter"] == chapter]
