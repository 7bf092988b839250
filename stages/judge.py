"""Train the judge of a data set, the classifier whose features measure generated images. Never sees the test set."""

import argparse
import sys

from aebench import errors, judge, params, runs
from aebench.judge import Judging


def main(dataset: str) -> None:
    """`python -m stages.judge <dataset>`."""
    path = f"{params.conf_file(dataset)}:evaluation.judge"
    settings = params.check(Judging, params.dataset(dataset).evaluation.get("judge", {}), path)
    made = judge.train(*(runs.load_split(dataset, part) for part in ("train", "validation")), settings)
    judge.save(made, judge.file(dataset))
    print(f"judge {made.name}: {made.accuracy:.2f} % of the validation images", file=sys.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    with errors.one_line():
        main(**vars(parser.parse_args()))
