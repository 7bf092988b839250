"""Classify the test images, seed by seed: from frozen codes, and by what fine-tuning made of a stack's encoder.

classification.csv   seed, then a column <start>.<labels>: accuracy in %
probes.json          of the probes of frozen codes, by their labels: how many these are, and each seed's penalty; `confusion`,
                     with the most labels: a row a class, a column an answer, images summed over seeds
"""

import argparse
from functools import partial

import torch
from tqdm import tqdm

from aebench import errors, params, runs
from aebench.downstream import Answers, every_seed, probes
from aebench.experiment import Experiment
from aebench.finetuning import Finetuning
from aebench.parallel import side_by_side
from aebench.representation import evaluation, view_of


def main(dataset: str, row: str) -> None:
    """`python -m stages.classify <dataset> <row>`."""
    folder, seeds = runs.folder(dataset, row), params.suite().seeds
    work = side_by_side(partial(probed, dataset, row), range(len(seeds)), evaluation(dataset).processes)
    found = list(tqdm(work, total=len(seeds), desc="classifying", unit="seed"))
    finetuning, test = Finetuning(Experiment(dataset, row)), runs.load_split(dataset, "test")
    frozen = {f"frozen.{amount}": [each[amount].accuracy for each in found] for amount in found[0]}
    runs.write_columns(folder / "classification.csv", {"seed": seeds} | frozen | finetuned(finetuning, test))
    most = max(found[0], key=lambda amount: found[0][amount].labels)
    told = {a: {"labels": found[0][a].labels, "penalties": [each[a].penalty for each in found]} for a in found[0]}
    confusion = sum(each[most].confusion for each in found).tolist()
    runs.write_json(folder / "probes.json", {"amounts": told, "confusion": confusion})


def probed(dataset: str, row: str, position: int) -> dict[str, Answers]:
    """The probes of the suite's seed at a position."""
    trained = runs.load_trained(runs.folder(dataset, row) / "weights.safetensors")
    return probes(view_of(dataset, every_seed(trained, params.suite().seeds), position))


def finetuned(finetuning: Finetuning, test: runs.Split) -> dict[str, list[float]]:
    """The accuracies of the classifiers that fine-tuning made; none where a row was not fine-tuned."""
    images, labels = (torch.from_numpy(part).to(finetuning.row.device) for part in (test.images, test.labels))
    trained, columns = None, {}
    for start, fraction in finetuning:
        trained = trained or runs.load_trained(finetuning.row.folder / "classifiers.safetensors")
        ensemble, prefix = finetuning.classifiers(start), f"{start}/{fraction}/"
        ensemble.load({n.removeprefix(prefix): value for n, value in trained.state.items() if n.startswith(prefix)})
        correct = ensemble.codes(images).argmax(2) == labels
        columns[f"{start}.{fraction}"] = (100 * correct.double().mean(1)).tolist()
    return columns


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("row")
    with errors.one_line():
        main(**vars(parser.parse_args()))
