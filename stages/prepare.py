"""Read, check, split and describe a data set; writes data/<dataset>/."""

import argparse

from aebench import errors
from aebench.data import prepare

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    arguments = vars(parser.parse_args())
    with errors.one_line():
        splits = prepare(**arguments)
        print(", ".join(f"{len(split.labels)} {name} images" for name, split in splits.items()))
