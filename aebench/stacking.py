"""The layers of a stacked autoencoder as files: a layer that has not changed is not trained again.

runs/<dataset>/<row>/layers/<l>.safetensors   weights of layer l, every seed, and what they were made from
runs/<dataset>/<row>/layers/<l>.csv           history of its training
runs/<dataset>/<row>/layers.csv               seed, then loss.<l> and probe.<l> on validation; probe.0 is of the pixels

A layer's digest covers seeds, code, data and the blocks of this layer and those below: what lies above does not matter.
"""

import hashlib
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from aebench import models, runs
from aebench.experiment import PARTS, Experiment
from aebench.probe import ridge_accuracy
from aebench.training.ensemble import Ensemble


@dataclass(frozen=True)
class Greedy:
    """What pretraining gave a fine-tuning: replicas with the layers' weights, and what these had cost in all."""

    ensemble: Ensemble
    seconds: float
    updates: int


def pretrain(row: Experiment) -> None:
    """Train the row's layers bottom up, or take them from their files; loss and probe after each in layers.csv."""
    ensemble, labels = row.ensemble(), [runs.load_split(row.dataset, part).labels for part in PARTS]
    table = {"seed": list(row.seeds), "probe.0": _probes(row.images.train[None], row.images.validation[None], labels)}
    table["probe.0"] *= len(row.seeds)

    def layer(i: int, part: Ensemble, images: models.Images) -> None:
        if not _known(row, i):
            _train(row, i, part, images)
        part.load(_trained(row, i).state)
        table[f"loss.{i + 1}"] = _losses(row, i)
        table[f"probe.{i + 1}"] = _probes(part.codes(images.train), part.codes(images.validation), labels)

    for _ in ensemble.model.pretrain(ensemble, row.images, layer):
        runs.write_columns(row.folder / "layers.csv", table)
    wanted = {file for i in range(len(row.block["layers"])) for file in _files(row, i)}
    for stale in set((row.folder / "layers").iterdir()) - wanted:
        stale.unlink()


def greedy(row: Experiment) -> Greedy:
    """The row's replicas as pretraining left them."""
    ensemble, facts = row.ensemble(), []
    for i in range(len(row.block["layers"])):
        trained = _trained(row, i)
        ensemble.load(trained.state, f"layers.{i}.")
        facts.append(trained.block)
    return Greedy(ensemble, sum(fact["seconds"] for fact in facts), sum(fact["updates"] for fact in facts))


def _files(row: Experiment, i: int) -> tuple[Path, Path]:
    return tuple(row.folder / "layers" / f"{i + 1}.{ending}" for ending in ("safetensors", "csv"))


def _trained(row: Experiment, i: int) -> runs.Trained:
    return runs.load_trained(_files(row, i)[0])


def _digest(row: Experiment, i: int) -> str:
    made_from = [row.origin, row.base.model_dump(), row.block["layers"][: i + 1]]
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()


def _known(row: Experiment, i: int) -> bool:
    known = all(file.exists() for file in _files(row, i)) and _trained(row, i).block["digest"] == _digest(row, i)
    print(f"layer {i + 1}: {'as it was' if known else 'training'}", file=sys.stderr)
    return known


def _train(row: Experiment, i: int, part: Ensemble, images: models.Images) -> None:
    weights, losses = _files(row, i)
    start = time.perf_counter()
    history = row.minimise(part, images, row.block["layers"][i].get("training", {}), row.block["layers"][: i + 1])
    seconds = history.earlier + time.perf_counter() - start
    facts = {"digest": _digest(row, i), "seconds": seconds, "updates": int(history.updates.max())}
    runs.save_history(losses, row.seeds, history)
    runs.save_trained(weights, runs.Trained(facts, (images.train.shape[-1],), row.seeds, part.state))


def _losses(row: Experiment, i: int) -> list[float]:
    """Least validation loss of each seed, the epoch that was kept."""
    columns = runs.read_columns(_files(row, i)[1])
    seeds, losses = (np.array(columns[name]) for name in ("seed", "validation.loss"))
    return [float(losses[seeds == seed].min()) for seed in row.seeds]


def _probes(codes: Tensor, queries: Tensor, labels: list[np.ndarray]) -> list[float]:
    """A probe a seed, of codes (S, n, k) and queries (S, m, k)."""
    pairs = zip(codes.cpu().numpy(), queries.cpu().numpy(), strict=True)
    return [ridge_accuracy(a, labels[0], b, labels[1]) for a, b in pairs]
