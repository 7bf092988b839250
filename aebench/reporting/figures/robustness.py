"""Robustness to corruption: one row per model, one column per corruption and level, with the values in the cells."""

from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from aebench.reporting.figures import canvas
from aebench.reporting.figures.base import ReportFigure
from aebench.reporting.results import ModelResults, Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS = {
    "knn_by_corruption": ("5-NN accuracy, %", "{:z.0f}", {"cmap": "cividis", "vmin": 0, "vmax": 100}),
    "denoising_gain_by_corruption": (
        "denoising gain: 1 for a perfect reconstruction, 0 for one no better than the corrupted image",
        "{:z.2f}",
        {"cmap": "PuOr", "vmin": -1, "vmax": 1},  # a gain may be below -1, and has the colour of -1 there
    ),
}
"""Profile -> title, format of its values, and their colours."""
LUMINANCE = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue: text is white on dark cells."""
LINE, MARGIN, TYPE = 0.17, 0.75, 6
"""Inches per model and per panel for titles and labels; font size of the values."""


def robustness(results: Results) -> "Figure | None":
    """Draw one panel per profile, with the models that have both."""
    models = [model for model in results.models if all(model.profiles.get(name) for name in PANELS)]
    if not models:
        return None
    drawing = canvas.figure(len(PANELS) * (LINE * len(models) + MARGIN))
    for axes, (name, (title, form, colours)) in zip(drawing.subplots(len(PANELS)), PANELS.items(), strict=True):
        axes.set_title(title, loc="left")
        _draw(axes, table(models, name), form, colours)
        axes.set_yticks(range(len(models)), [model.name for model in models])
        _label_columns(axes, list(models[0].profiles[name]))
    return drawing


def table(models: list[ModelResults], name: str) -> np.ndarray:
    """Return the means over seeds of a profile (models, positions), at the positions of the first model."""
    return np.array([[model.profiles[name][position].mean for position in models[0].profiles[name]] for model in models])


def _draw(axes: "Axes", values: np.ndarray, form: str, colours: dict) -> None:
    image = axes.imshow(values, aspect="auto", **colours)
    for (i, j), value in np.ndenumerate(values):
        if np.isfinite(value):
            colour = "white" if image.to_rgba(value)[:3] @ LUMINANCE < 0.5 else "black"
            axes.text(j, i, form.format(value), ha="center", va="center", fontsize=TYPE, color=colour)


def _label_columns(axes: "Axes", positions: list[str]) -> None:
    """Return the level below each column, and the corruption below the middle of its columns."""
    axes.set_xticks(range(len(positions)), [position.partition(" ")[2] for position in positions], fontsize=TYPE)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for name, columns in groupby(range(len(positions)), key=lambda column: positions[column].partition(" ")[0]):
        first, *_, last = [*columns] * 2
        axes.axvline(first - 0.5, color="white", linewidth=2)
        below = {"xy": ((first + last) / 2, 0), "xycoords": ("data", "axes fraction"), "xytext": (0, -20)}
        axes.annotate(name.replace("_and_", "/"), textcoords="offset points", ha="center", fontsize=TYPE + 1, **below)


def _caption(results: Results) -> str:
    images = min(results.evaluation.robustness.images, results.card["splits"]["test"]["images"])
    return (
        f"{images} evenly spaced test images, corrupted in the same way for every model (means over seeds). Top: 5-NN accuracy "
        "of their codes; the neighbours are codes of clean images. Bottom: the fraction of the corruption's squared error that "
        "reconstruction removes. Levels are a fraction of the pixels (masking, salt and pepper), a standard deviation "
        "(gaussian) or a fraction of the image's shorter side (blur, occlusion, shift)."
    )


FIGURES = {
    "robustness": ReportFigure(
        robustness,
        "Robustness to corruption",
        "Two heat maps: one row per model, one column per corruption and level, with the value in each cell.",
        _caption,
    ),
}
