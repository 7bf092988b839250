"""How the loss fell: one long table, and a panel a model that trained by epochs.

Each model has its own sum of terms, so the panels share an axis of epochs but none of losses. Seeds may stop early: the
curves end where fewer than half of them still train, as a median over the few that go on says nothing of the rest.
"""

from itertools import product
from typing import TYPE_CHECKING

from aebench.reporting import canvas
from aebench.reporting.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas import DataFrame

STYLES = {"train": {"color": canvas.ORANGE, "linestyle": "--"}, "validation": {"color": canvas.BLUE}}
DIGITS = 6
"""Significant digits of a loss: curves are looked at, and the table is kept in Git."""


def losses(results: Results) -> "DataFrame":
    """A line a model, split, seed and epoch; a split whose loss was not noted is left out."""
    from pandas import DataFrame

    lines = [
        (row.model, split, int(seed), int(epoch), float(f"{loss:.{DIGITS}g}"))
        for row, split in product(results.rows, STYLES)
        if f"{split}.loss" in row.history
        for seed, epoch, loss in zip(*(row.history[name] for name in ("seed", "epoch", f"{split}.loss")), strict=True)
    ]
    return DataFrame(lines, columns=["model", "split", "seed", "epoch", "loss"])


def curves(results: Results) -> "Figure | None":
    """Median and range over seeds of the loss against epochs."""
    table = losses(results)
    if table.empty:
        return None
    models = table.groupby("model", sort=False)
    figure, panels = canvas.panels(len(models), across=4, height=1.9, sharex=True)
    for axes, (model, lines) in zip(panels, models, strict=True):
        _draw(axes, model, lines)
    panels[0].set_xticks(_decades(table["epoch"].max()))
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=len(STYLES))
    figure.supxlabel("epoch")
    figure.supylabel("loss per image")
    return figure


def _draw(axes: "Axes", title: str, table: "DataFrame") -> None:
    axes.set_title(title)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:.0f}")
    axes.xaxis.set_minor_formatter("")
    for split, lines in table.groupby("split"):
        epochs = lines.groupby("epoch")["loss"]
        loss = epochs.agg(["median", "min", "max"])[epochs.count() * 2 >= lines["seed"].nunique()]
        axes.fill_between(loss.index, loss["min"], loss["max"], color=STYLES[split]["color"], alpha=0.2, linewidth=0)
        axes.plot(loss.index, loss["median"], label=split, linewidth=1.2, **STYLES[split])


def _decades(last: int) -> list[int]:
    """1, 10, 100, ... as far as they leave room for the last epoch."""
    return [10**k for k in range(len(str(last))) if 10**k <= last / 4] + [last]
