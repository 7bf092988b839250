"""Pretrain a stacked autoencoder layer by layer; writes layers/ and layers.csv. Never reads the test set."""

import argparse

from aebench import errors
from aebench.pipeline import remote

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("model")
    arguments = vars(parser.parse_args())
    with errors.one_line():
        if not remote.ran_on_cluster():
            from aebench.training.greedy import pretrain
            from aebench.training.run import TrainingRun

            pretrain(TrainingRun(**arguments))
