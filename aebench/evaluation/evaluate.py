"""The stage `evaluate`: metrics, profiles and pictures of one trained model on the test images, and its throughput.

metrics.csv      the seed and one column per metric
profiles.csv     the seed and one column `<profile>/<position>` per position of each profile
pictures.npz     arrays of the first seed for the figures
inference.json   encoded and decoded images per second

A seed whose training failed, or whose codes or reconstructions are not finite or too large to be squared, has no values.
"""

import math
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from aebench import storage
from aebench.evaluation.metrics import METRICS, PROFILES
from aebench.evaluation.pictures import pictures
from aebench.evaluation.replicas import configure_compute, first_trained
from aebench.evaluation.representation import represent, view_of
from aebench.evaluation.settings import compute
from aebench.evaluation.throughput import throughput
from aebench.training.parallel import parallel_map

STAGE = "evaluate"


class SeedResults(NamedTuple):
    """Metrics, profiles and pictures of one seed; `pictures` is empty for all seeds but the first that did not fail.

    Metrics are NaN and there are no profiles if the seed has no values.
    """

    metrics: dict[str, float]
    profiles: dict[str, float]
    pictures: dict[str, np.ndarray]


def evaluate(dataset: str, model: str) -> None:
    """Write metrics.csv, profiles.csv, pictures.npz and inference.json of a trained model."""
    settings, folder = compute(dataset), storage.run_folder(dataset, model)
    trained = storage.load_trained(folder / "weights.safetensors")
    results = parallel_map(partial(evaluate_seed, dataset, model), range(len(trained.seeds)), settings.processes)
    seeds = list(tqdm(results, total=len(trained.seeds), desc="evaluating", unit="seed"))
    images = torch.from_numpy(storage.load_split(dataset, "test").images).to(configure_compute(settings))
    storage.write_arrays(folder / "pictures.npz", **seeds[first_trained(trained)].pictures)
    storage.write_json(folder / "inference.json", throughput(trained, images))
    for name in ("metrics", "profiles"):
        rows = [getattr(seed, name) for seed in seeds]
        columns = {column: [row.get(column, math.nan) for row in rows] for column in max(rows, key=len)}
        storage.write_columns(folder / f"{name}.csv", {"seed": trained.seeds} | columns)


def evaluate_seed(dataset: str, model: str, index: int) -> SeedResults:
    """Compute the results of the seed at `index` in the trained seeds."""
    trained = storage.load_trained(storage.run_folder(dataset, model) / "weights.safetensors")
    view = view_of(dataset, trained, index)
    names = [name for name, metric in METRICS.items() if metric.stage == STAGE]
    if not view.measurable:
        return SeedResults(dict.fromkeys(names, math.nan), {}, {})
    arrays = represent(view)
    metrics = {name: METRICS[name].measure(arrays) for name in names}
    profiles = {
        f"{name}/{position}": value
        for name, profile in PROFILES.items()
        if profile.stage == STAGE
        for position, value in profile.measure(arrays).items()
    }
    return SeedResults(metrics, profiles, pictures(trained, arrays, view.settings.pictures) if view.first else {})
