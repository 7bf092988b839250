"""The README agrees with the report, and linked files exist."""

import re
from pathlib import Path

import pytest
from test_architecture import LAYERS

from aebench.evaluation.metrics import QUESTIONS, question
from aebench.reporting.sections import SECTIONS

ROOT = Path(__file__).parent.parent
LECTURE = ROOT / "aebench" / "reporting" / "templates" / "lecture.md"
DOCS = [ROOT / "docs" / name for name in ("glossary.md", "scaling.md")]
REPORTS = [ROOT / "reports" / "README.md", *sorted(ROOT.glob("reports/*/README.md"))]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS, *REPORTS]


def rows(markdown):
    """model -> title of a column -> cell of the first table of a Markdown text."""
    header, _, *body = ([cell.strip() for cell in line.strip("|").split("|")] for line in markdown if line.startswith("|"))
    return {row[0]: dict(zip(header, row, strict=True)) for row in body}


def test_the_tables_of_the_readme_are_extracts_of_the_reports():
    text = (ROOT / "README.md").read_text()
    tables = re.findall(r"<!-- table: (\S+) -->\n(.*?)\n<!-- end of table -->", text, re.DOTALL)
    assert "reports/digits/table.md" in dict(tables)
    for file, table in tables:
        report = rows((ROOT / file).read_text().split("\n## ")[0].splitlines())
        shown = rows(table.splitlines())
        assert {"raw", "random", "pca"} < set(shown), "baselines belong to every table"
        for model, cells in shown.items():
            assert cells.items() <= report[model].items()


def test_the_environment_variables_of_the_documentation_are_read_by_the_code():
    code = "".join(path.read_text() for path in sorted((ROOT / "aebench").rglob("*.py")))
    named = {name for page in (ROOT / "README.md", *DOCS) for name in re.findall(r"AEBENCH_\w+", page.read_text())}
    assert len(named) > 2 and all(f'"{name}"' in code for name in named), named


def test_the_readme_lists_the_questions_and_links_their_files():
    section = (ROOT / "README.md").read_text().split("\n## The questions\n")[1].split("\n## ")[0]
    links = re.findall(r"^\| \[(.+)\]\((.+)\)", section, re.MULTILINE)
    expected = [(question(next(iter(file.METRICS))), f"aebench/evaluation/metrics/{key}.py") for key, file in QUESTIONS.items()]
    assert links == [*expected, (SECTIONS["anomalies"], "aebench/evaluation/metrics/anomalies.py")]


def test_the_readme_lists_the_parts_of_the_package_in_the_order_of_their_imports():
    section = (ROOT / "README.md").read_text().split("\nThe parts of `aebench/`")[1].split("\n\nTo read")[0]
    listed = [name for names in re.findall(r"^    (\w+(?:, \w+)*)  ", section, re.MULTILINE) for name in names.split(", ")]
    layer = {name: i for i, names in enumerate(LAYERS) for name in names}
    assert set(listed) == set(layer) and [layer[name] for name in listed] == sorted(layer.values())


@pytest.mark.parametrize("page", [*PAGES, LECTURE], ids=lambda page: page.relative_to(ROOT).as_posix())
def test_linked_files_exist(page):
    folder = ROOT / "docs" if page == LECTURE else page.parent
    for target in re.findall(r"\]\(([^)#:{]+)\)", page.read_text()):
        assert (folder / target).exists(), target
