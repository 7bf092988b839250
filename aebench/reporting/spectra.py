"""How far the code moves along each direction of its image, on the data and off it: singular values of the Jacobian.

A panel a row; all panels share their axes, and have every row's spectrum on the data in grey, to compare.
"""

from typing import TYPE_CHECKING

import numpy as np

from aebench.reporting import canvas
from aebench.reporting.results import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LINES = {
    "singular_values": ("at test images", {"color": canvas.BLUE}),
    "singular_values_off": ("at noise", {"color": canvas.ORANGE, "linestyle": "--"}),
}
"""Profile -> what it is called in the legend, and how it is drawn."""
DEPTH = 1e-4
"""Of the greatest value: what is below is not shown."""


def spectra(results: Results) -> "Figure | None":
    """The rows whose code moves."""
    on, off = LINES
    rows = [row for row in results.rows if (row.curve(on)[1] > 0).any()]
    if not rows:
        return None
    greatest = max(float(np.nanmax(row.curve(name)[1])) for row in rows for name in LINES if row.profiles.get(name))
    figure, panels = canvas.panels(len(rows), across=4, height=1.6, sharex=True, sharey=True)
    for axes, row in zip(panels, rows, strict=True):
        for other in rows:
            axes.plot(*other.curve(on), color=canvas.GREY, linewidth=0.4, alpha=0.5)
        for name in (off, on):
            label, style = LINES[name]
            axes.plot(*row.curve(name), label=label, linewidth=1.4, marker=".", markersize=4, **style)
        axes.set(title=row.model, xscale="log", yscale="log", ylim=(DEPTH * greatest, 2 * greatest))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter("{x:g}")
            axis.set_minor_formatter("")
    for axes in panels[-4:]:
        axes.tick_params(labelbottom=True)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=len(LINES))
    figure.supxlabel("n-th singular value")
    figure.supylabel("change of the code by change of the image")
    return figure
