"""Trained models in files: `load` reads those of the pipeline and those written by `export`.

An exported model is a folder:

    weights.safetensors   weights of one seed, with the model's settings
    about.json            data set, image shape, classes, values of black and white, settings of training, metrics
    README.md             model card
    encoder.onnx, ...     optional, see `aebench.estimators.export`
"""

import math
from contextlib import chdir
from dataclasses import replace
from numbers import Integral
from pathlib import Path
from typing import Any

from aebench import config, storage
from aebench.errors import InputError
from aebench.estimators.about import ABOUT, WEIGHTS, describe, known_model
from aebench.estimators.base import Estimator
from aebench.estimators.factory import estimator
from aebench.estimators.inputs import check_range
from aebench.evaluation.replicas import first_trained
from aebench.storage.lock import Lock

CARD = "README.md"
PLACES = (Path(), Path("own"))
"""Where results are looked for, in this order: the current folder, and the workspace in which selections run."""
FACTS = ("name", "training", "value_range", "title", "shape", "classes", "source", "licence")
"""What about.json has for `load`."""


def load(name: str | Path, seed: int | None = None, value_range: tuple[float, float] | None = None) -> Estimator:
    """Return a trained model as a fitted estimator.

    Parameters
    ----------
    name : str or Path
        `<dataset>/<model>`, trained by the pipeline in the current folder or else in its workspace `own`, or the path of a
        folder written by `aebench export`. A folder that is called like a trained model is given as `./<dataset>/<model>` or
        as a Path.
    seed : int or None
        One of the seeds with which the model was trained; None is the first that did not fail.
    value_range : (low, high) or None
        Values of black and white in the images that will be given; None: those of the data set, such as (0, 255).

    Raises `InputError`, a ValueError, for an unknown model or seed, or if settings in conf have changed since the training.
    """
    folder = Path(name)
    if (folder / ABOUT).is_file() and not (isinstance(name, str) and is_trained(name)):
        about, trained = read_export(folder)
    else:
        with chdir(place_of(str(name))):
            about, trained = describe(str(name)), storage.load_trained(storage.run_folder(*str(name).split("/")) / WEIGHTS)
            check_settings(str(name), trained)
    return fitted(of_seed(trained, seed, str(name)), about, value_range)


def is_trained(name: str) -> bool:
    """Whether the pipeline has weights of a model called `<dataset>/<model>`."""
    dataset, _, model = name.partition("/")
    return (config.CONF / f"{dataset}.yaml").is_file() and bool(_places(dataset, model))


def place_of(name: str) -> Path:
    """Return the first of `PLACES` that has the weights of the model `<dataset>/<model>`; raises `InputError` if none has."""
    dataset, model = known_model(name)
    if places := _places(dataset, model):
        return places[0]
    remedy = f"make reproduce DATASETS={dataset}"
    remedy += f" MODELS={model}" if model in config.dataset(dataset).models else ""  # a stack cannot be selected alone
    got = " or ".join(str(place / storage.run_folder(dataset, model)) for place in PLACES)
    raise InputError(f"{name} must have been trained, got no weights in {got}: `{remedy}` trains it")


def _places(dataset: str, model: str) -> list[Path]:
    """Return those of `PLACES` that have the weights of a model."""
    return [place for place in PLACES if (place / storage.run_folder(dataset, model) / WEIGHTS).is_file()]


def read_export(folder: Path) -> tuple[dict[str, Any], storage.Trained]:
    """Return what is known about an exported model, and its weights; raises `InputError` if a file is damaged."""
    try:
        about, trained = storage.read_json(folder / ABOUT), storage.load_trained(folder / WEIGHTS)
        facts = {name: about[name] for name in (*FACTS, "metrics")}
        return facts | {"binarised": about.get("binarised")}, trained  # exports of earlier versions do not have it
    except InputError:
        raise
    except Exception as damage:  # errors of many types
        got = f"{type(damage).__name__}: {damage}"
        raise InputError(f"{folder} must have the files that aebench export wrote, got {got}") from None


def check_settings(name: str, trained: storage.Trained) -> None:
    """Raise `InputError` if settings of a model, its training or its data in conf have changed since it was trained."""
    dataset, _, model = name.partition("/")
    file, conf = config.conf_file(dataset), config.dataset(dataset)
    changed = [] if conf.all_models[model] == trained.settings else [f"{conf.section_of(model)}.{model}"]
    if changed := changed or changed_blocks(dataset, model):
        got = f"got others of {' and '.join(changed)}"
        raise InputError(f"{name} must be trained with the settings of {file}, {got}: run `aebench run`")


def changed_blocks(dataset: str, model: str) -> list[str]:
    """Return which of the blocks `data` and `training` of conf differ from those in dvc.lock, with which a model was trained.

    Data that were prepared again with other images have changed, too. What DVC did not run is not checked.
    """
    file, lock = config.conf_file(dataset), Lock.read([dataset])
    images, weights = storage.split_file(dataset, "train").as_posix(), (storage.run_folder(dataset, model) / WEIGHTS).as_posix()
    written = {path: entry for entry in lock.current(dataset, [model]) for path in entry.outs}
    prepared, trained, now = written.get(images), written.get(weights), storage.read_yaml(file)
    changed = [
        block
        for block, entry in {"data": prepared, "training": trained}.items()
        if entry and entry.params.get(file.as_posix(), {}).get(block) != now[block]
    ]
    if prepared and trained and trained.deps.get(images) != prepared.outs[images] and "data" not in changed:
        changed.insert(0, "data")
    return changed


def of_seed(trained: storage.Trained, seed: int | None, name: str) -> storage.Trained:
    """Keep the weights of one seed, by default the first that did not fail. A deterministic model has one for all."""
    seed = trained.seeds[first_trained(trained)] if seed is None else seed
    if seed not in trained.seeds or isinstance(seed, bool) or not isinstance(seed, Integral):
        raise InputError(f"seed of {name} must be one of {', '.join(map(str, trained.seeds))}, got {seed!r}")
    position, seed = trained.seeds.index(seed), int(seed)
    if any(bool(value[position].isnan().any()) for value in trained.state.values()):
        raise InputError(f"seed of {name} must be one whose training did not fail, got {seed}: its loss was not finite")
    return replace(trained, seeds=(seed,), state={name: value[position][None] for name, value in trained.state.items()})


def fitted(trained: storage.Trained, about: dict[str, Any], value_range: tuple[float, float] | None = None) -> Estimator:
    """Return the estimator with the weights of one seed."""
    value_range = about["value_range"] if value_range is None else value_range
    if value_range is None:
        raise InputError(f"value_range must be given for {about['name']}, whose conf has no data.maximum, got nothing")
    value_range = check_range(value_range, "value_range")
    kind = estimator(trained.settings["kind"])
    settings = {name: value for name, value in trained.settings.items() if name in kind.model_parameters}
    training = {name: value for name, value in about["training"].items() if name in kind.training_parameters}
    model = kind(**settings | training, value_range=value_range, random_state=trained.seeds[0])
    model.trained_, model.seed_ = trained, trained.seeds[0]
    model.image_shape_, model.value_range_ = tuple(trained.shape), value_range
    model.n_features_in_ = math.prod(trained.shape)
    model._n_features_out = model.module().latent_dim
    model.history_, model.best_epoch_, model.about = {}, None, about
    return model
