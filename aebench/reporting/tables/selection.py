"""A table for a manuscript: chosen models and metrics of a report, in LaTeX, with a short note. It reads files in Git only."""

import re
from typing import TYPE_CHECKING

from aebench import storage
from aebench.errors import InputError, unknown
from aebench.evaluation.metrics import METRICS, PROFILES
from aebench.reporting import templates, terminal
from aebench.reporting.tables import formats
from aebench.reporting.tables.columns import Column, counts, header, measures, scores
from aebench.reporting.tables.written import read
from aebench.reporting.templates import Latex
from aebench.statistics import Estimate

if TYPE_CHECKING:
    from pandas import DataFrame

COUNTS = {"latent_dim": "latent dim", "parameters": "parameters", "n": "seeds"}
BOLD = (
    "Bold: the best of all reported models with the same latent dimension, and those that do not differ significantly from it "
    "(paired t tests, Holm's correction, 5 %). A model that is alone at its latent dimension is never bold."
)


def latex(dataset: str, models: list[str], metrics: list[str], caption: str = "", label: str = "") -> str:
    """Return a LaTeX table with one row per model and one column per metric, both in the order given; empty: as in the report.

    A metric is a name in `METRICS`, <profile>/<position>, or one of latent_dim, parameters and n; `caption` and `label` are
    LaTeX. Raises `InputError` for an unknown data set, model or metric.
    """
    if dataset not in (known := terminal.reports()):
        raise terminal.no_report(dataset, known)
    table = read(storage.REPORTS / dataset / "table.csv", "model").set_index("model", drop=False)
    for option, names in {"--models": models, "--metrics": metrics}.items():
        if twice := [name for name in names if names.count(name) > 1]:
            raise InputError(f"{option} must not contain duplicates, got {twice[0]} {names.count(twice[0])} times")
    for name in models:
        if name not in table.index:
            raise unknown(f"--models (in reports/{dataset}/table.csv)", name, table.index)
    frame = table.loc[models or list(table.index)].reset_index(drop=True)
    chosen = metrics or [name for name, metric in METRICS.items() if metric.main]
    columns = [Column("model", frame["model"].tolist()), *(_column(frame, dataset, name) for name in chosen)]
    plain = Latex(re.sub(r"[^A-Za-z0-9]+", "-", f"{dataset}-{'-'.join(chosen[:3])}"))
    values = formats.latex(columns)
    units = any(column.unit for column in columns)
    values["rows"] = [row for i, row in enumerate(values["rows"]) if i != 1 or units]
    return templates.render(
        "selection.tex",
        dataset=dataset,
        caption=Latex(caption) if caption else f"{dataset}: {', '.join(each.header for each in columns[1:])}.",
        headers=1 + units,
        label=Latex(label) if label else Latex(f"tab:{plain}"),
        note=_note(columns, frame, values["bold"]),
        **values,
    )


def _note(columns: list[Column], frame: "DataFrame", bold: str) -> str:
    """Return two sentences: what ± is, and what bold numbers are, if there are any."""
    seeds = int(frame["n"].max())
    intervals = any(value.half_width == value.half_width for column in columns for value in column.values)
    first = f"Mean ± half-width of the 95 % confidence interval over {seeds} seeds; a deterministic model has one value."
    return f"{first if intervals else 'Means on test images.'}{f' {BOLD}' if bold else ''}"


def _column(frame: "DataFrame", dataset: str, name: str) -> Column:
    if name in COUNTS:
        return counts(name, COUNTS[name], frame[name])
    if name in METRICS:
        return scores(frame, name, METRICS[name])
    profile, _, position = name.partition("/")
    if profile not in PROFILES:
        raise unknown("--metrics", name, [*METRICS, *COUNTS, *(f"{each}/<position>" for each in PROFILES)])
    rows = read(storage.REPORTS / dataset / "profiles.csv", "model", "profile", "position")
    rows = rows[rows["profile"] == profile]
    if position not in (positions := rows["position"].unique().tolist()):
        raise unknown(f"--metrics {profile}/", position, positions)
    rows = rows[rows["position"] == position].set_index("model").reindex(frame["model"])
    fields = rows[["mean", "sd", "half_width", "n"]].to_numpy()
    estimates = [Estimate(*map(float, row[:3]), 0 if row[3] != row[3] else int(row[3])) for row in fields]
    return measures(
        name, f"{header(PROFILES[profile])}, {position}", estimates, PROFILES[profile].decimals, PROFILES[profile].unit
    )
