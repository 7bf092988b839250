"""A table a question: all its metrics, then each of its profiles with a column a place.

The order and the words are those of `aebench.metrics`; a metric that no row has a number for is left out.
"""

import math
from dataclasses import asdict
from typing import TYPE_CHECKING

from aebench.metrics import METRICS, PROFILES, Metric, Profile, question
from aebench.reporting.cells import NOTHING, TEXT, Column, Table, cells, head
from aebench.reporting.results import Results

if TYPE_CHECKING:
    from pandas import DataFrame


def tables(results: Results) -> list[Table]:
    """The tables in the order of the questions."""
    names = list(dict.fromkeys(question(name) for name in (*METRICS, *PROFILES)))
    return [table for asked in names for table in (*_scores(results, asked), *_profiles(results, asked))]


def profiles(results: Results) -> "DataFrame":
    """One line a model, profile and place: mean, sd, half_width and n."""
    from pandas import DataFrame

    keys = ["model", "profile", "place", "mean", "sd", "half_width", "n"]
    lines = [
        {"model": row.model, "profile": name, "place": place} | asdict(estimate)
        for row in results.rows
        for name, places in row.profiles.items()
        for place, estimate in places.items()
    ]
    return DataFrame(lines, columns=keys)


def line(metric: Metric | Profile) -> str:
    """What a metric means: "SSE (per image, lower is better): ..."."""
    judged = f"{metric.unit}, {metric.better} is better" if metric.better else metric.unit
    return f"{metric.title} ({judged}): {metric.meaning}"


def _scores(results: Results, asked: str) -> list[Table]:
    metrics = {name: metric for name, metric in METRICS.items() if question(name) == asked}
    found = {name: [row.scores[name] for row in results.rows] for name in metrics}
    told = {name: metric for name, metric in metrics.items() if not all(math.isnan(e.mean) for e in found[name])}
    columns = [
        Column(head(m), cells(found[name], m.decimals, TEXT), unit=m.unit, best=results.leading.get(name, ()))
        for name, m in told.items()
    ]
    return [Table(asked, " ".join(map(line, told.values())), [_models(results), *columns])] if told else []


def _profiles(results: Results, asked: str) -> list[Table]:
    found = []
    for name, profile in PROFILES.items():
        places = dict.fromkeys(place for row in results.rows for place in row.profiles.get(name, ()))
        if question(name) == asked and places:
            every = {place: [row.profiles.get(name, {}).get(place, NOTHING) for row in results.rows] for place in places}
            columns = [Column(place, cells(estimates, profile.decimals, TEXT)) for place, estimates in every.items()]
            note = f"{line(profile)} Columns: {profile.axis}."
            found.append(Table(profile.title, note, [_models(results), *columns]))
    return found


def _models(results: Results) -> Column:
    return Column("model", [row.model for row in results.rows])
