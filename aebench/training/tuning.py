"""Learning-rate search: the same rates for every model, a short training run and a dedicated seed.

The criterion is the model's own loss on validation images; test images are never read. The search tunes rates only, not the
weight of a penalty or the level of a corruption. Settings that were chosen in another way are commented in conf/<dataset>.yaml.
"""

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt

from aebench import config, storage
from aebench.config import Schema, Seed
from aebench.errors import InputError
from aebench.training.minimise import minimise
from aebench.training.run import TrainingRun


class SearchSettings(Schema):
    """Settings of the grid search over learning rates: conf/<dataset>.yaml:search."""

    learning_rates: Annotated[list[PositiveFloat], Field(min_length=2)]
    epochs: PositiveInt
    seed: Seed


@dataclass(frozen=True)
class Trial:
    """A learning rate of a model and the lowest validation loss reached with it; NaN if training failed."""

    model: str
    learning_rate: float
    loss: float


def summary(trials: list[Trial]) -> str:
    """Return the trials of one model as a line of text that ends with the best learning rate, if there is one."""
    losses = ", ".join(f"{trial.learning_rate:g}: {trial.loss:.4g}" for trial in trials)
    finite = [trial for trial in trials if math.isfinite(trial.loss)]
    best = f"best {min(finite, key=lambda trial: trial.loss).learning_rate:g}" if finite else "training failed with every rate"
    return f"{trials[0].model}: {losses}; {best}"


def file(dataset: str) -> Path:
    """Return reports/<dataset>/search.csv."""
    return storage.REPORTS / dataset / "search.csv"


def write(dataset: str, trials: list[Trial]) -> Path:
    """Write the trials to `file`, in which those of other models are kept."""
    path, columns = file(dataset), [field.name for field in fields(Trial)]
    models = {trial.model for trial in trials}
    trials = [*(trial for trial in recorded(dataset) if trial.model not in models), *trials]
    storage.write_columns(path, {column: [getattr(trial, column) for trial in trials] for column in columns})
    return path


def recorded(dataset: str) -> list[Trial]:
    """Return the trials in `file`, if it exists; raises `InputError` if it is damaged."""
    path = file(dataset)
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            return [Trial(x["model"], float(x["learning_rate"]), _loss(x["loss"])) for x in csv.DictReader(stream)]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as damage:
        got = f"{type(damage).__name__}: {damage}"
        raise InputError(f"{path} must be as aebench tune wrote it (delete it to begin again), got {got}") from None


def _loss(cell: str | None) -> float:
    """Return the loss in a cell, NaN if it is empty; raises `ValueError` if the line ends before it."""
    if cell is None:
        raise ValueError("a line without a loss")
    return float(cell or "nan")


def search(dataset: str, model: str) -> Iterator[Trial]:
    """Train one model with every learning rate; yield nothing for a model that is not trained by gradient descent."""
    settings = config.check(SearchSettings, config.dataset(dataset).search, f"{config.conf_file(dataset)}:search")
    run = TrainingRun(dataset, model)
    run.seeds = (settings.seed,)
    for rate in settings.learning_rates:

        def train(ensemble, images, changes=None, rate=rate):
            changes = run.settings.get("training", {}) if changes is None else changes
            changes = changes | {"learning_rate": rate, "epochs": settings.epochs}
            return minimise(ensemble, images, run.training_settings(changes))

        ensemble = run.ensemble()
        history = ensemble.model.fit(ensemble, run.images, train)
        if not history.terms:
            return
        yield Trial(model, rate, math.nan if history.failed[0] else float(np.min(history.terms["validation.loss"])))
