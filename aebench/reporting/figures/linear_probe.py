"""Linear probes: accuracy by number of labels, and confusion matrices."""

from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np

from aebench.reporting.figures import canvas
from aebench.reporting.figures.base import ReportFigure
from aebench.reporting.results import ModelResults, Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BASELINES = {"raw_pixels": canvas.GREY, "random_encoder": canvas.ORANGE}
"""Kinds that are drawn in every panel, and their colours; neither is trained."""
LINES = ("--", ":", "-.")
"""Line styles of the baselines, in turn."""
ANNOTATED = 12
"""Maximum number of classes for which the cells of a confusion matrix are labelled."""
SMALLEST = 0.05
"""Errors below this percentage are left blank, because they would be printed as 0.0."""


def accuracy_by_labels(results: Results) -> "Figure":
    """Draw one panel per model, each with the baselines."""
    baselines = [model for model in results.models if model.settings["kind"] in BASELINES]
    shown = [model for model in results.models if model not in baselines] or baselines
    figure, panels = canvas.panels(len(shown), across=4, height=1.9, sharex=True, sharey=True)
    for axes, model in zip(panels, shown, strict=True):
        for baseline, line in zip(baselines, cycle(LINES)):
            style = {"color": BASELINES[baseline.settings["kind"]], "linestyle": line, "linewidth": 1.0}
            _draw_accuracy(axes, baseline, label=baseline.name, **style)
        _draw_accuracy(axes, model, label="model in the title", color=canvas.BLUE, linewidth=1.4)
        axes.set(title=model.name, xscale="log")
        canvas.plain_ticks(axes.xaxis)
    canvas.legend(figure, panels[0])
    figure.supxlabel("labelled training images")
    figure.supylabel("test accuracy, %")
    return figure


def confusions(results: Results) -> "Figure":
    """Draw the confusion matrices of the baselines and of the model with the highest accuracy with all labels."""
    baselines = [model for model in results.models if model.settings["kind"] in BASELINES]
    others = [model for model in results.models if model not in baselines]
    shown = [max(others, key=lambda model: model.scores["linear_probe"].mean), *baselines] if others else baselines
    figure, panels = canvas.panels(len(shown), across=3, height=2.9)
    tables = [100 * counts / counts.sum(1, keepdims=True).clip(1) for counts in (model.probe.confusion for model in shown)]
    largest = max(float((table * (1 - np.eye(len(table)))).max()) for table in tables) or 1.0
    for axes, model, table in zip(panels, shown, tables, strict=True):
        _draw_confusion(axes, table, largest, results.about.classes)
        axes.set_title(f"{model.name}, {model.scores['linear_probe'].mean:.2f} %")
    return figure


def _draw_accuracy(axes: "Axes", model: ModelResults, **style) -> None:
    """Plot mean and 95 % interval at each fraction of the labels; numbers per class, such as "10 per class", are left out."""
    counts = {amount: labels for amount, labels in model.probe.labels.items() if " " not in amount}
    estimates = [model.profiles["linear_probe_by_labels"][amount] for amount in counts]
    means, halves = (np.array([getattr(each, field) for each in estimates]) for field in ("mean", "half_width"))
    axes.plot(list(counts.values()), means, marker="." if len(counts) == 1 else "", **style)
    axes.fill_between(list(counts.values()), means - halves, means + halves, color=style["color"], alpha=0.2, linewidth=0)


def _draw_confusion(axes: "Axes", table: np.ndarray, largest: float, classes: tuple[str, ...]) -> None:
    """Draw percentages (C, C): errors shaded up to the `largest`, correct predictions unshaded."""
    correct = np.eye(len(table), dtype=bool)
    axes.imshow(np.where(correct, np.nan, table), cmap="Blues", vmin=0, vmax=largest)
    if len(table) <= ANNOTATED:
        for y, x in zip(*np.nonzero(table >= SMALLEST), strict=True):
            dark = not correct[y, x] and table[y, x] > largest / 2
            text = f"{table[y, x]:.0f}" if correct[y, x] else f"{table[y, x]:.1f}"
            axes.text(x, y, text, ha="center", va="center", fontsize=6, color="white" if dark else "black")
        axes.set_xticks(range(len(classes)), classes, rotation=90 if max(map(len, classes)) > 2 else 0, fontsize=7)
        axes.set_yticks(range(len(classes)), classes, fontsize=7)
    axes.set(xlabel="predicted class", ylabel="true class")


FIGURES = {
    "accuracy_by_labels": ReportFigure(
        accuracy_by_labels,
        "Accuracy by number of labels",
        "Plots of test accuracy against the number of labelled training images, one panel per model, each with the baselines.",
        "Test accuracy of multinomial logistic regression on frozen codes: mean and 95 % interval over seeds. The seed also "
        "selects the labelled images. Every panel also shows the baselines: raw pixels and random, untrained encoders.",
    ),
    "confusions": ReportFigure(
        confusions,
        "Confusion matrices",
        "Confusion matrices of the best model and of the baselines: true classes in rows, predicted classes in columns.",
        "Predictions of the linear probes with all labels, in % of the test images of a class, over all seeds. Errors below "
        f"{SMALLEST:g} % are left blank. The figure shows the baselines and the model with the highest test accuracy; since it "
        "is chosen by test images, it is only an illustration.",
    ),
}
