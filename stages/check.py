"""Check all settings before anything runs, and record the code hashes of each stage and model in runs/code/."""

from aebench import errors
from aebench.pipeline import checks

if __name__ == "__main__":
    with errors.one_line():
        print(checks.check())
