"""report: tables, figures and page section of one data set, from the rows that the suite names.

python -m stages.report <dataset>
"""

import argparse

from aebench.errors import one_line
from aebench.reporting import figures, ledger, origins, page, tables
from aebench.reporting.results import read


def main(dataset: str) -> None:
    """Write reports/<dataset>/ and the section; nothing is written unless every row is there."""
    results = read(dataset)
    tables.write(results)
    figures.write(results)
    ledger.write(results)
    origins.write(results)
    page.write(results)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    with one_line():
        main(**vars(parser.parse_args()))
