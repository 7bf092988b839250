"""What is known about a trained model in addition to its weights; it is read without importing torch."""

from dataclasses import asdict
from typing import Any

import numpy as np

from aebench import config, data, storage
from aebench.errors import InputError, unknown
from aebench.evaluation.metrics import METRICS
from aebench.reporting.results import with_classification
from aebench.statistics import over_seeds, with_values

WEIGHTS, ABOUT = "weights.safetensors", "about.json"
"""Files of an exported model, which `aebench.estimators.files` describes."""
NAME = "name of a model, <dataset>/<model>, or a folder written by aebench export"
TABLES = ("metrics.csv", "classification.csv")


def describe(name: str) -> dict[str, Any]:
    """Return what is known about a model `<dataset>/<model>` of the pipeline, without its weights."""
    dataset, model = known_model(name)
    conf = config.dataset(dataset, "name")
    about, source = storage.load_about(dataset), data.check(conf.data, f"{config.conf_file(dataset)}:data")
    path = f"{config.conf_file(dataset)}:{conf.section_of(model)}.{model}.training"
    training = config.training(conf, conf.all_models[model], path).model_dump()
    value_range = source.white and (source.black, source.white)
    facts = {"name": name, "training": training, "value_range": value_range, "binarised": source.binarised}
    return facts | asdict(about)


def known_model(name: str) -> tuple[str, str]:
    """Return the data set and the model of `<dataset>/<model>`; raises `InputError` if conf does not have them."""
    dataset, _, model = name.partition("/")
    known = sorted(file.stem for file in config.CONF.glob("*.yaml"))
    if not model or "/" in model or not known:
        raise InputError(f"name must be the {NAME}, got {name!r}" + ("" if known else " (and no folder conf)"))
    conf = config.dataset(dataset, "name")
    if model not in conf.all_models:
        raise unknown(f"name (for {config.conf_file(dataset)})", model, conf.all_models)
    return dataset, model


def measured(name: str, seed: int) -> dict[str, dict[str, float]]:
    """Return the metrics of a trained model on test images, by name.

    Each has the value of this seed and, as in the report, the mean over n seeds with the half-width of its 95 % interval. The
    result is empty if the model was not evaluated.
    """
    evaluated, classified = (storage.run_folder(*name.split("/")) / table for table in TABLES)
    columns = storage.read_columns(evaluated) if evaluated.exists() else {"seed": []}
    if classified.exists():
        columns = with_classification(columns, storage.read_columns(classified), classified)
    if seed not in columns["seed"]:
        return {}
    samples, metrics = {metric: columns[metric] for metric in METRICS if metric in columns}, {}
    position, measured = columns["seed"].index(seed), with_values(samples.values())
    for metric, values in samples.items():
        mean = over_seeds(values, measured)
        facts = {"value": values[position], "mean": mean.mean, "half_width": mean.half_width, "n": mean.n}
        metrics[metric] = {key: value if np.isfinite(value) else None for key, value in facts.items()}
    return metrics
