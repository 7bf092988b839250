"""One table per study, with one row per series and position."""

from aebench.reporting.results import Results, StudyResults
from aebench.reporting.tables.columns import NOTHING, Column, Table, measures
from aebench.studies import Anomalies


def tables(results: Results) -> list[Table]:
    """Return the tables of all studies except those of anomalies."""
    return [_table(name, each) for name, each in results.studies.items() if not isinstance(each.settings, Anomalies)]


def _table(name: str, study: StudyResults) -> Table:
    points = [(series, position) for series, positions in study.samples.items() for position in positions]
    columns = [
        Column("series", [series for series, _ in points]),
        Column(study.settings.axis, [position for _, position in points], "right"),
    ]
    for quantity in study.quantities:
        estimates = [study.estimate(series, position, quantity) or NOTHING for series, position in points]
        shown = study.settings.describe(quantity)
        columns.append(measures(f"study/{quantity}", shown.title, estimates, shown.decimals, shown.unit))
    rows = tuple(f"{series}/{position}" for series, position in points)
    return Table(f"study_{name}", "studies", study.settings.question, study.settings.note, columns, name, rows)
