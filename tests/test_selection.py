"""`aebench table` with chosen models and metrics is a LaTeX table of the report's numbers, in that order, with a short note."""

import re
import shutil
import subprocess

import pytest
from fake_runs import DATASET, read_table
from typer.testing import CliRunner

from aebench import cli
from aebench.errors import InputError
from aebench.reporting.tables.selection import latex

pytestmark = pytest.mark.usefixtures("reported")


def body(text):
    """The cells of the header and of each row."""
    lines = re.search(r"\\toprule\n(.*)\n    \\bottomrule", text, re.DOTALL)[1].replace("    \\midrule\n", "").splitlines()
    return [[cell.strip() for cell in line.removesuffix(r"\\").split("&")] for line in lines]


def test_rows_and_columns_are_those_chosen_in_their_order():
    head, units, *rows = body(latex(DATASET, ["sae", "mean", "ae"], ["knn_5", "sse", "latent_dim"]))
    assert head == ["model", r"{5-NN $\uparrow$}", r"{SSE $\downarrow$}", "{latent dim}"]
    assert units[1:3] == [r"{\%}", "{per image}"]
    assert [row[0] for row in rows] == ["sae", "mean", "ae"]
    table = read_table()
    for model, knn, sse, dim in rows:
        for cell, metric, half in ((knn, "knn_5", 0.005), (sse, "sse", 5e-4)):
            printed = float(re.match(r"(?:\\bfseries )?([\d.]+)", cell)[1])
            assert printed == pytest.approx(float(table[model][f"{metric}.mean"]), abs=1.01 * half)
        assert dim == table[model]["latent_dim"]
    assert "(" in rows[0][1] and "(" not in rows[1][1]  # an interval, but not for a deterministic model


def test_the_default_is_every_model_and_every_main_metric():
    head, _, *rows = body(latex(DATASET, [], []))
    assert [row[0].replace("\\", "") for row in rows] == list(read_table())
    assert len(head) == 8


def test_a_profile_at_a_position_is_a_column():
    head, _, (model, cell) = body(latex(DATASET, ["ae"], ["linear_probe_by_labels/0.1"]))
    assert "0.1" in head[1] and model == "ae" and re.fullmatch(r"\d+\.\d\d\(\d+\)", cell)


def test_the_note_is_short_and_only_about_what_is_printed():
    note = re.search(r"\\footnotesize (.*)\}\n", latex(DATASET, ["mean"], ["activation"]))[1]
    assert note == "Means on test images."
    note = re.search(r"\\footnotesize (.*)\}\n", latex(DATASET, ["ae", "ae_2d"], ["activation"]))[1]
    assert note.startswith(r"Mean $\pm$ half-width of the 95 \% confidence interval over 3 seeds") and "Bold" not in note


def test_a_caption_is_latex_and_a_default_one_is_escaped():
    text = latex(DATASET, ["ae"], ["sse"], caption=r"SSE for $k = 8$ \cite{x}", label="tab:mine")
    assert r"\caption{SSE for $k = 8$ \cite{x}}" in text and r"\label{tab:mine}" in text
    assert r"\caption{fake: SSE $\downarrow$.}" in latex(DATASET, ["ae"], ["sse"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fakes", [], ["sse"]), r"DATASET \(with a report\) must be one of fake, got 'fakes' \(did you mean 'fake'\?\)"),
        ((DATASET, ["aee"], []), r"--models \(in reports/fake/table.csv\) must be one of .*, got 'aee'"),
        ((DATASET, ["ae", "sae", "ae"], []), r"--models must not contain duplicates, got ae 2 times"),
        ((DATASET, [], ["sse", "sse"]), r"--metrics must not contain duplicates, got sse 2 times"),
        ((DATASET, [], ["sze"]), r"--metrics must be one of .*, got 'sze' \(did you mean 'sse'\?\)"),
        ((DATASET, [], ["linear_probe_by_labels/7"]), r"--metrics linear_probe_by_labels/ must be one of .*, got '7'"),
    ],
)
def test_unknown_names_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        latex(*arguments)


def test_lists_on_the_command_line_need_no_quotation_marks():
    arguments = ["table", DATASET, "--models", "sae", "ae", "--metrics", "sse", "knn_5", "--caption", "A b"]
    joined = cli._joined(arguments)
    assert joined == ["table", DATASET, "--models", "sae ae", "--metrics", "sse knn_5", "--caption", "A b"]
    printed = CliRunner().invoke(cli.app, joined).output
    assert [row[0] for row in body(printed)[2:]] == ["sae", "ae"] and r"\caption{A b}" in printed
    assert cli._joined(["tune", "--models", "ae", DATASET]) == ["tune", "--models", "ae", DATASET]


def test_the_data_set_may_follow_a_list():
    arguments = cli._joined(["table", "--metrics", "sse", "--models", "sae", "ae", DATASET])
    printed = CliRunner().invoke(cli.app, arguments).output
    assert [row[0] for row in body(printed)[2:]] == ["sae", "ae"]


def test_a_table_without_a_report_says_what_helps(tmp_path, monkeypatch):
    for arguments in (["table", "fakes"], ["table", "fakes", "--models", "ae"]):
        assert "must be one of fake, got 'fakes' (did you mean 'fake'?)" in str(
            CliRunner().invoke(cli.app, arguments).exception
        )
    monkeypatch.chdir(tmp_path)
    error = CliRunner().invoke(cli.app, ["table", "fakes"]).exception
    assert "DATASET must have a report in" in str(error) and "`aebench run` writes those of the suite" in str(error)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex")
def test_latex_compiles(tmp_path):
    table = latex(DATASET, [], ["sse", "knn_5", "parameters"])
    packages = r"\usepackage{booktabs,siunitx}"
    (tmp_path / "paper.tex").write_text(f"\\documentclass{{article}}{packages}\\begin{{document}}{table}\\end{{document}}\n")
    done = subprocess.run(
        ["pdflatex", "-halt-on-error", "paper.tex"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:]
