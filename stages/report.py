"""Write the tables and figures of one data set to reports/<dataset>/, and its part of the page to runs/pages/."""

import argparse

from aebench import errors, reporting

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    arguments = vars(parser.parse_args())
    with errors.one_line():
        reporting.report(**arguments)
