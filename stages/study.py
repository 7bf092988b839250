"""Run one study on one data set: train its models and measure them on the test images."""

import argparse

from aebench import errors
from aebench.pipeline import remote

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("name")
    arguments = vars(parser.parse_args())
    with errors.one_line():
        if not remote.ran_on_cluster():
            from aebench.studies.run import run

            run(**arguments)
