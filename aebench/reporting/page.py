"""The page: a section a data set, and all sections joined into one file that needs no other."""

import base64
from pathlib import Path

from aebench import params, runs
from aebench.reporting import tables, templates
from aebench.reporting.figures import FIGURES
from aebench.reporting.results import Results, written

INDEX = runs.REPORTS / "index.html"


def section_file(dataset: str) -> Path:
    """Where a data set's section waits to be joined; the index holds it again, so it is not among the reports."""
    return runs.RUNS / "pages" / f"{dataset}.html"


def write(results: Results) -> None:
    """The data set's section: its card, tables, notes and the figures that were drawn."""
    images = {name: results.figures / f"{name}.png" for name in FIGURES}
    splits = results.card.get("splits", {})
    templates.write(
        section_file(results.dataset),
        "section.html",
        results=results,
        counts={name: splits[name]["images"] for name in runs.SPLITS if name in splits},
        columns=tables.columns(tables.measured(results)),
        notes=tables.notes(results),
        extras=tables.extras(results),
        recipes=tables.recipes(results),
        figures=[(FIGURES[name], _data_uri(file)) for name, file in images.items() if file.exists()],
    )


def write_index() -> None:
    """reports/index.html: the sections of the suite's data sets, and which others could be run."""
    from markupsafe import Markup

    names = params.suite().datasets
    templates.write(
        INDEX,
        "index.html",
        sections={name: Markup(written(section_file(name)).read_text(encoding="utf-8")) for name in names},
        others=sorted({file.stem for file in params.CONF.glob("*.yaml")} - set(names)),
    )


def _data_uri(file: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(file.read_bytes()).decode()
