"""A simple distribution transformed by a function: draws z of N(0, I) in the plane, and g(z) = z/10 + z/‖z‖."""

from typing import TYPE_CHECKING

import numpy as np

from aebench.randomness import Streams
from aebench.reporting.figures import canvas
from aebench.reporting.figures.base import ReportFigure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DRAWS = 1000


def ring() -> "Figure":
    """Draw z on the left and g(z) on the right; colours show the absolute angle of z, so that points can be matched."""
    z = Streams(0).numpy("lecture").standard_normal((DRAWS, 2))
    drawing = canvas.figure(3.6, 7)
    panels = {"z ~ N(0, I)": z, "g(z) = z/10 + z/‖z‖": onto_ring(z)}
    for axes, (title, points) in zip(drawing.subplots(1, 2), panels.items(), strict=True):
        angle = np.abs(np.arctan2(*z.T[::-1]))
        axes.scatter(*points.T, s=4, c=angle, cmap="viridis", vmax=1.2 * np.pi, linewidth=0, rasterized=True)
        limit = 1.05 * np.abs(points).max()
        axes.set(title=title, xlim=(-limit, limit), ylim=(-limit, limit))
        axes.set_box_aspect(1)
    return drawing


def onto_ring(z: np.ndarray) -> np.ndarray:
    """Return g(z) of draws (n, 2), which has the angle of z and the radius 1 + ‖z‖/10."""
    return z / 10 + z / np.linalg.norm(z, axis=1, keepdims=True)


FIGURES = {
    "ring": ReportFigure(
        ring,
        "A function turns a simple distribution into another one",
        "Two scatter plots: a round cloud of points, and the same points on a ring, in the same colours.",
        f"Left: {DRAWS} draws of z from the standard normal distribution in the plane. Right: g(z) = z/10 + z/‖z‖ of each, in "
        "the colour of its z. A decoder is such a function: the prior may be simple although the distribution of the decoded "
        "images is not (Doersch 2016, Figure 2).",
    ),
}
