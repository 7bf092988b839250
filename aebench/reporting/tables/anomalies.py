"""Detection of anomalies: a table with a row per model, the mean over the classes left out, and one with a row per anomaly."""

import numpy as np

from aebench.reporting.results import Results, StudyResults
from aebench.reporting.tables.columns import ARROWS, NOTHING, Column, Table, measures
from aebench.statistics import Estimate, over_seeds
from aebench.studies import Anomalies

MEAN = (
    "For each seed, values are averaged over the classes left out ({classes}). Means and 95 % intervals are over seeds, for "
    "these classes."
)


def tables(results: Results) -> list[Table]:
    """Return two tables per study of anomalies."""
    found = {name: each for name, each in results.studies.items() if isinstance(each.settings, Anomalies)}
    return [table for name, each in found.items() for table in (_means(name, each, results), _by_anomaly(name, each, results))]


def named(position: str, results: Results) -> str:
    """Return the name of an anomaly: a number is replaced by the name of the class, other names are unchanged."""
    return results.about.classes[int(position)] if position.isdigit() else position


def over_classes(study: StudyResults, series: str, quantity: str) -> Estimate:
    """Return the mean over classes, then over the seeds with a value for each class."""
    points = study.samples[series]
    values = np.mean([points[str(each)][quantity] for each in study.settings.classes], axis=0)
    return over_seeds(values, np.isfinite(values).tolist())


def _means(name: str, study: StudyResults, results: Results) -> Table:
    rows = list(study.samples)
    columns = [Column("model", rows), *_measures(study, [[over_classes(study, s, q) for s in rows] for q in study.quantities])]
    classes = ", ".join(named(str(each), results) for each in study.settings.classes)
    note = f"{MEAN.format(classes=classes)} {study.settings.note}"
    return Table(f"study_{name}", "anomalies", study.settings.question, note, columns, name, tuple(rows))


def _by_anomaly(name: str, study: StudyResults, results: Results) -> Table:
    points = [(series, position) for series, positions in study.samples.items() for position in positions]
    anomalies = [named(position, results) for _, position in points]
    columns = [Column("model", [series for series, _ in points]), Column(study.settings.axis, anomalies)]
    estimates = [[study.estimate(*point, quantity) or NOTHING for point in points] for quantity in study.quantities]
    rows = tuple(f"{series}/{position}" for series, position in points)
    title = f"{study.settings.question} By anomaly"
    return Table(
        f"study_{name}_by_anomaly", "anomalies", title, study.settings.note, columns + _measures(study, estimates), name, rows
    )


def _measures(study: StudyResults, estimates: list[list[Estimate]]) -> list[Column]:
    """Return one column per quantity, in the order of the study."""
    shown = {quantity: study.settings.describe(quantity) for quantity in study.quantities}
    return [
        measures(f"study/{quantity}", f"{text.title} {ARROWS['higher']}", each, text.decimals, text.unit)
        for (quantity, text), each in zip(shown.items(), estimates, strict=True)
    ]
