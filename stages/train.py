"""Train one model on one data set, every seed at once: weights, history and cost. Never sees the test set."""

import argparse
import time

from aebench import errors
from aebench.experiment import Experiment


def main(dataset: str, model: str) -> None:
    """`python -m stages.train <dataset> <model>`."""
    row = Experiment(dataset, model)
    ensemble = row.ensemble()
    start = time.perf_counter()
    history = ensemble.model.fit(ensemble, row.images, row.minimise)
    row.save(ensemble, history, time.perf_counter() - start)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("model")
    with errors.one_line():
        main(**vars(parser.parse_args()))
