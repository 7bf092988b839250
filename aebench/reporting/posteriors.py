"""Codes that are distributions: where q(z|x) puts an image, and what the distributions of all images make together.

aggregate posterior   q(z_j) = 1/p sum_i N(z_j; m_ij, s_ij²),  of unit j and p test images
"""

from typing import TYPE_CHECKING

import numpy as np

from aebench.metrics.density import ACTIVE
from aebench.reporting import canvas
from aebench.reporting.results import Results, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN, UNITS = 200, 30
"""Images, and units of a code: as many as can be told apart."""
REACH = 4.0
PRIOR = {"color": "0.75", "linewidth": 5, "solid_capstyle": "butt", "label": "prior N(0, 1)"}
LINES = {
    True: {"color": canvas.BLUE, "label": "unit that knows of the image"},
    False: {"color": canvas.ORANGE, "label": "collapsed unit", "linestyle": "--"},
}
"""Whether a unit is active -> how its density is drawn."""


def posteriors(results: Results) -> "Figure | None":
    """A panel a row whose code has two numbers, if one of them has a posterior: ellipses of one deviation, or points."""
    clouds = [row for row in results.rows if "posterior_mean" in row.pictures and row.pictures["posterior_mean"].shape[1] == 2]
    points = [row for row in results.rows if "scatter" in row.pictures and "posterior_mean" not in row.pictures]
    if not clouds:
        return None
    from matplotlib.lines import Line2D

    colours = np.array(canvas.colours(len(results.about.classes)))
    figure, panels = canvas.panels(len(clouds + points), across=3, height=2.3, margin=1.3)
    for axes, row in zip(panels, clouds + points, strict=True):
        (_ellipses if row in clouds else _points)(axes, row, colours)
        axes.set(title=row.model, xlabel="first number of the code", ylabel="second number")
        axes.set_aspect("equal", adjustable="datalim")
    handles = [Line2D([], [], marker="o", linestyle="", color=colour) for colour in colours]
    figure.legend(handles, canvas.classes(results.about.classes), title="class", loc="outside right upper")
    return figure


def aggregate(results: Results) -> "Figure | None":
    """A panel a row with a posterior, a line a unit, the prior behind them."""
    rows = [row for row in results.rows if "posterior_mean" in row.pictures]
    if not rows:
        return None
    figure, panels = canvas.panels(len(rows), across=2, height=2.4, sharex=True)
    z = np.linspace(-REACH, REACH, 401)
    for axes, row in zip(panels, rows, strict=True):
        mean, sd = (row.pictures[f"posterior_{part}"].astype(float) for part in ("mean", "sd"))
        active = mean.var(0) > ACTIVE
        axes.plot(z, mixture(np.zeros((1, 1)), np.ones((1, 1)), z)[0], **PRIOR)
        for unit in np.argsort(-mean.var(0), kind="stable")[:UNITS]:
            axes.plot(z, mixture(mean[:, [unit]], sd[:, [unit]], z)[0], linewidth=0.8, **LINES[bool(active[unit])])
        axes.set(title=f"{row.model}: {active.sum()} of {len(active)} units know of the image", ylim=(0, None))
    found = {label: handle for axes in panels for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(found.values(), found, loc="outside upper right", ncols=len(found))
    figure.supxlabel("z")
    figure.supylabel("density")
    return figure


def mixture(mean: np.ndarray, sd: np.ndarray, z: np.ndarray) -> np.ndarray:
    """The aggregate posterior (k, points) of units with means and deviations (p, k) at z (points,)."""
    apart = (z - mean[..., None]) / sd[..., None]  # (p, k, points)
    return (np.exp(-(apart**2) / 2) / (sd[..., None] * np.sqrt(2 * np.pi))).mean(0)


def _ellipses(axes: "Axes", row: Row, colours: np.ndarray) -> None:
    from matplotlib.collections import EllipseCollection

    mean, sd, labels = (row.pictures[f"posterior_{part}"][:SHOWN] for part in ("mean", "sd", "labels"))
    told = {"units": "xy", "offsets": mean, "offset_transform": axes.transData, "linewidth": 0.7, "alpha": 0.9}
    axes.add_collection(EllipseCollection(*2 * sd.T, np.zeros(len(sd)), edgecolor=colours[labels], facecolor="none", **told))
    axes.update_datalim(np.concatenate([mean - sd, mean + sd]))
    axes.autoscale_view()


def _points(axes: "Axes", row: Row, colours: np.ndarray) -> None:
    points, labels = row.pictures["scatter"][:SHOWN], row.pictures["scatter_labels"][:SHOWN]
    axes.scatter(*points.T, s=4, c=colours[labels], linewidth=0)
