"""prepare: from a source to data/<dataset>/: checked, divided by class, described.

python -m stages.prepare <dataset>
"""

import argparse

from aebench.data import prepare
from aebench.errors import one_line


def main(dataset: str) -> None:
    """Prepare the data set whose parameters are conf/<dataset>.yaml."""
    splits = prepare(dataset)
    print(f"{dataset}: " + ", ".join(f"{len(split.labels)} {name}" for name, split in splits.items()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    with one_line():
        main(**vars(parser.parse_args()))
