"""Evaluate one trained model on the test set; writes metrics.csv, profiles.csv, pictures.npz and inference.json."""

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
            from aebench.evaluation.evaluate import evaluate

            evaluate(**arguments)
