"""Combine the reports of all data sets into reports/index.html, reports/claims.md and docs/lecture.md."""

from aebench import errors, reporting

if __name__ == "__main__":
    with errors.one_line():
        reporting.index()
