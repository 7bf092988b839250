"""Figures that belong to no data set: the probability theory behind variational autoencoders.

The stage `index` writes them to reports/lecture/<figure>.png and .pdf.
"""

from aebench import storage
from aebench.reporting.figures import canvas
from aebench.reporting.figures.base import ReportFigure
from aebench.reporting.lecture import divergences, ring

FOLDER = storage.REPORTS / "lecture"
LECTURE: dict[str, ReportFigure] = ring.FIGURES | divergences.FIGURES


def write() -> None:
    """Write every figure."""
    for name, figure in LECTURE.items():
        with canvas.style():
            files = [FOLDER / f"{name}.{ending}" for ending in ("png", "pdf")]
            canvas.publish(figure.draw(), files, figure.title)
