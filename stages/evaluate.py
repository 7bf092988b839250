"""Measure and picture one trained model on the test set, seed by seed: metrics.csv and pictures.npz."""

import argparse

from tqdm import tqdm

from aebench import errors, judge, params, runs
from aebench.metrics import METRICS
from aebench.representation import Evaluation, represent
from aebench.representation.pictures import pictures
from aebench.training import place


def main(dataset: str, model: str) -> None:
    """`python -m stages.evaluate <dataset> <model>`."""
    settings = params.check(Evaluation, params.dataset(dataset).evaluation, f"{params.conf_file(dataset)}:evaluation")
    device = place(settings.device, settings.threads)
    folder = runs.folder(dataset, model)
    trained = runs.load_trained(folder / "weights.safetensors")
    columns: dict[str, list] = {"seed": list(trained.seeds)} | {name: [] for name in METRICS}
    train, validation, test = (runs.load_split(dataset, name) for name in runs.SPLITS)
    seen = represent(trained, (train, validation), test, settings, device, judge.load(judge.file(dataset), device))
    for i, representation in enumerate(tqdm(seen, total=len(trained.seeds), desc="evaluating", unit="seed")):
        for name, metric in METRICS.items():
            columns[name].append(metric.measure(representation))
        if i == 0:
            runs.write_arrays(folder / "pictures.npz", **pictures(trained, representation, settings))
    runs.write_columns(folder / "metrics.csv", columns)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("model")
    with errors.one_line():
        main(**vars(parser.parse_args()))
