"""The tables of a report: comparison of all models, claims, one table per question and per profile, pretraining and cost.

`table.csv` has every metric and `table.md` every table; `tables/` has one file per table and format (CSV, Markdown,
LaTeX), and `numbers.tex` a macro for every number. Retraining the same models on the same machine reproduces these files byte
for byte. Seconds and memory, which vary, are only in `tables/cost.*` and `timings.tex`.
"""

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from aebench import storage
from aebench.reporting import templates
from aebench.reporting.figures.learning import losses
from aebench.reporting.results import Results
from aebench.reporting.tables import (
    anomalies,
    claims,
    comparison,
    cost,
    formats,
    pairwise,
    questions,
    remarks,
    stacked,
    studies,
)
from aebench.reporting.tables.columns import Table
from aebench.reporting.templates import Latex

if TYPE_CHECKING:
    from pandas import DataFrame


def write(results: Results) -> None:
    """Write table.csv, table.md, tables/, numbers.tex, timings.tex, comparisons, profiles and curves.csv, and summary.json."""
    folder, (first, *others), costs = results.folder, tables(results), cost.table(results)
    _write_csv(folder / "table.csv", comparison.measured(results))
    _write_csv(folder / "curves.csv", losses(results))
    _write_csv(folder / "comparisons.csv", pairwise.comparisons(results))
    _write_csv(folder / "profiles.csv", questions.profiles(results))
    for table in (first, *others, costs):
        _write_single_table(results, table)
    printed = {table.name: formats.markdown(table.columns) for table in (first, *others)}
    texts = {"notes": comparison.notes(results), "remarks": remarks.texts(results, [first, *others])}
    templates.write(folder / "table.md", "table.md", results=results, first=first, others=others, printed=printed, **texts)
    for name, included in {"numbers": (first, *others), "timings": (costs,)}.items():
        macros = dict.fromkeys(macro for table in included for macro in formats.macros(table))
        templates.write(folder / f"{name}.tex", "numbers.tex", results=results, name=name, numbers=macros)
    storage.write_json(folder / "summary.json", comparison.summary(results))


def tables(results: Results) -> list[Table]:
    """Return all tables except that of cost, the comparison first."""
    external = comparison.external(results)
    return [
        comparison.table(results),
        *claims.tables(results),
        *(replace(table, note=" ".join([table.note, *external])) for table in questions.tables(results)),
        *stacked.tables(results),
        *anomalies.tables(results),
        *studies.tables(results),
    ]


def _write_single_table(results: Results, table: Table) -> None:
    """Write tables/<name>.csv, .md and .tex."""
    path, values = results.folder / "tables" / table.name, {"results": results, "table": table}
    _write_csv(path.with_suffix(".csv"), formats.frame(table))
    templates.write(path.with_suffix(".md"), "single_table.md", printed=formats.markdown(table.columns), **values)
    label = Latex("tab:aebench-" + re.sub(r"[^A-Za-z0-9]+", "-", f"{results.dataset}-{table.name}"))
    templates.write(path.with_suffix(".tex"), "table.tex", label=label, **formats.latex(table.columns), **values)


def _write_csv(path: Path, table: "DataFrame") -> None:
    with storage.atomic_write(path) as partial:
        table.to_csv(partial, index=False, lineterminator="\n")
