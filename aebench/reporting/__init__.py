"""Reports: everything in `reports/` is written here, from the files of earlier stages.

results.py      the one reader of results
sections.py     the questions of a report, in order
tables/         numbers as CSV, Markdown, LaTeX and HTML
figures/        the figures of a data set, one file per question
claims.py       the claims of the lecture (claims.yaml) and their verdicts
ledger.py       the claims over all data sets
lecture/        figures that do not depend on one data set
page.py         a section per data set, and the page that joins them
provenance.py   the inputs, code and environments behind a report
templates/      the wording
"""


def report(dataset: str) -> None:
    """Write reports/<dataset>/ and its section of the page; nothing is written unless every model has results."""
    from aebench.reporting import figures, ledger, page, provenance, tables
    from aebench.reporting.results import read

    results = read(dataset)
    for part in (tables, figures, ledger, provenance, page):
        part.write(results)


def index() -> None:
    """Write the page of all sections, the figures of the lecture, and the claims and the lecture over all reports."""
    from aebench.reporting import lecture, ledger, page

    lecture.write()
    page.write_index()
    ledger.write_all()
