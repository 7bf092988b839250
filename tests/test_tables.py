"""Every table has three forms that say the same, and every number in them a macro; LaTeX takes them as they are."""

import csv
import math
import re
import shutil
import subprocess
from contextlib import chdir
from pathlib import Path

import fake_runs
import pytest

from aebench import runs
from aebench.lock import Lock
from aebench.reporting import cost, tables
from aebench.reporting.cells import Column, counts, measures
from aebench.reporting.forms import frame, latex, macros
from aebench.reporting.results import read
from aebench.statistics import Estimate

HOSTILE = r"50%_a&b#c$x^~<i>[d]"
REPORT = runs.REPORTS / fake_runs.DATASET
NUMBER = re.compile(r"\\aebenchdefine\{fake\}\{(.*?)\}\{(.*?)\}\{(.*?)\}\{(.*?)\}")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The tables of a fake project, one of whose rows has a name that means something to LaTeX."""
    root = tmp_path_factory.mktemp("tables")
    fake_runs.write_fake_suite(root)
    with chdir(root), pytest.MonkeyPatch.context() as patch:
        patch.setattr(Lock, "fingerprint", lambda self, dataset: "0123456789ab")
        fake_runs.write_conf(fake_runs.DATASET, fake_runs.BLOCKS | {HOSTILE: "{kind: vanilla, code: 8}"})
        fake_runs.write_run(fake_runs.DATASET, HOSTILE, 0.5, 8, fake_runs.SEEDS)
        fake_runs.write_params([fake_runs.DATASET], [*fake_runs.BLOCKS, HOSTILE])
        results = read(fake_runs.DATASET)
        tables.write(results)
        return root, [tables.comparing(results, tables.measured(results)), *tables.extras(results), cost.table(results)]


@pytest.fixture
def told(written, monkeypatch):
    monkeypatch.chdir(written[0])
    return written[1]


def numbers():
    text = "".join((REPORT / name).read_text() for name in ("numbers.tex", "timings.tex"))
    return {found[:2]: found[2:] for found in NUMBER.findall(text)}


def test_every_table_has_its_three_forms_and_says_its_lock(told):
    files = {path.name for path in (REPORT / "tables").iterdir()}
    assert files == {f"{table.name}.{form}" for table in told for form in ("csv", "md", "tex")}
    for table in told:
        for form in ("csv", "md", "tex"):
            assert "0123456789ab" in (REPORT / "tables" / f"{table.name}.{form}").read_text()


def test_the_csv_has_every_digit_and_the_others_round_it(told):
    for table in told:
        with (REPORT / "tables" / f"{table.name}.csv").open() as stream:
            lines = list(csv.DictReader(stream))
        text = (REPORT / "tables" / f"{table.name}.md").read_text()
        assert len(lines) == len(table.columns[0].cells)
        for column in table.columns:
            for line, value, cell in zip(lines, column.values, column.cells, strict=bool(column.values)):
                mean = line[f"{column.name}.mean"]
                assert (math.nan if mean == "" else float(mean)) == pytest.approx(value.mean, rel=1e-12, nan_ok=True)
                if math.isfinite(value.mean):
                    assert f"{value.mean:z,.{column.decimals}f}" in cell.replace("\N{FIGURE SPACE}", "")
                    assert cell.strip("\N{FIGURE SPACE}") in text.replace("**", "")


def test_every_number_of_every_table_is_a_macro_and_reads_as_it_is_printed(told):
    found = numbers()
    for table in told:
        for column in table.columns:
            for i, value in enumerate(column.values):
                model = table.model or table.columns[0].cells[i].removesuffix(" †")
                name = f"{column.name}.{table.lines[i]}" if table.model else column.name
                key = (model.replace("%", r"\%"), name.replace("%", r"\%"))
                assert (key in found) == math.isfinite(value.mean), key
                if key in found:
                    half = "" if math.isnan(value.half_width) else f"{value.half_width:.{column.decimals}f}"
                    assert found[key] == (f"{value.mean:z.{column.decimals}f}", half), key


def test_numbers_are_aligned_by_siunitx_with_room_for_the_widest():
    found = [Estimate(-12.345, 1, 0.1234, 3), Estimate(7.0, 1, 1.5, 3), Estimate(math.nan, math.nan, math.nan, 0)]
    told = latex([measures("x", "X", found, 2, best=(False, True, False)), counts("n", "n", [5, 12345, math.nan])])
    assert told["kinds"] == ["S[table-format=-2.2(3)]", "S[table-format=5]"]
    assert told["lines"][2:] == [("-12.35(12)", "5"), (r"\bfseries 7.00(150)", "12345"), ("{---}", "{---}")]
    assert told["varies"] and told["judged"]
    assert not latex([counts("n", "n", [5])])["varies"]


def test_text_is_text_and_long_text_a_paragraph():
    told = latex([Column("a", ["b"], "right"), Column("long", ["word " * 20])])
    assert told["kinds"] == ["r", r"p{0.3\linewidth}"]


def test_a_zero_is_not_negative_in_any_form():
    column = measures("x", "X", [Estimate(-0.0004, 1, 0.0, 3)], 2)
    assert column.cells == ["0.00 ± 0.00"] and latex([column])["lines"][2] == ("0.00(0)",)


def test_one_models_table_is_of_that_model(told):
    from aebench.reporting.cells import Table

    columns = [Column("after layer", ["pixels", "1"]), measures("layers/probe", "probe", [Estimate(85.0, 0, 1, 3)] * 2, 1)]
    table = Table("s_layers", "stacked", "s", "", columns, "s", ("0", "1"))
    assert list(macros(table)) == [("s", "layers/probe.0", "85.0", "1.0"), ("s", "layers/probe.1", "85.0", "1.0")]
    assert list(frame(table)) == ["after layer", *(f"layers/probe.{part}" for part in ("mean", "sd", "half_width", "n"))]


TEX = r"""\documentclass{article}
\usepackage{booktabs,graphicx,siunitx}
\begin{document}
\input{numbers.tex}
\input{timings.tex}
%s
\end{document}
"""


def compiled(tmp_path, body):
    """LaTeX's log, and whether it was content."""
    (tmp_path / "paper.tex").write_text(TEX % body)
    command = [
        "pdflatex",
        "-interaction=nonstopmode",
        "-halt-on-error",
        f"-output-directory={tmp_path}",
        tmp_path / "paper.tex",
    ]
    done = subprocess.run(command, cwd=REPORT, capture_output=True, text=True, errors="replace")
    return done.stdout, done.returncode == 0


needs_tex = pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex")


@needs_tex
@pytest.mark.slow
def test_latex_takes_every_table_and_number(told, tmp_path):
    uses = [rf"\aebench{{fake}}{{{model}}}{{{name}}} \aebenchmean{{fake}}{{{model}}}{{{name}}}" for model, name in numbers()]
    body = "\n".join(rf"\input{{tables/{table.name}.tex}}\clearpage" for table in told)
    log, content = compiled(tmp_path, "\n".join(uses) + body)
    assert content, log[-2000:]
    assert "Undefined control sequence" not in log and "! " not in log


@needs_tex
@pytest.mark.slow
def test_a_number_that_is_not_there_is_an_error_that_names_it(told, tmp_path):
    log, content = compiled(tmp_path, r"\aebench{fake}{ae}{ssse}")
    assert not content and "aebench has no number fake/ae/ssse" in log.replace("\n", "")


def test_the_numbers_say_how_they_are_used(told):
    head = Path(REPORT / "numbers.tex").read_text().splitlines()
    assert head[0] == "% written by stages.report from lock 0123456789ab"
    assert any(line.startswith(r"%   \aebench{fake}") for line in head)
