"""Detection of anomalies: one panel per score, with the AUROC of each model by anomaly."""

from typing import TYPE_CHECKING

import numpy as np

from aebench.evaluation.metrics.anomalies import SCORES
from aebench.reporting.figures import canvas
from aebench.reporting.figures.base import ReportFigure
from aebench.reporting.figures.studies import MARKERS, PREFIX
from aebench.reporting.results import Results, StudyResults
from aebench.reporting.tables.anomalies import named
from aebench.studies import Anomalies

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MEASURE = "auroc"
SPREAD = 0.7
"""Width in which the points of all models at an anomaly are placed side by side."""


def figures(results: Results) -> dict[str, ReportFigure]:
    """Return one figure per study of anomalies."""
    found = {name: each for name, each in results.studies.items() if isinstance(each.settings, Anomalies)}
    return {PREFIX + name: _figure(study) for name, study in found.items()}


def _figure(study: StudyResults) -> ReportFigure:
    def draw(results: Results) -> "Figure":
        return _draw(study, results)

    alt = f"Points with intervals, one panel per score ({', '.join(SCORES.values())}), one colour per model: AUROC by anomaly."
    protocol = "AUROC by anomaly: a class that was left out, or other images. Mean and 95 % interval over seeds."
    return ReportFigure(draw, study.settings.question, alt, f"{protocol} {study.settings.note}")


def _draw(study: StudyResults, results: Results) -> "Figure":
    """Draw one panel per score, one below the other; models without the score are left out of its panel."""
    drawing, panels = canvas.panels(len(SCORES), across=1, height=1.9, margin=1.2, sharex=True)
    positions = list(dict.fromkeys(position for points in study.samples.values() for position in points))
    places = np.linspace(-SPREAD / 2, SPREAD / 2, len(study.samples))
    styles = list(zip(study.samples, places, canvas.colours(len(study.samples)), MARKERS * len(study.samples), strict=False))
    for axes, (score, title) in zip(panels, SCORES.items(), strict=True):
        for series, place, colour, marker in styles:
            _draw_series(axes, study, series, positions, f"{score}/{MEASURE}", place, color=colour, marker=marker)
        axes.axhline(0.5, color=canvas.GREY, linewidth=0.8, linestyle=":")
        axes.set(title=title, ylabel="AUROC", ylim=(min(0.0, axes.get_ylim()[0]), 1.02))
        axes.set_xticks(range(len(positions)), [named(position, results) for position in positions])
    drawing.legend(*panels[0].get_legend_handles_labels(), loc="outside right upper")
    drawing.supxlabel(study.settings.axis)
    return drawing


def _draw_series(
    axes: "Axes", study: StudyResults, series: str, positions: list[str], quantity: str, place: float, **style
) -> None:
    """Plot the means and their 95 % intervals next to those of other models."""
    estimates = {x: study.estimate(series, position, quantity) for x, position in enumerate(positions)}
    shown = [(x + place, each.mean, each.half_width) for x, each in estimates.items() if each and np.isfinite(each.mean)]
    if shown:
        x, means, halves = np.array(shown).T
        axes.errorbar(x, means, np.nan_to_num(halves), linestyle="", markersize=4, linewidth=1.2, label=series, **style)
