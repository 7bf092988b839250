"""Write `reports/`, the parts of its page (`runs/pages/`) and docs/lecture.md from the files of earlier stages.

results.py          reads the results of models and studies on a data set; other modules read only files in reports/
sections.py         the questions of a report, in order
tables/             numbers as CSV, Markdown, LaTeX and HTML
figures/            the figures of a data set, one file per section
convergence.py      models that were still improving when their training ended
claims.py           the claims of the lecture (claims.yaml) and their verdicts
claims_summary.py   the verdicts on all data sets: reports/claims.md and docs/lecture.md
lecture/            figures that do not depend on one data set
papers.py           published numbers and ours: reports/papers.md and papers.tex
terminal.py         the comparison of all models for a terminal
page.py             one section per data set, and the page that joins them
provenance.py       the inputs, code and environments behind a report
templates/          the text of the page and of all Markdown and LaTeX files
"""


def report(dataset: str) -> None:
    """Write reports/<dataset>/ and its section of the page; raise an `InputError` if a model has no results."""
    from aebench.reporting import claims_summary, figures, page, provenance, tables
    from aebench.reporting.results import read

    results = read(dataset)
    for part in (tables, figures, claims_summary, provenance, page):
        part.write(results)


def index() -> None:
    """Write the page of all sections, the figures of the lecture, reports/claims.md, reports/papers.* and docs/lecture.md."""
    from aebench.reporting import claims_summary, lecture, page, papers

    lecture.write()
    papers.write()
    page.write_index()
    claims_summary.write_all()
