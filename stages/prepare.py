"""prepare: from a source to data/<dataset>/: checked, divided by class, described.

python -m stages.prepare <dataset>
"""

import argparse

from aebench.data import prepare
from aebench.errors import one_line


def main() -> None:
    """Prepare the data set named on the command line."""
    parser = argparse.ArgumentParser(prog="stages.prepare", description="Read, check, divide and describe a data set.")
    parser.add_argument("dataset", help="a name: its parameters are conf/<dataset>.yaml")
    with one_line():
        dataset = parser.parse_args().dataset
        splits = prepare(dataset)
        print(f"{dataset}: " + ", ".join(f"{len(split.labels)} {name}" for name, split in splits.items()))


if __name__ == "__main__":
    main()
