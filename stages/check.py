"""Check every setting before anything runs, and record the code behind each stage and model: runs/code/."""

from aebench import errors
from aebench.pipeline import checks

if __name__ == "__main__":
    with errors.one_line():
        print(checks.check())
