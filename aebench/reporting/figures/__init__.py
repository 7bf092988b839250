"""The figures of a data set's report: one file per section of the page.

To add a figure, write a function of `Results` and its entry in `FIGURES` in the file of its section.
"""

from functools import partial

from tqdm import tqdm

from aebench.reporting.figures import (
    anomalies,
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
    studies,
)
from aebench.reporting.figures.base import ReportFigure
from aebench.reporting.results import Results
from aebench.training.parallel import cores, parallel_map

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


def figures(results: Results) -> dict[str, ReportFigure]:
    """Return the figures of every report, and one per study of this data set."""
    return FIGURES | anomalies.figures(results) | studies.figures(results)


def write(results: Results) -> None:
    """Write figures/<name>.png and pdf/<name>.pdf in reports/<dataset>/, or remove them where there is nothing to show."""
    names = list(figures(results))
    list(tqdm(parallel_map(partial(_write, results), names, cores()), total=len(names), desc="drawing", unit="figure"))


def _write(results: Results, name: str) -> None:
    figure, shown = figures(results)[name], results.measured
    files = (results.figures / f"{name}.png", results.pdf / f"{name}.pdf")
    with canvas.style():
        canvas.publish(figure.draw(shown) if shown.models else None, files, f"{results.about.title}: {figure.title}")
