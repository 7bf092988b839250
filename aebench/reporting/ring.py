"""A cloud becomes a ring: draws of a standard normal of the plane, and g(z) = z/10 + z/‖z‖ of them."""

from typing import TYPE_CHECKING

import numpy as np

from aebench.randomness import Streams
from aebench.reporting import canvas

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DRAWS = 1000


def ring() -> "Figure":
    """z at the left, g(z) at the right; the colour is the angle, above and below alike, so that one sees what goes where."""
    z = Streams(0).numpy("lecture").standard_normal((DRAWS, 2))
    drawing = canvas.figure(3.6, 7)
    panels = {"z ~ N(0, I)": z, "g(z) = z/10 + z/‖z‖": onto_ring(z)}
    for axes, (title, points) in zip(drawing.subplots(1, 2), panels.items(), strict=True):
        angle = np.abs(np.arctan2(*z.T[::-1]))
        axes.scatter(*points.T, s=4, c=angle, cmap="viridis", vmax=1.2 * np.pi, linewidth=0, rasterized=True)
        reach = 1.05 * np.abs(points).max()
        axes.set(title=title, xlim=(-reach, reach), ylim=(-reach, reach))
        axes.set_box_aspect(1)
    return drawing


def onto_ring(z: np.ndarray) -> np.ndarray:
    """g of draws (n, 2): of radius 1 + ‖z‖/10, at the same angle."""
    return z / 10 + z / np.linalg.norm(z, axis=1, keepdims=True)
