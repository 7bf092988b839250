"""Reproduce the published numbers of one paper: train its models and measure them on the test images."""

import argparse

from aebench import errors
from aebench.pipeline import remote

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    arguments = vars(parser.parse_args())
    with errors.one_line():
        if not remote.ran_on_cluster():
            from aebench.papers.run import run

            run(**arguments)
