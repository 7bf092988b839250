"""The tables: one that is measured, table.csv, and the same lines printed as Markdown, LaTeX, HTML and plain text.

Every metric of METRICS is a column of table.csv, the main ones of the comparison; questions.py has a table a question.
"""

import json
import math
import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aebench import runs
from aebench.metrics import METRICS
from aebench.reporting import claims, comparisons, cost, downstream, questions, stacked, templates
from aebench.reporting.cells import FIGURE_SPACE, LATEX, TEXT, Column, Notation, Table, aligned, scores, span
from aebench.reporting.curves import losses
from aebench.reporting.results import Results, Row, written
from aebench.reporting.templates import Latex

if TYPE_CHECKING:
    from pandas import DataFrame

HEADLINE = ("sse", "knn_5")
"""The metrics of summary.json: one for reconstruction, one for representation."""
SPANS = {"epochs": "epochs", "epoch kept": "best", "updates": "updates"}
"""Head -> field of `Cost` that has a number a seed."""
DAGGER = "†"
"""Stands beside the name of a row that is not certified."""


def write(results: Results) -> None:
    """table.csv, table.md, table.tex, comparisons.csv, profiles.csv, curves.csv and summary.json."""
    table, folder = measured(results), results.folder
    _write_csv(folder / "table.csv", table)
    _write_csv(folder / "curves.csv", losses(results).assign(lock=results.lock))
    _write_csv(folder / "comparisons.csv", comparisons.comparisons(results).assign(lock=results.lock))
    _write_csv(folder / "profiles.csv", questions.profiles(results).assign(lock=results.lock))
    facts = {"title": results.about.title, "notes": notes(results), "origin": results.origin}
    more = [{"title": t.title, "note": t.note, "table": _markdown(t.columns)} for t in extras(results)]
    text = {"table": _markdown(columns(table)), "remarks": results.remarks, "extras": more}
    templates.write(folder / "table.md", "table.md", **text, **facts)
    templates.write(folder / "table.tex", "table.tex", **_latex(columns(table, LATEX)), label=_label(results), **facts)
    runs.write_json(folder / "summary.json", summary(results))


def measured(results: Results) -> "DataFrame":
    """One line a model: certified, for every metric mean, sd, half_width and n, cost, and what it is best in."""
    from pandas import DataFrame

    marks = [{f"{name}.best": best[i] for name, best in results.leading.items()} for i in range(len(results.rows))]
    lines = [_line(row) | mark | {"lock": results.lock} for row, mark in zip(results.rows, marks, strict=True)]
    return DataFrame(lines)


def extras(results: Results) -> list[Table]:
    """The tables beside the comparison."""
    return [
        *claims.tables(results),
        *questions.tables(results),
        *downstream.tables(results),
        *stacked.tables(results),
        cost.table(results),
    ]


def columns(table: "DataFrame", notation: Notation = TEXT) -> list[Column]:
    """The measured table as it is printed: heads with the direction of better and the unit."""
    names = zip(table["model"], table["certified"], strict=True)
    return [
        Column("model", [name if certified else f"{name} {DAGGER}" for name, certified in names]),
        Column("code size", [f"{size:,}" for size in table["code"]], "right"),
        *(scores(table, name, metric, notation) for name, metric in METRICS.items() if metric.main),
        Column("parameters", [f"{count:,}" for count in table["parameters"]], "right"),
        Column("training ↓", [f"{seconds:,.2f}" for seconds in table["seconds_per_seed"]], "right", "s per seed"),
        Column("n", [str(n) for n in table["n"]], "right"),
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
        "Training: wall time of all seeds, which train together, divided by their number.",
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
        *(Column(head, [span(getattr(cost, field)) for cost in costs]) for head, field in SPANS.items()),
        Column("device", [f"{cost.device}, {cost.threads} thread{'s' * (cost.threads > 1)}" for cost in costs]),
        Column("versions", [", ".join(f"{k} {v}" for k, v in sorted(cost.versions.items())) for cost in costs]),
    ]


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
    cost = {"parameters": row.cost.parameters, "seconds_per_seed": row.cost.seconds / row.cost.seeds, "n": n}
    return {"model": row.model, "certified": row.certificate.certified, "code": row.cost.code} | estimates | cost


def _flow(block: dict[str, Any]) -> str:
    """A block on one line, as YAML would have it, without outer braces and quotes."""
    return json.dumps(block, ensure_ascii=False).replace('"', "")[1:-1]


def _markdown(printed: list[Column]) -> str:
    escaped = [replace(c, cells=[cell.replace("|", r"\|") for cell in c.cells]) for c in printed]
    return aligned([replace(c, cells=c.emphasised(_strong)) for c in escaped], "pipe")


def _strong(cell: str) -> str:
    """Bold in Markdown; what pads it stays outside."""
    text = cell.lstrip(FIGURE_SPACE)
    return f"{FIGURE_SPACE * (len(cell) - len(text))}**{text}**"


def _latex(printed: list[Column]) -> dict[str, list]:
    bold = [column.emphasised(lambda cell: Latex(rf"{{\boldmath {cell}}}")) for column in printed]
    lines = zip(*((c.head, c.unit, *cells) for c, cells in zip(printed, bold, strict=True)), strict=True)
    return {"sides": [column.side for column in printed], "lines": list(lines)}


def _label(results: Results) -> Latex:
    return Latex("tab:aebench-" + re.sub(r"[^A-Za-z0-9]+", "-", results.dataset))


def _write_csv(path: Path, table: "DataFrame") -> None:
    with runs.whole(path) as partial:
        table.to_csv(partial, index=False, lineterminator="\n")
