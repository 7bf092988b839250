"""What was asked of sparse codes and what they give: activation against its target ρ, unit by unit, and exact zeros."""

from typing import TYPE_CHECKING

from aebench.reporting import canvas
from aebench.reporting.results import Results, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = "os^vDPX*"
"""One a target, from the lowest, beside its colour."""


def sparsity(results: Results) -> "Figure | None":
    """Three panels if a row's block has a target."""
    rows = sorted((row for row in results.rows if "target" in row.block), key=lambda row: row.block["target"])
    if not rows:
        return None
    figure, styles, widths = canvas.figure(2.9), _styles(rows), {row.cost.code for row in rows}
    panels = figure.subplots(1, 3, width_ratios=[1, 1.2, 0.8])
    alike = [row for row in results.rows if row.cost.code in widths]
    _targets(panels[0], rows, styles)
    _deciles(panels[1], rows, styles, [row for row in alike if row not in rows])
    _zeros(panels[2], [row for row in alike if row.history.get("epoch")])
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=5)
    return figure


def _styles(rows: list[Row]) -> list[dict]:
    """Dark to light with the target."""
    from matplotlib import colormaps

    shades = colormaps["viridis"]
    return [{"color": shades(0.8 * i / len(rows)), "marker": MARKERS[i % len(MARKERS)]} for i in range(len(rows))]


def _targets(axes: "Axes", rows: list[Row], styles: list[dict]) -> None:
    """The mean activation of test images and its 95 % interval, which is mostly smaller than the point."""
    reach = 1.25 * max(max(row.block["target"], row.scores["activation"].mean) for row in rows)
    axes.plot([0, reach], [0, reach], color=canvas.GREY, linestyle="--", linewidth=1, label="as asked")
    for row, style in zip(rows, styles, strict=True):
        found = row.scores["activation"]
        place = {"x": row.block["target"], "y": found.mean, "yerr": found.half_width}
        axes.errorbar(**place, linestyle="", label=f"{row.model} (ρ = {row.block['target']:g})", **style)
    axes.set(xlabel="ρ asked for", ylabel="mean activation", xlim=(0, reach), ylim=(0, reach))
    axes.set_box_aspect(1)


def _deciles(axes: "Axes", rows: list[Row], styles: list[dict], others: list[Row]) -> None:
    for row in others:
        axes.plot(*row.curve("activation_deciles"), color=canvas.GREY, linewidth=0.6, alpha=0.7)
    for row, style in zip(rows, styles, strict=True):
        axes.plot(*row.curve("activation_deciles"), linewidth=1.2, markersize=4, **style)
    axes.set(xlabel="units, sorted by activation, %", ylabel="mean activation", ylim=(0, _ceiling(rows)))


def _ceiling(rows: list[Row]) -> float:
    """Room above the targets' curves for those of the others that come near."""
    return 3 * max(row.curve("activation_deciles")[1].max(initial=row.block["target"]) for row in rows)


def _zeros(axes: "Axes", rows: list[Row]) -> None:
    shares = [row.scores["exact_zeros"].mean for row in rows]
    bars = axes.barh(range(len(rows)), shares, height=0.6, color=canvas.BLUE)
    axes.bar_label(bars, [f"{share:.1f}" for share in shares], padding=2, fontsize="x-small")
    axes.set_yticks(range(len(rows)), [row.model for row in rows])
    axes.set(xlabel="exact zeros, %", xlim=(0, 125), xticks=(0, 50, 100), ylim=(len(rows) - 0.4, -0.6))
    axes.set_box_aspect(min(1.2, 0.25 * len(rows)))
