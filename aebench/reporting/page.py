"""The page: a section a data set, and all sections joined into one file that needs no other."""

import base64
from pathlib import Path
from typing import Any

from aebench import params, runs
from aebench.reporting import cost, tables, templates
from aebench.reporting.claims import VERDICTS
from aebench.reporting.figures import FIGURES
from aebench.reporting.lecture import FOLDER, LECTURE
from aebench.reporting.results import Results, written
from aebench.reporting.sections import SECTIONS

INDEX = runs.REPORTS / "index.html"


def section_file(dataset: str) -> Path:
    """Where a data set's section waits to be joined; the index holds it again, so it is not among the reports."""
    return runs.RUNS / "pages" / f"{dataset}.html"


def write(results: Results) -> None:
    """The data set's section: its card, the comparison and its notes, then a part a question with its tables and figures."""
    splits = results.card.get("splits", {})
    templates.write(
        section_file(results.dataset),
        "section.html",
        results=results,
        counts={name: splits[name]["images"] for name in runs.SPLITS if name in splits},
        comparison=tables.comparing(results, tables.measured(results)),
        notes=tables.notes(results),
        parts=_parts(results),
        recipes=tables.recipes(results),
        verdicts=VERDICTS,
    )


def write_index() -> None:
    """reports/index.html: the sections of the suite's data sets, and which others could be run."""
    from markupsafe import Markup

    names = params.suite().datasets
    templates.write(
        INDEX,
        "index.html",
        sections={name: Markup(written(section_file(name)).read_text(encoding="utf-8")) for name in names},
        lecture=[(name, p, _data_uri(f)) for name, p in LECTURE.items() if (f := FOLDER / f"{name}.png").exists()],
        others=sorted({file.stem for file in params.CONF.glob("*.yaml")} - set(names)),
    )


def _parts(results: Results) -> list[dict[str, Any]]:
    """Of each question that has an answer: its key, tables and drawn figures."""
    every = [*tables.extras(results), cost.table(results)]
    files = {name: results.figures / f"{name}.png" for name in FIGURES}
    parts = [
        {
            "key": key,
            "question": question,
            "tables": [table for table in every if table.section == key],
            "figures": [(n, FIGURES[n], _data_uri(f)) for n, f in files.items() if FIGURES[n].section == key and f.exists()],
        }
        for key, question in SECTIONS.items()
    ]
    return [part for part in parts if part["tables"] or part["figures"]]


def _data_uri(file: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(file.read_bytes()).decode()
