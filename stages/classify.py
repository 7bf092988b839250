"""Classify the test images by the fine-tuned classifiers of a stack, seed by seed: classification.csv."""

import argparse

import torch

from aebench import errors, runs
from aebench.experiment import Experiment
from aebench.finetuning import Finetuning


def main(dataset: str, row: str) -> None:
    """`python -m stages.classify <dataset> <row>`."""
    finetuning, test = Finetuning(Experiment(dataset, row)), runs.load_split(dataset, "test")
    images, labels = (torch.from_numpy(part).to(finetuning.row.device) for part in (test.images, test.labels))
    trained = runs.load_trained(finetuning.row.folder / "classifiers.safetensors")
    columns: dict[str, list] = {"seed": list(trained.seeds)}
    for start, fraction in finetuning:
        ensemble, prefix = finetuning.classifiers(start), f"{start}/{fraction}/"
        ensemble.load({n.removeprefix(prefix): value for n, value in trained.state.items() if n.startswith(prefix)})
        correct = ensemble.codes(images).argmax(2) == labels
        columns[f"{start}.{fraction}"] = (100 * correct.double().mean(1)).tolist()
    runs.write_columns(finetuning.row.folder / "classification.csv", columns)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("row")
    with errors.one_line():
        main(**vars(parser.parse_args()))
