"""Figures of no data set: what the probability behind variational autoencoders looks like, and ranks over all data sets.

reports/lecture/<figure>.png and .pdf, by the stage that joins the page.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aebench import runs
from aebench.reporting import canvas
from aebench.reporting.divergences import divergences
from aebench.reporting.ranks import ranks
from aebench.reporting.ring import ring

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOLDER = runs.REPORTS / "lecture"


@dataclass(frozen=True)
class Picture:
    """How a figure is drawn, the heading above it, the text in its place and the text below it."""

    draw: "Callable[[], Figure | None]"
    title: str
    alt: str
    caption: str


LECTURE = {
    "ring": Picture(
        ring,
        "A simple prior becomes any distribution through a function",
        "Two scatter plots: a round cloud of points, and the same points on a ring, in the same colours.",
        "Left, 1000 draws of z from a standard normal of the plane; right, g(z) = z/10 + z/‖z‖ of each, in the colour of its"
        " z. A decoder is such a function: the prior may stay simple, as what it decodes to need not be (Doersch 2016, "
        "Figure 2).",
    ),
    "divergences": Picture(
        divergences,
        "Which divergence is made small",
        "A density with two humps, a wide Gaussian over both, and narrow Gaussians on one of them.",
        "One Gaussian Q for a density P of two humps. D(P ‖ Q) is least where Q has P's mean and variance: Q must not be "
        "small where P is not, so it covers both humps and the gap between them. D(Q ‖ P) punishes the reverse: Q sits on "
        "one hump, by numerical descent from each; the heavier one's minimum is the lower. A variational autoencoder makes "
        "D(q(z|x) ‖ p(z|x)) small, so its encoder seeks a mode in z: where several codes would explain an image, q may keep "
        "one.",
    ),
    "ranks": Picture(
        ranks,
        "Ranks over data sets",
        "Axes of average ranks with the names of the models, joined by bars where their ranks are not told apart.",
        "The rank of each row among the rows that all reported data sets have, averaged, 1 the best. Bars join rows whose "
        "average ranks differ by less than Nemenyi's critical difference at 5 % (Demšar 2006). With so few data sets it is "
        "large: that two rows are joined says that data sets are missing, not that the rows are alike. Seeds are compared "
        "within a data set.",
    ),
}


def write() -> None:
    """Every figure that there is something to show in."""
    for name, picture in LECTURE.items():
        with canvas.style():
            files = [FOLDER / f"{name}.{ending}" for ending in ("png", "pdf")]
            canvas.publish(picture.draw(), files, f"{picture.title}, written by stages.index")
