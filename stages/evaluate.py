"""Measure and picture one trained model on the test set: metrics.csv, profiles.csv, pictures.npz and inference.json."""

import argparse
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from aebench import errors, judge, runs
from aebench.metrics import METRICS, PROFILES
from aebench.parallel import side_by_side
from aebench.representation import evaluation, place, represent, view_of
from aebench.representation.pictures import pictures
from aebench.representation.speed import throughput


class Found(NamedTuple):
    """What was measured of a seed; pictures of the first alone."""

    scores: dict[str, float]
    profiles: dict[str, float]
    pictures: dict[str, np.ndarray]


def main(dataset: str, model: str) -> None:
    """`python -m stages.evaluate <dataset> <model>`."""
    settings, folder = evaluation(dataset), runs.folder(dataset, model)
    trained = runs.load_trained(folder / "weights.safetensors")
    work = side_by_side(partial(measured, dataset, model), range(len(trained.seeds)), settings.processes)
    found = list(tqdm(work, total=len(trained.seeds), desc="evaluating", unit="seed"))
    images = torch.from_numpy(runs.load_split(dataset, "test").images).to(place(settings))
    runs.write_arrays(folder / "pictures.npz", **found[0].pictures)
    runs.write_json(folder / "inference.json", throughput(trained, images))
    for file, parts in (("metrics.csv", [each.scores for each in found]), ("profiles.csv", [each.profiles for each in found])):
        runs.write_columns(folder / file, {"seed": trained.seeds} | {name: [part[name] for part in parts] for name in parts[0]})


def measured(dataset: str, model: str, position: int) -> Found:
    """The numbers of the seed at a position."""
    trained = runs.load_trained(runs.folder(dataset, model) / "weights.safetensors")
    view = view_of(dataset, trained, position, judge.file(dataset))
    seen = represent(view)
    scores = {name: metric.measure(seen) for name, metric in METRICS.items()}
    profiles = {f"{name}/{at}": n for name, profile in PROFILES.items() for at, n in profile.measure(seen).items()}
    return Found(scores, profiles, pictures(trained, seen, view.settings) if view.first else {})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("model")
    with errors.one_line():
        main(**vars(parser.parse_args()))
