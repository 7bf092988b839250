"""The stage `evaluate`: metrics, profiles and pictures of one trained model on the test images, and its throughput.

metrics.csv      seed, and one column per metric
profiles.csv     seed, and one column `<profile>/<place>` per place of each profile
pictures.npz     arrays of the first seed for the figures
inference.json   images per second
"""

from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from aebench import storage
from aebench.evaluation.metrics import METRICS, PROFILES
from aebench.evaluation.parallel import side_by_side
from aebench.evaluation.pictures import pictures
from aebench.evaluation.replicas import select_device
from aebench.evaluation.representation import represent, view_of
from aebench.evaluation.settings import compute
from aebench.evaluation.throughput import throughput

STAGE = "evaluate"


class Measured(NamedTuple):
    """The results of one seed; only the first has pictures."""

    metrics: dict[str, float]
    profiles: dict[str, float]
    pictures: dict[str, np.ndarray]


def evaluate(dataset: str, model: str) -> None:
    """Write metrics.csv, profiles.csv, pictures.npz and inference.json of a trained model."""
    settings, folder = compute(dataset), storage.run_folder(dataset, model)
    trained = storage.load_trained(folder / "weights.safetensors")
    work = side_by_side(partial(measure_seed, dataset, model), range(len(trained.seeds)), settings.processes)
    seeds = list(tqdm(work, total=len(trained.seeds), desc="evaluating", unit="seed"))
    images = torch.from_numpy(storage.load_split(dataset, "test").images).to(select_device(settings))
    storage.write_arrays(folder / "pictures.npz", **seeds[0].pictures)
    storage.write_json(folder / "inference.json", throughput(trained, images))
    for name in ("metrics", "profiles"):
        rows = [getattr(seed, name) for seed in seeds]
        columns = {column: [row[column] for row in rows] for column in rows[0]}
        storage.write_columns(folder / f"{name}.csv", {"seed": trained.seeds} | columns)


def measure_seed(dataset: str, model: str, position: int) -> Measured:
    """The results of the seed at a position in the trained seeds."""
    trained = storage.load_trained(storage.run_folder(dataset, model) / "weights.safetensors")
    view = view_of(dataset, trained, position)
    arrays = represent(view)
    metrics = {name: metric.measure(arrays) for name, metric in METRICS.items() if metric.stage == STAGE}
    profiles = {
        f"{name}/{place}": value
        for name, profile in PROFILES.items()
        if profile.stage == STAGE
        for place, value in profile.measure(arrays).items()
    }
    return Measured(metrics, profiles, pictures(trained, arrays, view.settings.pictures) if view.first else {})
