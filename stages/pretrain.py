"""Pretrain the layers of a stack, bottom up, every seed at once: layers/ and layers.csv. Never sees the test set."""

import argparse

from aebench import errors, stacking
from aebench.experiment import Experiment


def main(dataset: str, row: str) -> None:
    """`python -m stages.pretrain <dataset> <row>`."""
    stacking.pretrain(Experiment(dataset, row))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("row")
    with errors.one_line():
        main(**vars(parser.parse_args()))
