"""What an image costs in bits and what comes back: rate and distortion of quantised codes, a panel a row, PCA in each."""

from typing import TYPE_CHECKING

from aebench.reporting import canvas
from aebench.reporting.results import Results, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

REFERENCES = {"pca": {"color": canvas.ORANGE, "linestyle": "--"}}
"""Kinds that every panel shows beside its row, of each the row with the longest code, and how."""
DEPTH = 0.01
"""Of the greatest error: what is below is not shown."""


def distortion(results: Results) -> "Figure | None":
    """The rows that spend bits."""
    rows = [row for row in results.rows if (row.curve("bits_quantised")[1] > 0).any()]
    if not rows:
        return None
    greatest = max(row.curve("sse_quantised")[1].max() for row in rows)
    figure, panels = canvas.panels(len(rows), across=4, height=1.6, sharex=True, sharey=True)
    for axes, row in zip(panels, rows, strict=True):
        for kind, style in REFERENCES.items():
            known = [each for each in rows if each.block["kind"] == kind]
            if known:
                longest = max(known, key=lambda each: each.cost.code)
                _draw(axes, longest, longest.model, linewidth=1.0, **style)
        _draw(axes, row, "row of the title", color=canvas.BLUE, linewidth=1.4, marker=".", markersize=4)
        axes.set(title=row.model, xscale="log", yscale="log", ylim=(DEPTH * greatest, 1.3 * greatest))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter("{x:,g}")
            axis.set_minor_formatter("")
    for axes in panels[-4:]:
        axes.tick_params(labelbottom=True)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=1 + len(REFERENCES))
    figure.supxlabel("bits per image")
    figure.supylabel("SSE")
    return figure


def _draw(axes: "Axes", row: Row, label: str, **style) -> None:
    """Without the mean code, which costs no bits, and what is restored exactly."""
    bits, errors = (row.curve(name)[1] for name in ("bits_quantised", "sse_quantised"))
    shown = (bits > 0) & (errors > 0)
    axes.plot(bits[shown], errors[shown], label=label, **style)
