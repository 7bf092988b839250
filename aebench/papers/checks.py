"""Check the settings of a paper that its schema does not cover: those of data and models, and names of runs and measures."""

from collections.abc import Mapping

import numpy as np
import torch

from aebench import config, data, models
from aebench.errors import InputError, check_names, unknown
from aebench.papers.measures import LIKELIHOOD, MEASURES, POSTERIOR, UNIT_CODE
from aebench.papers.settings import Paper, Run
from aebench.storage import Split
from aebench.training.memory import check_size


def check(paper: Paper, path: str) -> None:
    """Raise `InputError` for the first invalid setting; `path` is the file, followed by a colon."""
    pixels = data.check(paper.data, f"{path}data").pixels
    check_names(paper.runs, f"{path}runs")
    for name, run in paper.runs.items():
        _check_run(paper, run, f"{path}runs.{name}", pixels)
    for i, row in enumerate(paper.rows):
        relative_to = [row.relative_to] if row.relative_to is not None else []
        _check_named(paper, f"{path}rows.{i}", row.measure, {"run": [row.run], "relative_to": relative_to})
    for i, ranking in enumerate(paper.rankings):
        _check_named(paper, f"{path}rankings.{i}", ranking.measure, {"lower": ranking.lower, "higher": ranking.higher})
        if twice := set(ranking.lower) & set(ranking.higher):
            raise InputError(f"{path}rankings.{i}.higher must not contain runs of lower, got {', '.join(sorted(twice))}")


def training(paper: Paper, changes: dict, path: str) -> config.Training:
    """Return the training settings of the paper, overridden by `changes`; `path` is where the latter are written."""
    return config.check(config.Training, paper.training.model_dump() | changes, path)


def _check_named(paper: Paper, path: str, measure: str, runs: Mapping[str, list[str]]) -> None:
    """Check that `runs`, by the key below `path` that names them, exist and have the measure."""
    for key, names in runs.items():
        for run in names:
            if run not in paper.runs:
                raise unknown(f"{path}.{key}", run, paper.runs)
            if measure not in (measured := paper.runs[run].measures):
                raise unknown(f"{path}.measure (of runs.{run}.measures)", measure, measured)


def _check_run(paper: Paper, run: Run, path: str, pixels: int | None) -> None:
    kind = models.find(run.model, f"{path}.model")
    config.check(kind.Settings, run.model, f"{path}.model")
    _check_unlabelled(paper, run.model.get("training", {}), f"{path}.model.training")
    for i, layer in enumerate(run.model.get("layers", ())):
        _check_unlabelled(paper, layer.get("training", {}), f"{path}.model.layers.{i}.training")
    if run.classifier is not None:
        training(paper, run.classifier, f"{path}.classifier")
    for measure in run.measures:
        if measure not in MEASURES:
            raise unknown(f"{path}.measures", measure, MEASURES)
        if MEASURES[measure].subject == "classifier" and run.classifier is None:
            raise InputError(f"{path}.classifier must be given for the measure {measure}, got nothing")
    if pixels is not None:
        check_size(run.model, pixels, f"{path}.model")
        _check_measured(run, models.build(run.model, pixels, f"{path}.model"), f"{path}.measures", pixels)


def _check_unlabelled(paper: Paper, changes: dict, path: str) -> None:
    own = training(paper, changes, path)
    if own.criterion != "loss":
        raise InputError(f"{path}.criterion must be loss except in classifier, got {own.criterion}")


def _check_measured(run: Run, model: models.Autoencoder, path: str, pixels: int) -> None:
    """Raise `InputError` for a measure that the model does not have."""
    images = torch.zeros(1, pixels)
    posterior = model.posterior(images)
    lacks = {
        POSTERIOR: not posterior,
        LIKELIHOOD: not posterior or model.nll(images, posterior[0]) is None,
        UNIT_CODE: _code_activation(model) != "sigmoid",
    }
    for measure in run.measures:
        if lacks.get(need := MEASURES[measure].needs):
            raise InputError(f"{path} must be measures of this model, got {measure}, which needs {need}")


def _code_activation(model: models.Autoencoder) -> str | None:
    """Return the activation of the code, that of a stack's last layer."""
    last = getattr(model, "layers", [model])[-1]
    return getattr(last.settings, "code_activation", None)


def check_images(paper: Paper, splits: Mapping[str, Split], path: str) -> None:
    """Raise `InputError` if a likelihood of binary images is to be measured on grey ones."""
    images = splits["test"].images
    binary = bool(np.isin(images, (0, 1)).all())
    for name, run in paper.runs.items():
        if binary or "nll" not in run.measures:
            continue
        model = models.build(run.model, images.shape[1], f"{path}runs.{name}.model")
        if getattr(model.settings, "observation", None) == "bernoulli":
            raise InputError(f"{path}data.binarised must be static or dynamic for nll (of runs.{name}), got grey images")
