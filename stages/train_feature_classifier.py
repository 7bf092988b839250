"""Train the feature classifier of a data set; its features are used to evaluate generated images. Never reads the test set."""

import argparse

from aebench import errors
from aebench.classifiers import feature_classifier

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    arguments = vars(parser.parse_args())
    with errors.one_line():
        feature_classifier.train(**arguments)
