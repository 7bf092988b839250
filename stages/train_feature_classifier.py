"""Train the feature classifier of a data set; its features are used to evaluate generated images. Never reads the test set."""

import argparse

from aebench import errors
from aebench.pipeline import remote

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    arguments = vars(parser.parse_args())
    with errors.one_line():
        if not remote.ran_on_cluster():
            from aebench.classifiers import feature_classifier

            feature_classifier.train(**arguments)
