"""The page: one section per data set, all joined into a single self-contained HTML file."""

import base64
from pathlib import Path
from typing import Any

from aebench import config, storage
from aebench.reporting import papers, rankings, tables, templates
from aebench.reporting.claims import VERDICTS
from aebench.reporting.figures import figures
from aebench.reporting.lecture import FOLDER, LECTURE
from aebench.reporting.results import Results
from aebench.reporting.sections import SECTIONS
from aebench.reporting.tables import comparison, cost, recipes, remarks
from aebench.reporting.tables.columns import Table

INDEX = storage.REPORTS / "index.html"


def section_file(dataset: str) -> Path:
    """Return the path of a data set's section; it is in runs/ and not in reports/ because the index contains it."""
    return storage.RUNS / "pages" / f"{dataset}.html"


def write(results: Results) -> None:
    """Write the section of a data set: data card, comparison with notes, then each question with its tables and figures."""
    splits = results.card["splits"]
    first, *others = tables.tables(results)
    templates.write(
        section_file(results.dataset),
        "section.html",
        results=results,
        counts={name: splits[name]["images"] for name in storage.SPLITS},
        comparison=first,
        notes=comparison.notes(results),
        remarks=remarks.texts(results, [first, *others]),
        parts=_parts(results, [*others, cost.table(results)]),
        recipes=recipes.columns(results),
        verdicts=VERDICTS,
    )


def write_index() -> None:
    """Write reports/index.html: the sections of the suite's data sets, the papers, and a list of the other data sets."""
    from markupsafe import Markup

    names = config.suite().datasets
    templates.write(
        INDEX,
        "index.html",
        sections={name: Markup(storage.written(section_file(name)).read_text(encoding="utf-8")) for name in names},
        lecture=[(name, p, _data_uri(f)) for name, p in LECTURE.items() if (f := FOLDER / f"{name}.png").exists()],
        others=sorted({file.stem for file in config.CONF.glob("*.yaml")} - set(names)),
        papers=papers.read()[0],
        note=papers.NOTE,
        rankings_note=rankings.NOTE,
        verdicts=papers.VERDICTS,
    )


def _parts(results: Results, every: list[Table]) -> list[dict[str, Any]]:
    """Return the questions that have tables or figures, with their tables and figures."""
    drawn = figures(results)
    files = {name: results.figures / f"{name}.png" for name in drawn}
    parts = [
        {
            "key": key,
            "question": question,
            "tables": [table for table in every if table.section == key],
            "figures": [(n, drawn[n], _data_uri(f)) for n, f in files.items() if drawn[n].section == key and f.exists()],
        }
        for key, question in SECTIONS.items()
    ]
    return [part for part in parts if part["tables"] or part["figures"]]


def _data_uri(file: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(file.read_bytes()).decode()
