"""Fine-tune a pretrained stack, without labels as one net and with labels under a softmax head. Never sees the test set."""

import argparse
import time

from aebench import errors, runs
from aebench.experiment import Experiment
from aebench.finetuning import Finetuning
from aebench.stacking import greedy


def main(dataset: str, row: str) -> None:
    """`python -m stages.finetune <dataset> <row>`."""
    experiment = Experiment(dataset, row)
    pretrained, finetuning = greedy(experiment), Finetuning(experiment)
    classifiers = {
        f"{start}/{fraction}/{name}": value
        for start, fraction in finetuning
        for name, value in finetuning.train(start, fraction, pretrained).items()
    }
    shape = experiment.about.shape
    trained = runs.Trained(experiment.block, shape, experiment.seeds, classifiers)
    runs.save_trained(experiment.folder / "classifiers.safetensors", trained)
    start = time.perf_counter()
    history = experiment.minimise(pretrained.ensemble, experiment.images)
    experiment.save(pretrained.ensemble, history, pretrained.seconds + time.perf_counter() - start)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("row")
    with errors.one_line():
        main(**vars(parser.parse_args()))
