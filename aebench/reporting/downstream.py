"""What frozen codes are worth to a classifier: accuracy with few labels and many, and which classes are taken for which.

Rows are read from classification.csv and probes.json; one that has not been classified has dashes in the table and no panel.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aebench import runs
from aebench.reporting import canvas
from aebench.reporting.cells import Column, Table, measures, over_seeds
from aebench.reporting.results import Results
from aebench.reporting.sections import SECTIONS
from aebench.statistics import Estimate, estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CONTROLS = {
    "raw_pixels": {"color": canvas.GREY, "linestyle": "--"},
    "random_encoder": {"color": canvas.ORANGE, "linestyle": ":"},
}
"""Kinds that every panel shows beside its row, no representation and no learning, and how."""
NUMBERED = 12
"""Classes up to which a confusion has numbers in its cells."""

NOTE = (
    "Accuracy on test images of multinomial logistic regression on codes, each unit standardised by its mean and deviation "
    "over training codes; the encoder is not touched. Heads: how much of the training images is labelled; the seed decides "
    "which, the same for every row. The L2 penalty was chosen by cross-validation among these labels; with all of them on "
    "the validation images, and where a class has one label on as large a share of the validation images. "
    "±: half-width of the mean's 95 % interval over seeds; rows that train without randomness vary by the labels alone."
)


@dataclass(frozen=True)
class Probed:
    """A row's accuracies (seeds,) by amount of labels, the amount with fewest labels first, and its confusion (C, C)."""

    model: str
    kind: str
    labels: dict[str, int]
    accuracy: dict[str, list[float]]
    confusion: np.ndarray

    @property
    def most(self) -> Estimate:
        """The accuracy with the most labels."""
        return estimate(self.accuracy[list(self.labels)[-1]])


def probed(results: Results) -> list[Probed]:
    """The rows that were classified, in the order of the results."""
    return [found for row in results.rows if (found := _probed(results.dataset, row.model, row.block["kind"]))]


def tables(results: Results) -> list[Table]:
    """One table, if a row was classified."""
    found = {each.model: each for each in probed(results)}
    if not found:
        return []
    names, amounts = [row.model for row in results.rows], next(iter(found.values())).labels
    read = {a: over_seeds([found[n].accuracy.get(a) if n in found else None for n in names]) for a in amounts}
    columns = [
        measures(f"classify/frozen.{a}", f"{_head(a)} ↑", read[a], 2, f"{count:,} labels, %") for a, count in amounts.items()
    ]
    return [Table("downstream", "downstream", SECTIONS["downstream"], NOTE, [Column("model", names), *columns])]


def labels(results: Results) -> "Figure | None":
    """A panel a row, accuracy against the number of labels where these are a share, the controls in each."""
    rows = probed(results)
    if not rows:
        return None
    shown = [row for row in rows if row.kind not in CONTROLS] or rows
    figure, panels = canvas.panels(len(shown), across=4, height=1.9, sharex=True, sharey=True)
    for axes, row in zip(panels, shown, strict=True):
        for control in rows:
            if control.kind in CONTROLS:
                _line(axes, control, control.model, linewidth=1.0, **CONTROLS[control.kind])
        _line(axes, row, "row of the title", color=canvas.BLUE, linewidth=1.4)
        axes.set(title=row.model, xscale="log")
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.xaxis.set_minor_formatter("")
    for axes in panels[-4:]:
        axes.tick_params(labelbottom=True)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=1 + len(CONTROLS))
    figure.supxlabel("labelled training images")
    figure.supylabel("accuracy, %")
    return figure


def confusions(results: Results) -> "Figure | None":
    """The row of highest accuracy with the most labels, and the controls."""
    rows = probed(results)
    if not rows:
        return None
    controls = [row for row in rows if row.kind in CONTROLS]
    best = max((row for row in rows if row.kind not in CONTROLS), key=lambda row: row.most.mean, default=rows[0])
    shown = [best, *(row for row in controls if row is not best)]
    figure, panels = canvas.panels(len(shown), across=3, height=2.9)
    errors = [_percent(row.confusion) for row in shown]
    most = max(float((table * (1 - np.eye(len(table)))).max()) for table in errors) or 1.0
    for axes, row, table in zip(panels, shown, errors, strict=True):
        _confusion(axes, table, most, results.about.classes)
        axes.set_title(f"{row.model}, {row.most.mean:.2f} %")
    return figure


def _probed(dataset: str, model: str, kind: str) -> Probed | None:
    folder = runs.folder(dataset, model)
    if not (folder / "probes.json").exists():
        return None
    told, accuracies = runs.read_json(folder / "probes.json"), runs.read_columns(folder / "classification.csv")
    counts = {name: each["labels"] for name, each in told["amounts"].items()}
    ordered = dict(sorted(counts.items(), key=lambda pair: pair[1]))
    return Probed(model, kind, ordered, {a: accuracies[f"frozen.{a}"] for a in ordered}, np.array(told["confusion"]))


def _head(amount: str) -> str:
    """0.05 -> 5 %; `10 a class` as it is."""
    return amount if " " in amount else f"{100 * float(amount):g} %"


def _line(axes: "Axes", row: Probed, label: str, **style) -> None:
    shares = [amount for amount in row.labels if " " not in amount]
    counts, found = [row.labels[a] for a in shares], [estimate(row.accuracy[a]) for a in shares]
    means, halves = (np.array([getattr(e, field) for e in found]) for field in ("mean", "half_width"))
    axes.plot(counts, means, label=label, marker="." if len(counts) == 1 else "", **style)
    axes.fill_between(counts, means - halves, means + halves, color=style["color"], alpha=0.2, linewidth=0)


def _percent(confusion: np.ndarray) -> np.ndarray:
    return 100 * confusion / confusion.sum(1, keepdims=True).clip(1)


def _confusion(axes: "Axes", table: np.ndarray, most: float, classes: tuple[str, ...]) -> None:
    """Errors as shades, right answers without one; numbers where there is room."""
    right = np.eye(len(table), dtype=bool)
    axes.imshow(np.where(right, np.nan, table), cmap="Blues", vmin=0, vmax=most)
    if len(table) <= NUMBERED:
        for y, x in zip(*np.nonzero(table >= 0.05), strict=True):
            dark = not right[y, x] and table[y, x] > most / 2
            text = f"{table[y, x]:.0f}" if right[y, x] else f"{table[y, x]:.1f}"
            axes.text(x, y, text, ha="center", va="center", fontsize=6, color="white" if dark else "black")
        axes.set_xticks(range(len(classes)), classes, rotation=90 if max(map(len, classes)) > 2 else 0, fontsize=7)
        axes.set_yticks(range(len(classes)), classes, fontsize=7)
    axes.set(xlabel="answer", ylabel="class")
