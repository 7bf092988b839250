"""Sparsity of the codes: mean activation against the target ρ, activation by unit, and exact zeros."""

from typing import TYPE_CHECKING

from aebench.reporting.figures import canvas
from aebench.reporting.figures.base import ReportFigure
from aebench.reporting.results import ModelResults, Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = "os^vDPX*"
"""Markers of the models, in ascending order of their targets."""


def sparsity(results: Results) -> "Figure | None":
    """Draw three panels, if a model has a target ρ."""
    models = sorted(
        (model for model in results.models if "target" in model.settings), key=lambda model: model.settings["target"]
    )
    if not models:
        return None
    figure, styles, dimensions = canvas.figure(2.9), _styles(models), {model.cost.latent_dim for model in models}
    panels = figure.subplots(1, 3, width_ratios=[1, 1.2, 0.8])
    comparable = [model for model in results.models if model.cost.latent_dim in dimensions]
    _draw_targets(panels[0], models, styles)
    _draw_units(panels[1], models, styles, [model for model in comparable if model not in models])
    _draw_zeros(panels[2], [model for model in comparable if model.history.get("epoch")])
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=5)
    return figure


def _styles(models: list[ModelResults]) -> list[dict]:
    """Return colours from dark to light, in the order of the targets."""
    from matplotlib import colormaps

    viridis = colormaps["viridis"]
    return [{"color": viridis(0.8 * i / len(models)), "marker": MARKERS[i % len(MARKERS)]} for i in range(len(models))]


def _draw_targets(axes: "Axes", models: list[ModelResults], styles: list[dict]) -> None:
    """Plot the mean activation and its 95 % interval, which is usually smaller than the marker."""
    limit = 1.25 * max(max(model.settings["target"], model.scores["activation"].mean) for model in models)
    axes.plot([0, limit], [0, limit], color=canvas.GREY, linestyle="--", linewidth=1, label="mean activation = ρ")
    for model, style in zip(models, styles, strict=True):
        target, activation = model.settings["target"], model.scores["activation"]
        label = f"{model.name} (ρ = {target:g})"
        axes.errorbar(target, activation.mean, activation.half_width, linestyle="", label=label, **style)
    axes.set(xlabel="target ρ", ylabel="mean activation", xlim=(0, limit), ylim=(0, limit))
    axes.set_box_aspect(1)


def _draw_units(axes: "Axes", models: list[ModelResults], styles: list[dict], others: list[ModelResults]) -> None:
    """Plot the mean activation by unit; curves of `others` may leave the axes."""
    for model in others:
        axes.plot(*model.curve("activation_deciles"), color=canvas.GREY, linewidth=0.6, alpha=0.7)
    for model, style in zip(models, styles, strict=True):
        axes.plot(*model.curve("activation_deciles"), linewidth=1.2, markersize=4, **style)
    limit = 3 * max(model.curve("activation_deciles")[1].max(initial=model.settings["target"]) for model in models)
    axes.set(xlabel="percentile of the units", ylabel="mean activation", ylim=(0, limit))


def _draw_zeros(axes: "Axes", models: list[ModelResults]) -> None:
    percentages = [model.scores["exact_zeros"].mean for model in models]
    bars = axes.barh(range(len(models)), percentages, height=0.6, color=canvas.BLUE)
    axes.bar_label(bars, [f"{percentage:.1f}" for percentage in percentages], padding=2, fontsize="x-small")
    axes.set_yticks(range(len(models)), [model.name for model in models])
    axes.set(xlabel="exact zeros, %", xlim=(0, 125), xticks=(0, 50, 100), ylim=(len(models) - 0.4, -0.6))
    axes.set_box_aspect(min(1.2, 0.25 * len(models)))


FIGURES = {
    "sparsity": ReportFigure(
        sparsity,
        "Sparsity and its target",
        "Three plots: mean activation against the target of sparse models, mean activation by unit, and bars of exact zeros.",
        "Left: mean activation of the models with a target ρ; the two are equal on the dashed line. Middle: mean activation of "
        "their units, from the least to the most active; grey, the other models with the same latent dimension. Right: exact "
        "zeros in the codes of all models that are trained by epochs and have the same latent dimension. L1 with ReLU units "
        "gives exact zeros; a target for sigmoid units does not.",
    ),
}
