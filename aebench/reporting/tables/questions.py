"""One table per question with all its metrics, and one per profile with a column for each position on its axis.

Order, titles and meanings are from `aebench.evaluation.metrics`. Metrics without a value are left out.
"""

import math
from typing import TYPE_CHECKING

from aebench.evaluation.metrics import METRICS, PROFILES, Metric, Profile
from aebench.reporting import sections
from aebench.reporting.results import Results
from aebench.reporting.tables.columns import NOTHING, Column, Table, header, measures, models

if TYPE_CHECKING:
    from pandas import DataFrame


def tables(results: Results) -> list[Table]:
    """Return the tables of every section, metrics first."""
    return [table for section in sections.SECTIONS for table in (*_metrics(results, section), *_profiles(results, section))]


def profiles(results: Results) -> "DataFrame":
    """Return profiles.csv: mean, sd, half_width and n, one row per model, profile and position on its axis."""
    from pandas import DataFrame

    rows = [
        {"model": model.name, "profile": name, "position": position} | vars(estimate)
        for model in results.models
        for name, positions in model.profiles.items()
        for position, estimate in positions.items()
    ]
    return DataFrame(rows, columns=["model", "profile", "position", "mean", "sd", "half_width", "n"])


def explanation(metric: Metric | Profile) -> str:
    """Return title, unit, direction and meaning: "SSE (per image, lower is better): ..."."""
    unit = f"{metric.unit}, {metric.better} is better" if metric.better else metric.unit
    return f"{metric.title} ({unit}): {metric.meaning}"


def _metrics(results: Results, section: str) -> list[Table]:
    estimates = {name: [model.scores[name] for model in results.models] for name in sections.metrics(section)}
    names = [name for name, values in estimates.items() if not all(math.isnan(value.mean) for value in values)]
    if not names:
        return []
    note = " ".join(explanation(METRICS[name]) for name in names)
    columns = [_column(name, METRICS[name], estimates[name], results.best.get(name, ())) for name in names]
    return [Table(section, section, sections.SECTIONS[section], note, [models(results), *columns])]


def _column(name: str, metric: Metric, estimates: list, best: tuple[bool, ...]) -> Column:
    return measures(name, header(metric), estimates, metric.decimals, metric.unit, best)


def _profiles(results: Results, section: str) -> list[Table]:
    result = []
    for name in sections.profiles(section):
        profile, labels = PROFILES[name], name == "linear_probe_by_labels"
        headers = _labels(results) if labels else {p: (p, "") for model in results.models for p in model.profiles.get(name, ())}
        if not headers:
            continue
        columns = []
        for position, (text, unit) in headers.items():
            estimates = [model.profiles.get(name, {}).get(position, NOTHING) for model in results.models]
            columns.append(measures(f"{name}/{position}", text, estimates, profile.decimals, unit))
        note = f"{explanation(profile)} Columns: {profile.axis}."
        result.append(Table(name, section, profile.title, note, [models(results), *columns]))
    return result


def _labels(results: Results) -> dict[str, tuple[str, str]]:
    """Return header ("1 %" for 0.01) and unit ("13 labels") by number of labels in the settings, fewest labels first."""
    counts = {name: count for model in results.models for name, count in model.probe.labels.items()}
    headers = {name: name if " " in name else f"{100 * float(name):g} %" for name in counts}
    return {name: (headers[name], f"{count:,} labels") for name, count in sorted(counts.items(), key=lambda pair: pair[1])}
