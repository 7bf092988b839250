"""Studies: one figure each, with one panel per quantity and one line per series."""

from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from aebench.reporting.figures import canvas
from aebench.reporting.figures.base import ReportFigure
from aebench.reporting.results import Results, StudyResults
from aebench.studies import Anomalies

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PREFIX = "study_"
"""The figure of a study is called study_<study>."""
MARKERS = "os^vDPX*"
SHORT = 2
"""Maximum number of characters of labels that are not rotated."""
TITLE = 32
"""Maximum number of characters of a line of a panel's title."""


def figures(results: Results) -> dict[str, ReportFigure]:
    """Return one figure per study except those of anomalies."""
    return {PREFIX + name: _figure(each) for name, each in results.studies.items() if not isinstance(each.settings, Anomalies)}


def _figure(study: StudyResults) -> ReportFigure:
    def draw(results: Results) -> "Figure":
        return _draw(study)

    samples = [values for by in study.samples.values() for each in by.values() for values in each.values()]
    seeds = max(np.count_nonzero(~np.isnan(values)) for values in samples)
    titles = ", ".join(study.settings.describe(quantity).title for quantity in study.quantities)
    alt = f"Plots against {study.settings.axis}, one line per series: {titles}."
    caption = f"{study.settings.note} Mean and 95 % interval over seeds (n = {seeds})."
    return ReportFigure(draw, study.settings.question, alt, caption)


def _draw(study: StudyResults) -> "Figure":
    """Draw one panel per quantity, three or four per row."""
    count = len(study.quantities)
    figure, panels = canvas.panels(count, across=min(count, 4 if count % 4 == 0 or count > 6 else 3), height=2.1, sharex=True)
    colours = canvas.colours(len(study.samples))
    for axes, quantity in zip(panels, study.quantities, strict=True):
        shown = study.settings.describe(quantity)
        for series, colour, marker in zip(study.samples, colours, MARKERS * len(study.samples), strict=False):
            _draw_series(axes, study, series, quantity, color=colour, marker=marker)
        axes.set_title(fill(f"{shown.title} ({shown.unit})", TITLE), fontsize="small")
    positions = sorted({position for series in study.samples for position in map(float, study.samples[series])})
    if positions[0] > 0 and positions[-1] >= 10 * positions[0]:
        panels[0].set_xscale("log")
    labels = [f"{position:,g}" for position in positions]
    for axes in panels:
        axes.minorticks_off()
        axes.set_xticks(positions, labels, fontsize="x-small", rotation=60 if max(map(len, labels)) > SHORT else 0)
    canvas.legend(figure, panels[0])
    figure.supxlabel(study.settings.axis)
    return figure


def _draw_series(axes: "Axes", study: StudyResults, series: str, quantity: str, **style) -> None:
    """Plot the means and their 95 % intervals."""
    positions, estimates = study.curve(series, quantity)
    means, halves = (np.array([getattr(each, field) for each in estimates]) for field in ("mean", "half_width"))
    axes.plot(positions, means, markersize=3, linewidth=1.2, label=series, **style)
    axes.fill_between(positions, means - halves, means + halves, color=style["color"], alpha=0.2, linewidth=0)
