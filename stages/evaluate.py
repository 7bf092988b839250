"""Measure and picture one trained model on the test set, seed by seed: metrics.csv, profiles.csv, pictures.npz."""

import argparse

import torch
from tqdm import tqdm

from aebench import errors, judge, params, runs
from aebench.metrics import METRICS, PROFILES
from aebench.representation import Evaluation, represent
from aebench.representation.pictures import pictures
from aebench.representation.speed import throughput
from aebench.training import place


def main(dataset: str, model: str) -> None:
    """`python -m stages.evaluate <dataset> <model>`."""
    settings = params.check(Evaluation, params.dataset(dataset).evaluation, f"{params.conf_file(dataset)}:evaluation")
    device = place(settings.device, settings.threads)
    folder = runs.folder(dataset, model)
    trained = runs.load_trained(folder / "weights.safetensors")
    scores, profiles = ({"seed": list(trained.seeds)} for _ in range(2))
    train, validation, test = (runs.load_split(dataset, name) for name in runs.SPLITS)
    seen = represent(trained, (train, validation), test, settings, device, judge.load(judge.file(dataset), device))
    for i, representation in enumerate(tqdm(seen, total=len(trained.seeds), desc="evaluating", unit="seed")):
        for name, metric in METRICS.items():
            scores.setdefault(name, []).append(metric.measure(representation))
        for name, profile in PROFILES.items():
            for at, value in profile.measure(representation).items():
                profiles.setdefault(f"{name}/{at}", []).append(value)
        if i == 0:
            runs.write_arrays(folder / "pictures.npz", **pictures(trained, representation, settings))
    runs.write_json(folder / "inference.json", throughput(trained, torch.from_numpy(test.images).to(device)))
    runs.write_columns(folder / "metrics.csv", scores)
    runs.write_columns(folder / "profiles.csv", profiles)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("model")
    with errors.one_line():
        main(**vars(parser.parse_args()))
