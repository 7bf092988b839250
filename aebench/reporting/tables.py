"""The tables: one that is measured, table.csv, the comparison of its main columns, and those beside it.

table.csv has every metric of METRICS and table.md every table; tables/ has each alone, as CSV, Markdown and LaTeX, and
numbers.tex a macro for every number in them. All of them are the same, byte for byte, when the same rows are made again on the
same machine. Seconds and memory, which are not, stand in tables/cost alone, with macros in timings.tex.
"""

import json
import math
import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aebench import params, runs
from aebench.metrics import METRICS
from aebench.reporting import claims, comparisons, cost, downstream, forms, questions, stacked, templates
from aebench.reporting.cells import DAGGER, FIGURE_SPACE, Column, Table, aligned, counts, scores, span
from aebench.reporting.curves import losses
from aebench.reporting.results import Results, Row, written
from aebench.reporting.templates import Latex

if TYPE_CHECKING:
    from pandas import DataFrame

HEADLINE = ("sse", "knn_5")
"""The metrics of summary.json: one for reconstruction, one for representation."""
SPANS = {"epochs": "epochs", "epoch kept": "best", "updates": "updates"}
"""Head -> field of `Cost` that has a number a seed."""


def write(results: Results) -> None:
    """table.csv, table.md, tables/, numbers.tex, timings.tex, comparisons.csv, profiles.csv, curves.csv and summary.json."""
    table, folder = measured(results), results.folder
    comparison, more, spent = comparing(results, table), extras(results), cost.table(results)
    _write_csv(folder / "table.csv", table)
    _write_csv(folder / "curves.csv", losses(results).assign(lock=results.lock))
    _write_csv(folder / "comparisons.csv", comparisons.comparisons(results).assign(lock=results.lock))
    _write_csv(folder / "profiles.csv", questions.profiles(results).assign(lock=results.lock))
    for each in (comparison, *more, spent):
        _write_alone(results, each)
    facts = {"title": results.about.title, "notes": notes(results), "remarks": results.remarks, "origin": results.origin}
    printed = [{"title": t.title, "note": t.note, "table": forms.markdown(t.columns)} for t in more]
    templates.write(folder / "table.md", "table.md", table=forms.markdown(comparison.columns), extras=printed, **facts)
    for name, printing in {"numbers": (comparison, *more), "timings": (spent,)}.items():
        macros = dict.fromkeys(macro for each in printing for macro in forms.macros(each))
        templates.write(folder / f"{name}.tex", "numbers.tex", results=results, name=name, numbers=macros)
    runs.write_json(folder / "summary.json", summary(results))


def measured(results: Results) -> "DataFrame":
    """One line a model: certified, for every metric mean, sd, half_width and n, cost, and what it is best in."""
    from pandas import DataFrame

    marks = [{f"{name}.best": best[i] for name, best in results.leading.items()} for i in range(len(results.rows))]
    lines = [_line(row) | mark | {"lock": results.lock} for row, mark in zip(results.rows, marks, strict=True)]
    return DataFrame(lines)


def extras(results: Results) -> list[Table]:
    """The tables beside the comparison, but for that of costs."""
    return [
        *claims.tables(results),
        *questions.tables(results),
        *downstream.tables(results),
        *stacked.tables(results),
    ]


def comparing(results: Results, table: "DataFrame") -> Table:
    """The main columns of the measured table."""
    return Table("comparison", "comparison", "Comparison", " ".join(notes(results)), columns(table))


def columns(table: "DataFrame") -> list[Column]:
    """The measured table as it is printed: heads with the direction of better and the unit."""
    names = zip(table["model"], table["certified"], strict=True)
    return [
        Column("model", [name if certified else f"{name} {DAGGER}" for name, certified in names]),
        counts("code", "code size", table["code"]),
        *(scores(table, name, metric) for name, metric in METRICS.items() if metric.main),
        counts("parameters", "parameters", table["parameters"]),
        counts("n", "n", table["n"]),
    ]


def notes(results: Results) -> list[str]:
    """What the table's columns and signs mean, a line each."""
    alone = "n = 1: a model without randomness, whose value is exact but for the draw of the corruption, and has no interval."
    how = results.evaluation
    return [
        *uncertified(results),
        *(questions.line(m) for m in METRICS.values() if m.main),
        f"Images are corrupted by {how.noise.replace('_', ' ')} at level {how.corruption}: one draw a seed, the same for every "
        f"model. Jacobians are of the first {how.jacobian_images} test images.",
        *judged(results),
        "±: half-width of the mean's 95 % interval over n seeds (Student); it covers the choice of seed, not of test images.",
        alone if len(results.seeds) > 1 else "Only one seed was run: intervals are not known.",
        "Epochs and hyper-parameters were chosen on validation images alone; test images were only measured.",
        comparisons.NOTE if len(results.seeds) > 1 else "No row is marked as best: with one seed no difference can be tested.",
    ]


def judged(results: Results) -> list[str]:
    """A line on the features in which generated images were measured."""
    if results.judge is None:
        return []
    name, accuracy = results.judge["name"], results.judge["accuracy"]
    return [
        f"Generated images are measured in the features of judge {name}, a classifier that knows {accuracy:.2f} % of the "
        "validation images: distances by another judge do not compare."
    ]


def uncertified(results: Results) -> list[str]:
    """A line a reason why rows are not certified, with their names if there are several reasons."""
    reasons: dict[str, list[str]] = {}
    for row in results.rows:
        if not row.certificate.certified:
            reason = "; ".join(row.certificate.failures) or "aebench certify has not run"
            reasons.setdefault(reason, []).append(row.model)
    several = len(reasons) > 1
    return [f"{DAGGER}{' ' * several}{', '.join(rows * several)}: not certified: {why}." for why, rows in reasons.items()]


def recipes(results: Results) -> list[Column]:
    """How each row was made: its settings, how long it trained and on what."""
    costs = [row.cost for row in results.rows]
    return [
        Column("model", [row.model for row in results.rows]),
        Column("settings", [_flow(row.block) for row in results.rows]),
        Column("facts", [_flow(cost.facts) for cost in costs]),
        Column("again", [f"dvc repro {_stage(results, row)}" for row in results.rows]),
        *(Column(head, [span(getattr(cost, field)) for cost in costs]) for head, field in SPANS.items()),
        Column("device", [f"{cost.device}, {cost.threads} thread{'s' * (cost.threads > 1)}" for cost in costs]),
        Column("versions", [", ".join(f"{k} {v}" for k, v in sorted(cost.versions.items())) for cost in costs]),
    ]


def _stage(results: Results, row: Row) -> str:
    """The stage that measures a row, after those that make it."""
    pretrained = params.dataset(results.dataset).part(row.model) == "stacks"
    return f"evaluate{'_stack' * pretrained}@{results.dataset}-{row.model}"


def summary(results: Results) -> dict[str, dict[str, float]]:
    """Model -> headline metric -> mean, for `dvc metrics show`; JSON knows neither NaN nor infinity, so they are left out."""
    means = {row.model: {name: row.scores[name].mean for name in HEADLINE} for row in results.rows}
    return {model: {k: v for k, v in each.items() if math.isfinite(v)} for model, each in means.items()}


def terminal(dataset: str) -> str:
    """reports/<dataset>/table.csv as aligned plain text."""
    from pandas import read_csv

    file = written(runs.REPORTS / dataset / "table.csv")
    table = read_csv(file, dtype={"model": str}, keep_default_na=False, na_values=[""])
    why = "" if table["certified"].all() else f"\n\n{DAGGER} not certified: {file.with_suffix('.md')} says why"
    return aligned(columns(table), "simple", "{head}\n{unit}").replace(FIGURE_SPACE, " ") + why


def _line(row: Row) -> dict:
    estimates = {f"{name}.{field}": value for name, e in row.scores.items() for field, value in asdict(e).items()}
    n = next(iter(row.scores.values())).n
    counted = {"parameters": row.cost.parameters, "n": n}
    return {"model": row.model, "certified": row.certificate.certified, "code": row.cost.code} | estimates | counted


def _flow(block: dict[str, Any]) -> str:
    """A block on one line, as YAML would have it, without outer braces and quotes."""
    return json.dumps(block, ensure_ascii=False).replace('"', "")[1:-1]


def _write_alone(results: Results, table: Table) -> None:
    """tables/<name>.csv, .md and .tex."""
    path = results.folder / "tables" / table.name
    _write_csv(path.with_suffix(".csv"), forms.frame(table).assign(lock=results.lock))
    facts = {"table": table, "results": results, "origin": results.origin}
    templates.write(path.with_suffix(".md"), "alone.md", printed=forms.markdown(table.columns), **facts)
    templates.write(path.with_suffix(".tex"), "table.tex", **forms.latex(table.columns), label=_label(results, table), **facts)


def _label(results: Results, table: Table) -> Latex:
    return Latex("tab:aebench-" + re.sub(r"[^A-Za-z0-9]+", "-", f"{results.dataset}-{table.name}"))


def _write_csv(path: Path, table: "DataFrame") -> None:
    with runs.whole(path) as partial:
        table.to_csv(partial, index=False, lineterminator="\n")
