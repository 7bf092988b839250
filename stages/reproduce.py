"""Reproduce the published numbers of one paper: train its models and measure them on the test images."""

import argparse

from aebench import errors
from aebench.papers.run import run

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    arguments = vars(parser.parse_args())
    with errors.one_line():
        run(**arguments)
