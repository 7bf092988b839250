"""What the README shows is what the reports say."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_readmes_table_is_the_reports():
    text = (ROOT / "README.md").read_text()
    file, shown = re.search(r"<!-- table: (\S+) -->\n(.*?)\n<!-- end of table -->", text, re.DOTALL).groups()
    comparison = (ROOT / file).read_text().split("\n## ")[0]
    table = [line for line in comparison.splitlines() if line.startswith("|")]
    assert len(table) > 2
    assert shown.splitlines() == table


def test_the_readmes_figures_and_files_exist():
    text = (ROOT / "README.md").read_text()
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / target).exists(), target
