"""Write the tables, figures and page section of one data set for the models of the suite: reports/<dataset>/."""

import argparse

from aebench import errors, reporting

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    arguments = vars(parser.parse_args())
    with errors.one_line():
        reporting.report(**arguments)
