"""The figures of a data set's report: one file per section of the page.

To add a figure, write a function of `Results` and its entry in `FIGURES` in the file of its section.
"""

from aebench.reporting.figures import (
    canvas,
    compression,
    contraction,
    cost,
    data,
    density,
    embedding,
    filters,
    generation,
    learning,
    linear_probe,
    reconstruction,
    retrieval,
    robustness,
    sparsity,
)
from aebench.reporting.figures.base import ReportFigure
from aebench.reporting.results import Results

FILES = (
    reconstruction,
    robustness,
    compression,
    linear_probe,
    retrieval,
    embedding,
    sparsity,
    contraction,
    generation,
    density,
    filters,
    learning,
    cost,
    data,
)
FIGURES: dict[str, ReportFigure] = {name: figure for file in FILES for name, figure in file.FIGURES.items()}
"""File name -> figure, in the order of the page."""


def write(results: Results) -> None:
    """Write figures/<name>.png and pdf/<name>.pdf in reports/<dataset>/, or remove them where there is nothing to show."""
    for name, figure in FIGURES.items():
        files = (results.figures / f"{name}.png", results.prints / f"{name}.pdf")
        with canvas.style():
            canvas.publish(figure.draw(results), files, f"{results.about.title}: {figure.title}")
