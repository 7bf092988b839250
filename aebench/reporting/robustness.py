"""What degradation leaves: a line a model, a column a corruption and level, the number in its cell.

Above the accuracy of neighbours among clean codes, below the denoising gain, which is cut at -1 for the colours alone.
"""

from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from aebench.reporting import canvas
from aebench.reporting.results import Results, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS = {
    "knn_degraded": ("5-NN accuracy, %", "{:z.0f}", {"cmap": "cividis", "vmin": 0, "vmax": 100}),
    "gain": ("denoising gain: 1 restored, 0 as bad as the degraded image", "{:z.2f}", {"cmap": "PuOr", "vmin": -1, "vmax": 1}),
}
"""Profile -> title, how its numbers are printed, and their colours."""
LUMINANCE = np.array([0.299, 0.587, 0.114])
"""Of red, green and blue: on dark cells the numbers are white."""
LINE, HEAD, TYPE = 0.17, 0.75, 6
"""Inches of a model and of what stands above and below a panel; points of the numbers."""


def robustness(results: Results) -> "Figure | None":
    """A panel a profile, of the rows that have it."""
    rows = [row for row in results.rows if all(row.profiles.get(name) for name in PANELS)]
    if not rows:
        return None
    drawing = canvas.figure(len(PANELS) * (LINE * len(rows) + HEAD))
    for axes, (name, (title, form, colours)) in zip(drawing.subplots(len(PANELS)), PANELS.items(), strict=True):
        axes.set_title(title, loc="left")
        _draw(axes, table(rows, name), form, colours)
        axes.set_yticks(range(len(rows)), [row.model for row in rows])
        _name(axes, list(rows[0].profiles[name]))
    return drawing


def table(rows: list[Row], name: str) -> np.ndarray:
    """(rows, places) means over seeds of a profile, the places those of the first row."""
    return np.array([[row.profiles[name][place].mean for place in rows[0].profiles[name]] for row in rows])


def _draw(axes: "Axes", values: np.ndarray, form: str, colours: dict) -> None:
    image = axes.imshow(values, aspect="auto", **colours)
    for (i, j), value in np.ndenumerate(values):
        if np.isfinite(value):
            ink = "white" if image.to_rgba(value)[:3] @ LUMINANCE < 0.5 else "black"
            axes.text(j, i, form.format(value), ha="center", va="center", fontsize=TYPE, color=ink)


def _name(axes: "Axes", places: list[str]) -> None:
    """Levels below their columns, and below the middle of its columns each corruption."""
    axes.set_xticks(range(len(places)), [place.partition(" ")[2] for place in places], fontsize=TYPE)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for name, columns in groupby(range(len(places)), key=lambda column: places[column].partition(" ")[0]):
        first, *_, last = [*columns] * 2
        axes.axvline(first - 0.5, color="white", linewidth=2)
        below = {"xy": ((first + last) / 2, 0), "xycoords": ("data", "axes fraction"), "xytext": (0, -20)}
        axes.annotate(name.replace("_and_", "/"), textcoords="offset points", ha="center", fontsize=TYPE + 1, **below)
