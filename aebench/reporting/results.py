"""Read the results of a suite on a data set; tables, figures, claims, page and MLflow use no other reader."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from aebench import config, statistics, storage, studies
from aebench.classifiers import feature_classifier
from aebench.errors import InputError
from aebench.evaluation.metrics import METRICS, PROFILES
from aebench.evaluation.settings import Evaluation
from aebench.statistics import Estimate, over_seeds, with_values
from aebench.studies import Study

TABLES = ("history.csv", "metrics.csv", "profiles.csv", "classification.csv")
FILES = (*TABLES, "cost.json", "linear_probe.json", "inference.json", "pictures.npz")
"""A model has results when all of these exist in its folder; a stack also has layers.csv."""


@dataclass(frozen=True)
class Probe:
    """How the linear probe was fitted, fewest labels first.

    `labels` maps each number of labels, as written in the settings, to a number of images, `penalties` to one penalty per seed.
    `confusion` (C, C) counts test images by true class and predicted class with the most labels, summed over seeds.
    """

    labels: dict[str, int]
    penalties: dict[str, list[float]]
    confusion: np.ndarray


@dataclass(frozen=True)
class ModelResults:
    """The results of one model on one data set.

    settings          as written in conf/<dataset>.yaml; `training` includes the data set's defaults
    samples           metric -> one value per seed, NaN if it was not measured
    profile_samples   profile -> position on its axis -> one value per seed
    classification    the columns of classification.csv: linear probes, and fine-tuned classifiers of pretrained models
    layers            the columns of layers.csv; empty unless the model was pretrained layer by layer
    history           the columns of history.csv
    throughput        images per second

    A seed that failed has no values: its samples are NaN.
    """

    name: str
    folder: Path
    pretrained: bool
    settings: dict[str, Any]
    training: config.Training
    cost: storage.Cost
    seeds: tuple[int, ...]
    samples: dict[str, list[float]]
    profile_samples: dict[str, dict[str, list[float]]]
    classification: dict[str, list[float]]
    layers: dict[str, list[float]]
    probe: Probe
    history: dict[str, list[float]]
    throughput: dict[str, float]

    @property
    def fingerprint(self) -> str:
        """The hash of an external model, which was not trained here; empty for others."""
        return self.cost.facts.get("external", "")

    @property
    def parameters(self) -> float:
        """Number of weights; NaN if it is unknown."""
        return float("nan") if self.cost.parameters is None else self.cost.parameters

    @cached_property
    def measured(self) -> tuple[bool, ...]:
        """For each seed, whether it has values."""
        return tuple(with_values(self.samples.values()))

    @property
    def failure(self) -> str:
        """A sentence about the seeds without values, empty if there are none."""
        if all(self.measured):
            return ""
        causes: dict[str, list[str]] = {}
        epochs = self.cost.failed or [0] * len(self.seeds)
        for seed, epoch, measured in zip(self.seeds, epochs, self.measured, strict=True):
            if not measured:
                cause = f"the loss was not finite in epoch {epoch}" if epoch else "codes or reconstructions were too large"
                causes.setdefault(cause, []).append(str(seed))
        reasons = "; ".join(f"{cause} (seed{'s' * (len(seeds) > 1)} {', '.join(seeds)})" for cause, seeds in causes.items())
        count = f"{self.measured.count(False)} of {len(self.seeds)} seed{'s' * (len(self.seeds) > 1)}"
        return f"{self.name}: {count} failed and {'has' if self.measured.count(False) == 1 else 'have'} no values: {reasons}."

    @cached_property
    def scores(self) -> dict[str, Estimate]:
        """Metric -> estimate over seeds."""
        return {name: self.estimate(values) for name, values in self.samples.items()}

    def estimate(self, values: Sequence[float]) -> Estimate:
        """Return the mean of one value per seed over the seeds that did not fail."""
        return over_seeds(values, self.measured)

    @cached_property
    def profiles(self) -> dict[str, dict[str, Estimate]]:
        """Profile -> position -> estimate over seeds."""
        return {
            name: {position: self.estimate(values) for position, values in positions.items()}
            for name, positions in self.profile_samples.items()
        }

    @cached_property
    def pictures(self) -> dict[str, np.ndarray]:
        """The arrays for the figures, from the first seed; read on first use."""
        return storage.read_arrays(self.folder / "pictures.npz")

    def curve(self, profile: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the positions on a profile's axis and the means there, both empty if the profile was not measured."""
        positions = self.profiles.get(profile, {})
        return np.array([float(position.removesuffix("%")) for position in positions]), np.array(
            [e.mean for e in positions.values()]
        )

    def values(self, quantity: str) -> list[float] | None:
        """Return one value per seed, or a single one, of a quantity given by name; None if there is no such quantity.

        `sse` is a metric, `sse_at_bits/128` a profile at one position, `classify/pretrained.0.01` a column of
        classification.csv, `layers/probe.1` one of layers.csv and `settings/target` a setting.
        """
        if quantity in self.samples:
            return self.samples[quantity]
        part, _, name = quantity.partition("/")
        if part == "settings":
            return [float(self.settings[name])] if name in self.settings else None
        columns = {"classify": self.classification, "layers": self.layers}.get(part, self.profile_samples.get(part, {}))
        return columns.get(name)


@dataclass(frozen=True)
class StudyResults:
    """The results of a study: series -> position -> quantity -> one value per seed."""

    settings: Study
    samples: dict[str, dict[str, dict[str, list[float]]]]

    def estimate(self, series: str, position: str, quantity: str) -> Estimate | None:
        """Return the mean of a quantity at this point over the seeds that did not fail; None if there is no such quantity."""
        point = self.samples[series][position]
        return over_seeds(point[quantity], with_values(point.values())) if quantity in point else None

    @cached_property
    def quantities(self) -> list[str]:
        """The quantities, in their order."""
        return list(dict.fromkeys(name for by in self.samples.values() for values in by.values() for name in values))

    def curve(self, series: str, quantity: str) -> tuple[list[float], list[Estimate]]:
        """Return the positions of a series and the estimates of a quantity there."""
        points = {position: self.estimate(series, position, quantity) for position in self.samples[series]}
        points = {position: estimate for position, estimate in points.items() if estimate}
        return list(map(float, points)), list(points.values())

    def values(self, series: str, name: str) -> list[float] | None:
        """Return one value per seed of `<position>/<quantity>` of a series; None if there is no such quantity."""
        position, _, quantity = name.partition("/")
        return self.samples.get(series, {}).get(position, {}).get(quantity)


@dataclass(frozen=True)
class Results:
    """The results of all models on a data set, in the order of the suite; `seeds` are those of the suite.

    `studies` are those with results for the current settings and seeds, in the order of conf/<dataset>.yaml.
    """

    dataset: str
    models: list[ModelResults]
    evaluation: Evaluation
    seeds: tuple[int, ...]
    studies: dict[str, StudyResults]

    @cached_property
    def about(self) -> storage.About:
        """Title, image shape, classes, source and licence."""
        return storage.load_about(self.dataset)

    @cached_property
    def card(self) -> dict[str, Any]:
        """The data card: images per split and class, pixel statistics."""
        return storage.read_json(storage.DATA / self.dataset / "card" / "card.json")

    @cached_property
    def mean_images(self) -> dict[str, np.ndarray]:
        """`overall` (pixels,) and `by_class` (C, pixels), of the training images."""
        return storage.read_arrays(storage.DATA / self.dataset / "card" / "mean_images.npz")

    @cached_property
    def feature_classifier(self) -> dict[str, Any] | None:
        """`name` and validation `accuracy` in % of the feature classifier, if there is one."""
        file = feature_classifier.file(self.dataset)
        return feature_classifier.summary(file) if file.exists() else None

    @property
    def measured(self) -> "Results":
        """The results without the models of which all seeds failed."""
        return replace(self, models=[model for model in self.models if any(model.measured)])

    @property
    def folder(self) -> Path:
        """reports/<dataset>."""
        return storage.REPORTS / self.dataset

    @property
    def figures(self) -> Path:
        """The folder of the PNG files."""
        return self.folder / "figures"

    @property
    def pdf(self) -> Path:
        """The folder of the PDF files. `dvc plots` shows all files in `figures` and cannot read PDF."""
        return self.folder / "pdf"

    def groups(self, metric: str) -> list[dict[str, list[float]]]:
        """Return one value per seed by latent dimension and model; NaN for a seed that failed.

        A model with a value that is not finite is left out, and so is one with a single seed that did not fail.
        """
        groups: dict[int, dict[str, list[float]]] = {}
        for model in self.models:
            values = np.array(model.samples[metric])[list(model.measured)]
            if np.isfinite(values).all() and len(values) >= min(2, len(model.seeds)):
                groups.setdefault(model.cost.latent_dim, {})[model.name] = model.samples[metric]
        return list(groups.values())

    @cached_property
    def best(self) -> dict[str, tuple[bool, ...]]:
        """Metric with a better direction -> for each model, whether it is among the best of its latent dimension."""
        directed = {name: metric.better for name, metric in METRICS.items() if metric.better}
        leaders = {
            name: {m for group in self.groups(name) for m in statistics.best(group, better)}
            for name, better in directed.items()
        }
        return {name: tuple(model.name in names for model in self.models) for name, names in leaders.items()}


def read(dataset: str, complete: bool = True) -> Results:
    """Return the results of the suite's models on `dataset`.

    If `complete`, an `InputError` names the first missing file; otherwise models that have no results yet are left out.
    """
    suite, conf, file = config.suite(), config.dataset(dataset), config.conf_file(dataset)
    settings = config.models(dataset, suite)
    names = [name for name in settings if complete or all((storage.run_folder(dataset, name) / f).exists() for f in FILES)]
    return Results(
        dataset=dataset,
        models=[_model(dataset, name, settings[name], conf) for name in names],
        evaluation=config.check(Evaluation, conf.evaluation, f"{file}:evaluation"),
        seeds=tuple(suite.seeds),
        studies=_studies(dataset, conf, suite),
    )


def _studies(dataset: str, conf: config.Dataset, suite: config.Suite) -> dict[str, StudyResults]:
    """Return the results of studies in Git; those of other settings or seeds are left out."""
    results, folder = {}, storage.study_folder(dataset)
    for name in conf.studies:
        table, description = folder / f"{name}.csv", folder / f"{name}.json"
        if not (table.exists() and description.exists()):
            continue
        if storage.read_json(description) != studies.description(conf, name, suite.seeds):
            remedy = f"make reproduce STUDIES={name}"
            print(f"{table} was computed with other settings or seeds and is left out; to update it: {remedy}", file=sys.stderr)
            continue
        columns, samples = storage.read_columns(table), {}
        del columns["seed"]
        for column, values in columns.items():
            series, position, quantity = column.split("/", 2)
            samples.setdefault(series, {}).setdefault(position, {})[quantity] = values
        results[name] = StudyResults(studies.find(dataset, name), samples)
    return results


def _model(dataset: str, name: str, settings: dict[str, Any], conf: config.Dataset) -> ModelResults:
    folder, section = storage.run_folder(dataset, name), conf.section_of(name)
    files = {file: storage.written(folder / file) for file in FILES}
    history, metrics, profiles, classification = (storage.read_columns(files[table]) for table in TABLES)
    metrics = with_classification(metrics, classification, files["classification.csv"])
    seeds = tuple(int(seed) for seed in metrics.pop("seed"))
    del classification["seed"]
    layers = folder / "layers.csv"
    return ModelResults(
        name=name,
        folder=folder,
        pretrained=section == "stacks",
        settings=settings,
        training=config.training(conf, settings, f"{config.conf_file(dataset)}:{section}.{name}.training"),
        cost=storage.load_cost(files["cost.json"]),
        seeds=seeds,
        samples={metric: metrics.get(metric, [float("nan")] * len(seeds)) for metric in METRICS},
        profile_samples=_by_position(profiles | classification),
        classification=classification,
        layers=storage.read_columns(layers) if layers.exists() else {},
        probe=_probe(storage.read_json(files["linear_probe.json"])),
        history=history,
        throughput=storage.read_json(files["inference.json"]),
    )


def with_classification(
    metrics: dict[str, list[float]], classification: dict[str, list[float]], file: Path
) -> dict[str, list[float]]:
    """Return the columns of metrics.csv and, for its seeds, the metrics among those of classification.csv, which is `file`.

    Labelled images are drawn again for each seed, so a deterministic model has several accuracies: its metric is that of the
    first seed, the only one in metrics.csv.
    """
    rows = {seed: row for row, seed in enumerate(classification["seed"])}
    if not rows.keys() >= set(metrics["seed"]):
        raise InputError(f"{file} must be a table with a number per seed and metric, got not all seeds of metrics.csv")
    chosen = [rows[seed] for seed in metrics["seed"]]
    return metrics | {name: [values[row] for row in chosen] for name, values in classification.items() if name in METRICS}


def _by_position(columns: dict[str, list[float]]) -> dict[str, dict[str, list[float]]]:
    """Return the columns named <profile>/<position>, by profile and position; other columns are left out."""
    samples: dict[str, dict[str, list[float]]] = {}
    for column, values in columns.items():
        name, _, position = column.partition("/")
        if name in PROFILES:
            samples.setdefault(name, {})[position] = values
    return samples


def _probe(content: dict[str, Any]) -> Probe:
    amounts = dict(sorted(content["amounts"].items(), key=lambda pair: pair[1]["labels"]))
    labels, penalties = ({name: amount[key] for name, amount in amounts.items()} for key in ("labels", "penalties"))
    return Probe(labels, penalties, np.array(content["confusion"]))
