"""index: the sections of the suite's data sets as one self-contained page, reports/index.html.

python -m stages.index
"""

from aebench.errors import one_line
from aebench.reporting import page


def main() -> None:
    """Join the sections."""
    page.write_index()


if __name__ == "__main__":
    with one_line():
        main()
