"""A table a question: all its metrics, then each of its profiles with a column a place.

The order and the words are those of `aebench.metrics`; a metric that no row has a number for is left out.
"""

import math
from dataclasses import asdict
from typing import TYPE_CHECKING

from aebench.metrics import METRICS, PROFILES, Metric, Profile
from aebench.reporting import sections
from aebench.reporting.cells import NOTHING, Column, Table, head, measures
from aebench.reporting.results import Results

if TYPE_CHECKING:
    from pandas import DataFrame


def tables(results: Results) -> list[Table]:
    """The tables in the order of the questions."""
    return [table for section in sections.SECTIONS for table in (*_scores(results, section), *_profiles(results, section))]


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


def _scores(results: Results, section: str) -> list[Table]:
    found = {name: [row.scores[name] for row in results.rows] for name in sections.metrics(section)}
    told = {name: METRICS[name] for name in found if not all(math.isnan(e.mean) for e in found[name])}
    columns = [
        measures(name, head(m), found[name], m.decimals, m.unit, results.leading.get(name, ())) for name, m in told.items()
    ]
    if not told:
        return []
    return [
        Table(section, section, sections.SECTIONS[section], " ".join(map(line, told.values())), [_models(results), *columns])
    ]


def _profiles(results: Results, section: str) -> list[Table]:
    found = []
    for name in sections.profiles(section):
        profile = PROFILES[name]
        places = dict.fromkeys(place for row in results.rows for place in row.profiles.get(name, ()))
        if places:
            every = {place: [row.profiles.get(name, {}).get(place, NOTHING) for row in results.rows] for place in places}
            columns = [measures(f"{name}/{place}", place, estimates, profile.decimals) for place, estimates in every.items()]
            note = f"{line(profile)} Columns: {profile.axis}."
            found.append(Table(name, section, profile.title, note, [_models(results), *columns]))
    return found


def _models(results: Results) -> Column:
    return Column("model", [row.model for row in results.rows])
