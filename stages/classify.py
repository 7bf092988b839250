"""Classify test images from the codes of one model and with its fine-tuned classifiers; writes classification.csv."""

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
            from aebench.evaluation.classify import classify

            classify(**arguments)
