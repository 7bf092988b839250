"""Learning rates, tuned alike for every row: the same rates, the same short training, one seed that no table uses.

The criterion is the row's own loss on validation images, the only one that asks of each model what it is trained for; test
images are never read. Rates alone are tuned: weights of penalties and levels of noise say what a row is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from aebench import params, runs
from aebench.experiment import Experiment
from aebench.params import Schema
from aebench.training.minimise import minimise


class Search(Schema):
    """conf/<dataset>.yaml:search."""

    learning_rates: Annotated[list[PositiveFloat], Field(min_length=2)]
    epochs: PositiveInt
    seed: NonNegativeInt


@dataclass(frozen=True)
class Trial:
    """One rate of one row and the least validation loss it led to; NaN if it diverged."""

    row: str
    learning_rate: float
    loss: float


def line(trials: list[Trial]) -> str:
    """A row's trials in words, the best one last."""
    best = min(trials, key=lambda trial: trial.loss)
    tried = ", ".join(f"{trial.learning_rate:g}: {trial.loss:.4g}" for trial in trials)
    return f"{best.row}: {tried}; best {best.learning_rate:g}"


def write(dataset: str, trials: list[Trial]) -> Path:
    """reports/<dataset>/search.csv."""
    fields = ("row", "learning_rate", "loss")
    path = runs.REPORTS / dataset / "search.csv"
    runs.write_columns(path, {field: [getattr(trial, field) for trial in trials] for field in fields})
    return path


def settings(dataset: str) -> Search:
    """The data set's search."""
    return params.check(Search, params.dataset(dataset).search, f"{params.conf_file(dataset)}:search")


def trials(dataset: str, row: str) -> Iterator[Trial]:
    """Every rate of the search for one row; nothing for a model that is not descended."""
    search, experiment = settings(dataset), Experiment(dataset, row)
    experiment.seeds = (search.seed,)
    for rate in search.learning_rates:

        def descend(ensemble, images, changes=None, rate=rate):
            changes = experiment.block.get("training", {}) if changes is None else changes
            return minimise(ensemble, images, experiment.training(changes | {"learning_rate": rate, "epochs": search.epochs}))

        ensemble = experiment.ensemble()
        history = ensemble.model.fit(ensemble, experiment.images, descend)
        if not history.terms:
            return
        yield Trial(row, rate, float(np.min(history.terms["validation.loss"])))
