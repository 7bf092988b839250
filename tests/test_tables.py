"""Every table has three formats with the same numbers, every number has a LaTeX macro, and LaTeX compiles both."""

import csv
import math
import re
import shutil
import subprocess
import unicodedata
from contextlib import chdir
from pathlib import Path

import fake_runs
import pytest

from aebench import config, storage
from aebench.reporting import tables
from aebench.reporting.results import read
from aebench.reporting.tables import cost
from aebench.reporting.tables.columns import Column, Table, counts, measures
from aebench.reporting.tables.formats import frame, latex, macros
from aebench.reporting.templates import latex as escaped
from aebench.statistics import Estimate

HOSTILE = r"50%_a&b#c$x^~<i>[d]"
REPORT = storage.REPORTS / fake_runs.DATASET
NUMBER = re.compile(r"\\aebenchdefine\{fake\}\{(.*?)\}\{(.*?)\}\{(.*?)\}\{(.*?)\}")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Tables of a fake project in which the name of one model has characters that are special in LaTeX.

    Such names are rejected, so that titles and class names are the text that users choose freely.
    """
    root = tmp_path_factory.mktemp("tables")
    fake_runs.write_fake_suite(root)
    with chdir(root), pytest.MonkeyPatch.context() as patch:
        patch.setattr(config, "check_names", lambda *_: None)
        fake_runs.write_conf(fake_runs.DATASET, fake_runs.BLOCKS | {HOSTILE: "{kind: vanilla, latent_dim: 8}"})
        fake_runs.write_run(fake_runs.DATASET, HOSTILE, 0.5, 8, fake_runs.SEEDS)
        fake_runs.write_params([fake_runs.DATASET], [*fake_runs.BLOCKS, HOSTILE])
        results = read(fake_runs.DATASET)
        tables.write(results)
        return root, [*tables.tables(results), cost.table(results)]


@pytest.fixture
def all_tables(written, monkeypatch):
    monkeypatch.chdir(written[0])
    return written[1]


def numbers():
    text = "".join((REPORT / name).read_text() for name in ("numbers.tex", "timings.tex"))
    return {macro[:2]: macro[2:] for macro in NUMBER.findall(text)}


def test_every_table_has_three_formats(all_tables):
    files = {path.name for path in (REPORT / "tables").iterdir()}
    assert files == {f"{table.name}.{suffix}" for table in all_tables for suffix in ("csv", "md", "tex")}


def test_every_special_character_in_titles_and_notes_has_a_latex_form(all_tables):
    texts = [text for table in all_tables for text in (table.title, table.note, *(c for c in table.columns[0].cells))]
    texts += [text for table in all_tables for column in table.columns for text in (column.header, column.unit)]
    characters = {character for text in texts for character in escaped(text) if not character.isascii()}
    assert not [character for character in characters if not unicodedata.name(character).startswith("LATIN")]


def test_csv_has_every_digit_and_the_other_formats_round(all_tables):
    for table in all_tables:
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


def test_every_number_of_every_table_has_a_macro_that_prints_it(all_tables):
    macro = numbers()
    for table in all_tables:
        for column in table.columns:
            for i, value in enumerate(column.values):
                model = table.model or table.columns[0].cells[i]
                name = f"{column.name}.{table.rows[i]}" if table.model else column.name
                key = (model.replace("%", r"\%"), name.replace("%", r"\%"))
                assert (key in macro) == math.isfinite(value.mean), key
                if key in macro:
                    half = "" if math.isnan(value.half_width) else f"{value.half_width:.{column.decimals}f}"
                    assert macro[key] == (f"{value.mean:z.{column.decimals}f}", half), key


def test_siunitx_columns_have_room_for_the_widest_number():
    estimates = [Estimate(-12.345, 1, 0.1234, 3), Estimate(7.0, 1, 1.5, 3), Estimate(math.nan, math.nan, math.nan, 0)]
    values = latex([measures("x", "X", estimates, 2, best=(False, True, False)), counts("n", "n", [5, 12345, math.nan])])
    assert values["specifications"] == ["S[table-format=-2.2(3)]", "S[table-format=5]"]
    assert values["rows"][2:] == [("-12.35(12)", "5"), (r"\bfseries 7.00(150)", "12345"), ("{---}", "{---}")]
    assert values["intervals"] and values["bold"]
    assert not latex([counts("n", "n", [5])])["intervals"]


def test_long_text_is_a_paragraph_column():
    values = latex([Column("a", ["b"], "right"), Column("long", ["word " * 20])])
    assert values["specifications"] == ["r", r"p{0.3\linewidth}"]


def test_latex_is_balanced_and_its_column_specifications_are_not_escaped(all_tables):
    for table in all_tables:
        text = (REPORT / "tables" / f"{table.name}.tex").read_text().replace(r"\{", "").replace(r"\}", "")
        assert text.count("{") == text.count("}")
        assert "S{[}" not in text and ("S[table-format=" in text) == any(column.values for column in table.columns)
        body = re.search(r"\\toprule(.*)\\bottomrule", text, re.DOTALL)[1]
        rows = [row for row in body.split(r"\\") if "&" in row]
        assert {len(re.split(r"(?<!\\)&", row)) for row in rows} == {len(table.columns)}, table.name
        assert len(rows) == 2 + len(table.columns[0].cells)


def test_zero_is_never_negative():
    column = measures("x", "X", [Estimate(-0.0004, 1, 0.0, 3)], 2)
    assert column.cells == ["0.00 ± 0.00"] and latex([column])["rows"][2] == ("0.00(0)",)


def test_macros_of_a_table_about_one_model_are_named_by_its_rows():
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
    """The log of LaTeX, and whether compilation succeeded."""
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
def test_latex_compiles_every_table_and_number(all_tables, tmp_path):
    uses = [rf"\aebench{{fake}}{{{model}}}{{{name}}} \aebenchmean{{fake}}{{{model}}}{{{name}}}" for model, name in numbers()]
    body = "\n".join(rf"\input{{tables/{table.name}.tex}}\clearpage" for table in all_tables)
    log, succeeded = compiled(tmp_path, "\n".join(uses) + body)
    assert succeeded, log[-2000:]
    assert "Undefined control sequence" not in log and "! " not in log


@needs_tex
@pytest.mark.slow
def test_an_unknown_number_is_a_latex_error_that_names_it(all_tables, tmp_path):
    log, succeeded = compiled(tmp_path, r"\aebench{fake}{ae}{ssse}")
    assert not succeeded and "aebench has no number fake/ae/ssse" in log.replace("\n", "")


def test_numbers_tex_shows_how_to_use_it(all_tables):
    head = Path(REPORT / "numbers.tex").read_text().splitlines()
    assert any(line.startswith(r"%   \aebench{fake}") for line in head)
