"""The comparison of all models: a table of the main metrics, and table.csv, which has every metric."""

import math
from typing import TYPE_CHECKING, Any

from aebench.evaluation.metrics import METRICS
from aebench.reporting import convergence
from aebench.reporting.results import Results
from aebench.reporting.tables import formats, questions
from aebench.reporting.tables.columns import Column, Table, counts, scores
from aebench.statistics import Estimate

if TYPE_CHECKING:
    from pandas import DataFrame

DETERMINISTIC = "n = 1: the model is deterministic, so its values have no interval."


def table(results: Results) -> Table:
    """Return the main metrics of every model."""
    return Table("comparison", "comparison", "Comparison", " ".join(notes(results)), columns(measured(results)))


def measured(results: Results) -> "DataFrame":
    """Return table.csv: per model, mean, sd, half_width and n of every metric, whether it is bold, and the model's size."""
    from pandas import DataFrame

    rows = []
    for i, model in enumerate(results.models):
        of_model = row(model.name, model.cost.latent_dim, model.scores, model.parameters, sum(model.measured))
        rows.append(of_model | {f"{name}.best": best[i] for name, best in results.best.items()})
    return DataFrame(rows)


def row(name: str, latent_dim: int, scores: dict[str, Estimate], parameters: float, n: int) -> dict[str, Any]:
    """Return the row of a model in table.csv, except for what is bold."""
    values = {f"{metric}.{field}": value for metric, score in scores.items() for field, value in vars(score).items()}
    return {"model": name, "latent_dim": latent_dim} | values | {"parameters": parameters, "n": n}


def columns(frame: "DataFrame") -> list[Column]:
    """Return the columns of the comparison, from a frame like table.csv."""
    return [
        Column("model", frame["model"].tolist()),
        counts("latent_dim", "latent dim", frame["latent_dim"]),
        *(scores(frame, name, metric) for name, metric in METRICS.items() if metric.main),
        counts("parameters", "parameters", frame["parameters"]),
        counts("n", "n", frame["n"]),
    ]


def notes(results: Results) -> list[str]:
    """Return notes on seeds that failed, on the columns, on ± and on bold numbers."""
    many, robustness, contraction = len(results.seeds) > 1, results.evaluation.robustness, results.evaluation.contraction
    return [
        *(model.failure for model in results.models if model.failure),
        *(questions.explanation(metric) for metric in METRICS.values() if metric.main),
        f"Corrupted images: {robustness.corruption.replace('_', ' ')} at level {robustness.level}, the same "
        f"for every model and seed. Jacobians are averaged over {contraction.images} evenly spaced test images.",
        *_feature_classifier(results),
        *external(results),
        "±: half-width of the mean's 95 % interval over n seeds (Student). It reflects the choice of seed, not of test images "
        "and their corruption.",
        DETERMINISTIC if many else "Only one seed was run, so there are no intervals.",
        *convergence.notes(results),
        "Epochs, and hyper-parameters where they were tuned, were chosen on validation images; test images were used only for "
        "the final evaluation.",
        f"{formats.BOLD} A model that is alone at its latent dimension is never bold."
        if many
        else "No number is bold: with one seed, differences cannot be tested.",
    ]


def external(results: Results) -> list[str]:
    """Return a note on each external model: its origin and fingerprint, and why some of its metrics are not measured."""
    notes = [external_note(m.name, m.settings["load"], m.cost.facts) for m in results.models if m.fingerprint]
    return [" ".join(notes)] if notes else []


def external_note(name: str, load: str, facts: dict[str, str]) -> str:
    """Return the note on an external model with these `facts`."""
    by_reason: dict[str, list[str]] = {}
    for what, reason in facts.items():
        if what.startswith("no "):
            by_reason.setdefault(reason.removeprefix(f"InputError: load ({load}) "), []).append(what)
    lacking = [f"{' and '.join(each)} ({reason})" for reason, each in by_reason.items()]
    unmeasured = f" It has {' and '.join(lacking)}; metrics that need this are not measured." if lacking else ""
    pixels = f" The pixels that it is given are {facts['pixels']}." if "pixels" in facts else ""
    source = f"{load}, fingerprint {facts['external']}"
    return f"{name} is an external model ({source}), which was not trained here.{pixels}{unmeasured}"


def _feature_classifier(results: Results) -> list[str]:
    if not (classifier := results.feature_classifier):
        return []
    return [
        f"Generated images are compared in the features of feature classifier {classifier['name']} (validation accuracy "
        f"{classifier['accuracy']:.2f} %). Distances in the features of another classifier are not comparable."
    ]


def summary(results: Results) -> dict[str, dict[str, dict[str, float]]]:
    """Return mean and half-width of the 95 % interval by model and main metric, for `dvc metrics diff` and `dvc exp show`.

    NaN and infinity, which JSON does not have, are left out.
    """
    main = [name for name, metric in METRICS.items() if metric.main]
    return {model.name: {name: fields for name in main if (fields := _finite(model.scores[name]))} for model in results.models}


def _finite(score: Estimate) -> dict[str, float]:
    values = {"mean": score.mean, "half_width": score.half_width}
    return {name: value for name, value in values.items() if math.isfinite(value)}
