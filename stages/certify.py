"""Certify every row of a data set that the suite names: runs/certificates/<dataset>.json. Reads no image and no weight."""

import argparse
import sys

from aebench import certification, errors, params, runs
from aebench.training import place


def main(dataset: str) -> None:
    """`python -m stages.certify <dataset>`; a row that is not certified is told there, and in the report."""
    place("cpu", threads=1)
    conf, certificates = params.dataset(dataset), {}
    for row, block in params.rows(dataset, params.suite()).items():
        certificates[row] = certification.certificate(block, f"{params.conf_file(dataset)}:{conf.part(row)}.{row}")
    told = {row: {"certified": c.certified, "failures": c.failures} for row, c in certificates.items()}
    runs.write_json(runs.certificates_file(dataset), told)
    wrong = [f"{row} ({', '.join(c.failures)})" for row, c in certificates.items() if not c.certified]
    print(f"{dataset}: {len(told) - len(wrong)} of {len(told)} rows certified", *wrong, sep="; ", file=sys.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    with errors.one_line():
        main(**vars(parser.parse_args()))
