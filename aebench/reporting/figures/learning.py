"""Learning curves, as a table and as a figure.

Models have different loss terms, so panels share the axis of epochs but not that of losses. Seeds may stop early: a curve
ends where fewer than half of the seeds are still training, because their median would not be comparable.
"""

import math
from itertools import product
from typing import TYPE_CHECKING

from aebench.reporting.figures import canvas
from aebench.reporting.figures.base import ReportFigure
from aebench.reporting.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas import DataFrame

STYLES = {"train": {"color": canvas.ORANGE, "linestyle": "--"}, "validation": {"color": canvas.BLUE}}
DIGITS = 6
"""Number of significant digits of a loss: enough for plots, few enough for a file in Git."""


def losses(results: Results) -> "DataFrame":
    """Return one row per model, split, seed and epoch with a finite loss; splits without a recorded loss are omitted."""
    from pandas import DataFrame

    lines = [
        (model.name, split, int(seed), int(epoch), float(f"{loss:.{DIGITS}g}"))
        for model, split in product(results.models, STYLES)
        if f"{split}.loss" in model.history
        for seed, epoch, loss in zip(*(model.history[name] for name in ("seed", "epoch", f"{split}.loss")), strict=True)
        if math.isfinite(loss)
    ]
    return DataFrame(lines, columns=["model", "split", "seed", "epoch", "loss"])


def learning_curves(results: Results) -> "Figure | None":
    """Draw one panel per model that trains by epochs: median and range of the loss over seeds."""
    table = losses(results)
    if table.empty:
        return None
    models = table.groupby("model", sort=False)
    figure, panels = canvas.panels(len(models), across=4, height=1.9, sharex=True)
    for axes, (model, lines) in zip(panels, models, strict=True):
        axes.set(title=model, xscale="log")
        canvas.plain_ticks(axes.xaxis)
        _draw(axes, lines)
    panels[0].set_xticks(_ticks(table["epoch"].max()))
    canvas.legend(figure, panels[0])
    figure.supxlabel("epoch")
    figure.supylabel("loss per image")
    return figure


def _draw(axes: "Axes", table: "DataFrame") -> None:
    for split, lines in table.groupby("split"):
        epochs = lines.groupby("epoch")["loss"]
        loss = epochs.agg(["median", "min", "max"])[epochs.count() * 2 >= lines["seed"].nunique()]
        axes.fill_between(loss.index, loss["min"], loss["max"], color=STYLES[split]["color"], alpha=0.2, linewidth=0)
        axes.plot(loss.index, loss["median"], label=split, linewidth=1.2, **STYLES[split])


def _ticks(last: int) -> list[int]:
    """Return 1, 10, 100, ... and the last epoch, without powers so close to it that labels would overlap."""
    return [10**k for k in range(len(str(last))) if 10**k <= last / 4] + [last]


FIGURES = {
    "learning_curves": ReportFigure(
        learning_curves,
        "Learning curves",
        "Plots of training and validation loss against epoch, one panel per model that trains by epochs.",
        "Median (line) and range (band) over seeds, as long as at least half of the seeds are training. The loss is the sum of "
        "a model's terms, so only the shapes of curves are comparable between panels. The training loss is a running mean over "
        "the epoch; the validation loss is measured at its end.",
    ),
}
