"""Check the settings of a paper that its schema does not cover: those of data and models, and names of runs and measures."""

from collections.abc import Iterator, Mapping

import numpy as np
import torch

from aebench import config, data, models
from aebench.errors import InputError, check_names, unknown
from aebench.papers.measures import LIKELIHOOD, MEASURES, POSTERIOR, UNIT_CODE
from aebench.papers.settings import Paper, Run, check_references
from aebench.storage import Split
from aebench.training.memory import check_size


def check(paper: Paper, path: str) -> None:
    """Raise `InputError` for the first invalid setting; `path` is the file, followed by a colon."""
    pixels = data.check(paper.data, f"{path}data").pixels
    check_names(paper.runs, f"{path}runs")
    for name, run in paper.runs.items():
        _check_run(paper, run, f"{path}runs.{name}", pixels)
    check_references(paper, path)


def training(paper: Paper, changes: dict, path: str) -> config.Training:
    """Return the training settings of the paper, overridden by `changes`; `path` is where the latter are written."""
    settings = config.check(config.Training, paper.training.model_dump() | changes, path)
    if settings.threads > config.MOST_THREADS:
        raise InputError(f"{path}.threads must be at most {config.MOST_THREADS}, got {settings.threads}")
    return settings


def devices(paper: Paper, path: str) -> Iterator[tuple[str, str]]:
    """Yield (where it is written, device) of the training and the evaluation of all runs."""
    yield f"{path}training.device", paper.training.device
    yield f"{path}compute.device", paper.compute.device
    for name, run in paper.runs.items():
        where = f"{path}runs.{name}.model.training"
        yield f"{where}.device", training(paper, run.model.get("training", {}), where).device


def _check_run(paper: Paper, run: Run, path: str, pixels: int | None) -> None:
    kind = models.find(run.model, f"{path}.model")
    config.check(kind.Settings, run.model, f"{path}.model")
    _check_unlabelled(paper, run.model.get("training", {}), f"{path}.model.training")
    for i, layer in enumerate(run.model.get("layers", ())):
        _check_phase(own := layer.get("training", {}), where := f"{path}.model.layers.{i}.training")
        _check_unlabelled(paper, own, where)
    if run.classifier is not None:
        _check_phase(run.classifier, f"{path}.classifier")
        training(paper, run.classifier, f"{path}.classifier")
    for measure in run.measures:
        if measure not in MEASURES:
            raise unknown(f"{path}.measures", measure, MEASURES)
        if MEASURES[measure].subject == "classifier" and run.classifier is None:
            raise InputError(f"{path}.classifier must be given for the measure {measure}, got nothing")
    if pixels is not None:
        check_size(run.model, pixels, f"{path}.model")
        _check_measured(run, models.build(run.model, pixels, f"{path}.model"), f"{path}.measures", pixels)


def _check_phase(changes: Mapping[str, object], path: str) -> None:
    """Raise `InputError` for a setting that all phases of the training of a run share."""
    if shared := [name for name in ("device", "blas", "precision") if name in changes]:
        raise InputError(f"{path} must not have {shared[0]}, which is set in the training of the paper or of the model")


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
