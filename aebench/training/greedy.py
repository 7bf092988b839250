"""Greedy layer-wise pretraining of a stacked autoencoder. Layers that are already trained are loaded from disk.

    runs/<dataset>/<model>/layers/<l>.safetensors   weights of layer l for all seeds, and a hash of everything they depend on
    runs/<dataset>/<model>/layers/<l>.csv           training history of layer l
    runs/<dataset>/<model>/layers.csv               seed, loss.<l> and probe.<l> on validation images; probe.0: of the pixels

The hash covers seeds, code, data, and the settings of the layer and of those below it, but not of those above.
"""

import hashlib
import json
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from aebench import models, storage
from aebench.classifiers.ridge import ridge_accuracy
from aebench.errors import InputError
from aebench.training.ensemble import Ensemble
from aebench.training.run import TRAINING_SPLITS, TrainingRun


@dataclass(frozen=True)
class Pretrained:
    """A stacked autoencoder after pretraining, and the total cost of pretraining its layers."""

    ensemble: Ensemble
    seconds: float
    updates: int


def pretrain(run: TrainingRun) -> None:
    """Pretrain all layers, from the bottom up, and write the loss and probe accuracy of each to layers.csv."""
    ensemble, images = run.ensemble(), run.images
    labels = [storage.load_split(run.dataset, split).labels for split in TRAINING_SPLITS]
    pixels = _probe_accuracies(images.train[None], images.validation[None], labels) * len(run.seeds)
    table = {"seed": list(run.seeds), "probe.0": pixels}

    def train(i: int, layer: Ensemble, images: models.Images) -> None:
        unchanged = _is_trained(run, i)
        print(f"layer {i + 1}: {'unchanged' if unchanged else 'training'}", file=sys.stderr)
        if not unchanged:
            _train(run, i, layer, images)
        layer.load(_load(run, i).state)
        table[f"loss.{i + 1}"] = _losses(run, i)
        table[f"probe.{i + 1}"] = _probe_accuracies(layer.codes(images.train), layer.codes(images.validation), labels)
        storage.write_columns(run.folder / "layers.csv", table)

    ensemble.model.pretrain(ensemble, images, train)
    current = {file for i in range(len(run.settings["layers"])) for file in _files(run, i)}
    for stale in set((run.folder / "layers").iterdir()) - current:
        stale.unlink()


def load_pretrained(run: TrainingRun) -> Pretrained:
    """Load the layers that `pretrain` has trained."""
    ensemble, layers = run.ensemble(), []
    for i in range(len(run.settings["layers"])):
        trained = _load(run, i)
        ensemble.load(trained.state, f"layers.{i}.")
        layers.append(trained.settings)
    return Pretrained(ensemble, sum(layer["seconds"] for layer in layers), sum(layer["updates"] for layer in layers))


def _files(run: TrainingRun, i: int) -> tuple[Path, Path]:
    """Return the files of the weights and the history of layer i."""
    return tuple(run.folder / "layers" / f"{i + 1}.{suffix}" for suffix in ("safetensors", "csv"))


def _load(run: TrainingRun, i: int) -> storage.Trained:
    return storage.load_trained(_files(run, i)[0])


def _digest(run: TrainingRun, i: int) -> str:
    training = run.training  # its device and products are used for all layers
    products = [training.device, training.blas, training.precision]
    origin = [run.origin, run.conf.training.model_dump(), products, run.settings["layers"][: i + 1]]
    return hashlib.sha256(json.dumps(origin, sort_keys=True).encode()).hexdigest()


def _is_trained(run: TrainingRun, i: int) -> bool:
    if not all(file.exists() for file in _files(run, i)):
        return False
    try:
        return _load(run, i).settings["digest"] == _digest(run, i)
    except InputError:  # a layer in a former format, which DVC keeps: it is trained again
        return False


def _train(run: TrainingRun, i: int, layer: Ensemble, images: models.Images) -> None:
    weights_file, history_file = _files(run, i)
    layers, start = run.settings["layers"][: i + 1], time.perf_counter()
    history = run.minimise(layer, images, layers[i].get("training", {}), layers)
    seconds = history.earlier + time.perf_counter() - start
    facts = {"digest": _digest(run, i), "seconds": seconds, "updates": int(history.updates.max())}
    facts |= {"failed": history.failed.tolist()}
    storage.save_history(history_file, run.seeds, history)
    storage.save_trained(weights_file, storage.Trained(facts, (images.train.shape[-1],), run.seeds, layer.state))


def _losses(run: TrainingRun, i: int) -> list[float]:
    """Return the validation loss of each seed at the selected epoch; NaN for a seed that failed."""
    columns, failed = storage.read_columns(_files(run, i)[1]), _load(run, i).settings["failed"]
    seeds, losses = (np.array(columns[name]) for name in ("seed", "validation.loss"))
    pairs = zip(run.seeds, failed, strict=True)
    return [math.nan if epoch else float(losses[seeds == seed].min()) for seed, epoch in pairs]


def _probe_accuracies(codes: Tensor, queries: Tensor, labels: list[np.ndarray]) -> list[float]:
    """Return the accuracy per seed of a ridge probe fitted to codes (S, n, k), on queries (S, m, k)."""
    pairs = zip(codes.cpu().numpy(), queries.cpu().numpy(), strict=True)
    return [ridge_accuracy(train, labels[0], validation, labels[1]) for train, validation in pairs]
