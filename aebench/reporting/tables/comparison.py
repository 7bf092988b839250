"""The comparison of all models: the main metrics side by side, and table.csv, which has every metric."""

import math
from typing import TYPE_CHECKING

from aebench import storage
from aebench.evaluation.metrics import METRICS
from aebench.reporting.results import Results
from aebench.reporting.tables import questions
from aebench.reporting.tables.columns import FIGURE_SPACE, Column, Table, aligned, counts, scores

if TYPE_CHECKING:
    from pandas import DataFrame

HEADLINE = ("sse", "knn_5")
"""The metrics of summary.json: one of reconstruction, one of representation."""
BOLD = (
    "Bold: the best model at each latent dimension and those that do not differ significantly from it (paired t tests over "
    "seeds, all pairs, Holm's correction, 5 %). A model that is alone at its latent dimension is never bold."
)

EXACT = "n = 1: the model is not random. Its value is exact, except for the draw of the corruption, and has no interval."


def table(results: Results) -> Table:
    """The main metrics of every model."""
    return Table("comparison", "comparison", "Comparison", " ".join(notes(results)), columns(measured(results)))


def measured(results: Results) -> "DataFrame":
    """table.csv, one row per model: mean, sd, half_width and n of every metric, parameters, and in which metrics it is best."""
    from pandas import DataFrame

    rows = []
    for i, model in enumerate(results.models):
        row = {"model": model.name, "latent_dim": model.cost.latent_dim}
        row |= {f"{name}.{field}": value for name, score in model.scores.items() for field, value in vars(score).items()}
        row |= {"parameters": model.cost.parameters, "n": len(model.seeds)}
        rows.append(row | {f"{name}.best": best[i] for name, best in results.leading.items()})
    return DataFrame(rows)


def columns(frame: "DataFrame") -> list[Column]:
    """The columns of the comparison, from a frame like table.csv."""
    return [
        Column("model", frame["model"].tolist()),
        counts("latent_dim", "latent dim", frame["latent_dim"]),
        *(scores(frame, name, metric) for name, metric in METRICS.items() if metric.main),
        counts("parameters", "parameters", frame["parameters"]),
        counts("n", "n", frame["n"]),
    ]


def notes(results: Results) -> list[str]:
    """The meaning of the columns, of ± and of bold numbers, one sentence or two each."""
    many, robustness, contraction = len(results.seeds) > 1, results.evaluation.robustness, results.evaluation.contraction
    return [
        *(questions.explanation(metric) for metric in METRICS.values() if metric.main),
        f"Corrupted images: {robustness.noise.replace('_', ' ')} at level {robustness.corruption}, one draw per seed, the same "
        f"for every model. Jacobians: the first {contraction.images} test images.",
        *_feature_classifier(results),
        "±: half-width of the mean's 95 % interval over n seeds (Student). It covers the choice of seed, not of test images.",
        EXACT if many else "Only one seed was run, so there are no intervals.",
        "Epochs and hyper-parameters were chosen on validation images; test images were used for measuring only.",
        BOLD if many else "No number is bold: with one seed, differences cannot be tested.",
    ]


def _feature_classifier(results: Results) -> list[str]:
    if not (classifier := results.feature_classifier):
        return []
    return [
        f"Generated images are measured in the features of classifier {classifier['name']} (validation accuracy "
        f"{classifier['accuracy']:.2f} %). Distances in the features of another classifier are not comparable."
    ]


def summary(results: Results) -> dict[str, dict[str, float]]:
    """Model -> headline metric -> mean, for `dvc metrics show`. NaN and infinity, which JSON does not have, are left out."""
    means = {model.name: {name: model.scores[name].mean for name in HEADLINE} for model in results.models}
    return {model: {name: mean for name, mean in each.items() if math.isfinite(mean)} for model, each in means.items()}


def terminal(dataset: str) -> str:
    """The comparison in reports/<dataset>/table.csv as aligned plain text."""
    from pandas import read_csv

    file = storage.written(storage.REPORTS / dataset / "table.csv")
    frame = read_csv(file, dtype={"model": str}, keep_default_na=False, na_values=[""])
    return aligned(columns(frame), "simple", "{head}\n{unit}").replace(FIGURE_SPACE, " ")
