"""index: the sections of the suite's data sets as one self-contained page, reports/index.html, and figures of no data set; and
of every report there is the ledger of claims, reports/claims.md, and the lecture with its findings, docs/lecture.md.

python -m stages.index
"""

from aebench.errors import one_line
from aebench.reporting import lecture, ledger, page


def main() -> None:
    """Draw what needs no data set, join the sections and the ledgers."""
    lecture.write()
    page.write_index()
    ledger.write_all()


if __name__ == "__main__":
    with one_line():
        main()
