"""The files of a report are the same every time, name their provenance, and are not written if a result is missing."""

import csv
import re
import runpy
import subprocess
import sys

import fake_runs
import pytest
from fake_runs import LOCK, REPORT, file_of
from PIL import Image

from aebench import storage
from aebench.errors import InputError
from aebench.reporting import claims_summary, page, provenance, tables, terminal
from aebench.reporting.figures import FIGURES
from aebench.reporting.lecture.values import values
from aebench.reporting.results import read
from aebench.reporting.tables.selection import latex


def test_reporting_twice_gives_the_same_bytes(reported_twice):
    _, first, second = reported_twice
    assert len(first) > 7 + 2 * len(FIGURES) + 2
    assert {name for name in first if first[name] != second.get(name)} == set()


def test_only_provenance_json_has_the_lock(reported_twice):
    """Files do not change if their numbers do not change."""
    _, first, _ = reported_twice
    assert [name for name, content in first.items() if LOCK.encode() in content] == [str(REPORT / "provenance.json")]


def test_the_revision_says_whether_tracked_files_have_changed_also_from_a_folder_that_git_ignores(tmp_path, monkeypatch):
    def git(*arguments):
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.strip()

    (tmp_path / "own").mkdir()
    for name, text in (("code.py", "1"), ("dvc.lock", "1"), (".gitignore", "own")):
        (tmp_path / name).write_text(text)
    git("init", "-q"), git("add", "-A"), git("commit", "-qm", "state")
    for folder in (".", "own"):
        monkeypatch.chdir(tmp_path / folder)
        (tmp_path / "dvc.lock").write_text("2")
        assert provenance.revision() == {"commit": git("rev-parse", "HEAD"), "uncommitted_changes": False}
        (tmp_path / "code.py").write_text("2")
        assert provenance.revision()["uncommitted_changes"]
        git("checkout", "-q", ".")


def test_provenance_names_the_processor_and_blas_of_each_environment(fake_project):
    results = read(fake_runs.DATASET)
    (environment,) = provenance.provenance(results)["environments"]
    assert (environment["processor"], environment["blas"]) == ("Abacus 3000", "mkl, oneDNN")
    assert environment["models"] == list(fake_runs.BLOCKS)
    cost = storage.read_json(file_of("ae", "cost.json")) | {"processor": "Abacus 4000"}
    storage.write_json(file_of("ae", "cost.json"), cost)
    environments = provenance.provenance(read(fake_runs.DATASET))["environments"]
    assert [(each["processor"], each["models"]) for each in environments] == [
        ("Abacus 3000", ["mean", "pca_2d", "ae_2d", "sae"]),
        ("Abacus 4000", ["ae"]),
    ]


def test_figures_have_a_title_and_no_date_or_version(reported):
    for name in FIGURES:
        with Image.open(REPORT / "figures" / f"{name}.png") as image:
            assert image.text["Description"].startswith("Fake blobs: ")
            assert "Software" not in image.text
        assert not re.search(rb"/(CreationDate|Creator|Producer)", (REPORT / "pdf" / f"{name}.pdf").read_bytes())


def test_curves_csv_is_the_history_to_six_digits(reported):
    history = storage.read_columns(file_of("ae", "history.csv"))
    with (REPORT / "curves.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["model"] == "ae" and row["split"] == "validation"]
    assert [float(row["loss"]) for row in rows] == pytest.approx(history["validation.loss"], rel=1e-5)
    assert [int(row["epoch"]) for row in rows] == history["epoch"]
    assert [int(row["seed"]) for row in rows] == history["seed"]


def test_a_missing_file_is_reported_in_one_line_and_writes_nothing(fake_project, capsys, monkeypatch):
    missing = file_of("ae", "metrics.csv")
    missing.unlink()
    monkeypatch.setattr(sys, "argv", ["stages.report", fake_runs.DATASET])
    monkeypatch.delitem(sys.modules, "stages.report", raising=False)
    with pytest.raises(SystemExit) as stopped:
        runpy.run_module("stages.report", run_name="__main__")
    error = capsys.readouterr().err
    assert stopped.value.code == 1
    assert error.startswith(f"error: {missing} is missing")
    assert error.count("\n") == 1
    assert not REPORT.exists()


def test_a_missing_section_or_table_is_an_input_error(fake_project):
    with pytest.raises(InputError, match=r"runs/pages/fake\.html is missing"):
        page.write_index()
    with pytest.raises(InputError, match=r"reports/fake/tables/comparison\.md is missing"):
        terminal.comparison(fake_runs.DATASET)


CONFLICT = "<<<<<<< HEAD\n{}=======\n{}>>>>>>> theirs\n"


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: CONFLICT.format(text, text),
        lambda text: text + CONFLICT.format(text.splitlines(True)[-1], text.splitlines(True)[-1]),
        lambda text: text[: text.rindex(",")],
        lambda text: text.replace(",3", ",three"),
    ],
    ids=["empty", "conflict", "conflict in a row", "cut off", "no number"],
)
@pytest.mark.parametrize(
    ("name", "use"),
    [
        ("claims.csv", claims_summary.write_all),
        ("table.csv", lambda: latex(fake_runs.DATASET, [], [])),
        ("table.csv", lambda: values(["ae"], ["sse"])),
        ("profiles.csv", lambda: latex(fake_runs.DATASET, [], ["linear_probe_by_labels/0.1"])),
        ("profiles.csv", lambda: values(["ae"], ["linear_probe_by_labels/0.1"])),
    ],
)
def test_a_damaged_table_is_an_error_in_one_line(fake_project, name, use, damage):
    results = read(fake_runs.DATASET)
    tables.write(results)
    claims_summary.write(results)
    use()
    (REPORT / name).write_text(damage((REPORT / name).read_text()))
    with pytest.raises(
        InputError, match=rf"reports/fake/{name} must be a table of a report \(`aebench run` writes it again\), got "
    ):
        use()


def test_an_empty_comparison_is_an_error_in_one_line(fake_project):
    tables.write(read(fake_runs.DATASET))
    (REPORT / "tables/comparison.md").write_text("")
    with pytest.raises(InputError, match=r"reports/fake/tables/comparison.md must be a table of a report .*, got no table"):
        terminal.comparison(fake_runs.DATASET)
