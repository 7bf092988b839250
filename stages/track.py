"""track: mirror the finished results of the suite into MLflow; files stay the truth, and running it twice changes nothing.

python -m stages.track
"""

from aebench import params, tracking
from aebench.errors import one_line


def main() -> None:
    """One line says what was done and how to look at it."""
    tally = tracking.mirror(params.suite())
    missing = f"; no results yet: {', '.join(tally.missing)}" if tally.missing else ""
    done = f"{tally.made} runs made, {tally.kept} kept, {tally.superseded} superseded"
    print(f"MLflow: {done}{missing}; to see them: make ui, then Model training at the top left")


if __name__ == "__main__":
    with one_line():
        main()
