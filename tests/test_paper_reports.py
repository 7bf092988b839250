"""Reports on papers: published numbers and ours, verdicts, notes, and results that are damaged or of other settings."""

import re
from pathlib import Path

import fake_runs
import pytest
from small_papers import PAPER, lines, write

from aebench import config, storage
from aebench.errors import InputError
from aebench.papers.run import run
from aebench.papers.settings import Paper
from aebench.reporting import page
from aebench.reporting import papers as reporting


def test_a_quantity_may_be_relative_to_another_run(small_paper):
    row = PAPER["rows"][0] | {"run": "ae", "relative_to": "other", "band": [0, 1]}
    paper = config.check(Paper, PAPER | {"rows": [row]}, "p")
    values = {"ae": {"sse": [1.0, 6.0]}, "other": {"sse": [4.0, 8.0]}}
    each = reporting.PaperResults("p", paper, values, {"ae": 1.0}, {"ae": "x"})
    assert each.estimate(each.paper.rows[0]).mean == 0.5, "the mean of 1/4 and 6/8"
    assert each.columns[1].cells == ["SSE (relative to other)"], "the name of a run without a row"


def test_a_run_is_called_as_in_its_row_of_a_measure_or_in_another_row():
    rows = [
        PAPER["rows"][0] | {"run": "ae", "measure": m, "title": title} for m, title in (("sse", "AE"), ("knn_5_error", "AE-5"))
    ]
    paper = config.check(Paper, PAPER | {"rows": rows}, "p")
    titles = [paper.title_of(run, measure) for run, measure in (("ae", "knn_5_error"), ("ae", "jacobian"), ("pca", "sse"))]
    assert titles == ["AE-5", "AE", "pca"]


def test_the_report_shows_published_numbers_ours_and_what_differs(small_paper):
    write(rows=[*PAPER["rows"], PAPER["rows"][0] | {"title": "PCA-2 again", "adapted": "Fewer images."}])
    write("absent")
    run("small")
    reporting.write()
    text, latex = (Path(f"reports/papers.{ending}").read_text() for ending in ("md", "tex"))
    sse = lines()["pca", "sse", 3]
    first = next(line for line in text.splitlines() if line.startswith("| PCA-2 "))
    cells = [cell.strip() for cell in first.split("|")[1:8]]
    assert cells == ["PCA-2", "SSE (per image)", "3.4", f"{sse:.3f}", "1", "3 to 4", "reproduced"]
    assert "not reproduced" in text and "adapted, within band" in text
    assert "**AE-4.** Source: Fig. 1. Explanation: Too short." in text
    assert "**PCA-2 again.** Source: Table 1. Adapted: Fewer images." in text
    assert "absent: `make reproduce PAPERS=absent`" in text
    assert r"A \& B (2000)" in latex and r"100 \% autoencoders" in latex


def test_the_page_has_a_section_of_papers_with_results(fake_project):
    write(rows=[PAPER["rows"][0], PAPER["rows"][1] | {"adapted": "Adam < SGD.", "published": 0.1}])
    file = page.section_file(fake_runs.DATASET)
    file.parent.mkdir(parents=True)
    file.write_text("<p>a data set</p>")
    page.write_index()
    assert "published numbers" not in page.INDEX.read_text()
    run("small")
    page.write_index()
    text = page.INDEX.read_text()
    assert "<h2>Which published numbers do we reproduce?</h2>" in text and "A &amp; B (2000)" in text
    assert '<td class="left text reproduced">reproduced</td>' in text
    assert '<td class="left text not-reproduced">not reproduced</td>' in text
    assert "Adapted: Adam &lt; SGD." in text and "Explanation: Too short." in text
    (cell,) = re.findall(r">(\d\.\d{3} ± \d\.\d{3})<", text)
    low, high = (lines()["ae", "sse", seed] for seed in (3, 5))
    assert cell.startswith(f"{(low + high) / 2:.3f}")


def results(band, value, kind="paper", **changes):
    row = PAPER["rows"][0] | {"band": band} | changes
    paper = config.check(Paper, PAPER | {"kind": kind, "rows": [row]}, "p")
    return reporting.PaperResults("p", paper, {"pca": {"sse": value}}, {"pca": 1.0}, {"pca": "x"})


@pytest.mark.parametrize(
    ("band", "value", "changes", "verdict"),
    [
        ([3.0, 4.0], [3.9, 4.1], {}, "reproduced"),
        ([3.0, 4.0], [3.9, 4.2], {}, "not reproduced"),
        ([3.0, None], [2.9], {}, "not reproduced"),
        ([3.0, None], [300.0], {}, "reproduced"),
        ([None, 3.0], [3.0], {"adapted": "Adam."}, "adapted, within band"),
        ([None, 3.0], [3.1], {"adapted": "Adam."}, "not reproduced"),
        ([None, 3.0], [float("nan")], {}, "not reproduced"),
        ([3.0, 4.0], [3.9, float("nan"), 4.1], {}, "reproduced"),
        ([None, 3.0], [2.0], {"published": None}, "no published number"),
        ([None, 3.0], [2.0], {"kind": "record", "adapted": "SiLU."}, "target reached"),
        ([None, 3.0], [3.1], {"kind": "record"}, "target not reached"),
    ],
)
def test_a_verdict_compares_the_mean_over_seeds_with_the_band(band, value, changes, verdict):
    each = results(band, value, **changes)
    assert each.verdict(each.paper.rows[0]) == verdict


def test_rows_with_equal_notes_share_one_note():
    rows = [
        {"title": title, "run": run, "measure": measure, "published": 1.0, "source": "Table 1", "adapted": adapted}
        for title, run, measure, adapted in (
            ("A", "ae", "sse", "Adam."),
            ("A", "ae", "linear_probe_error", "Adam."),
            ("B", "pca", "sse", "Adam."),
            ("C", "pca", "sse", "Adam."),
            ("C", "pca", "knn_3_error", "Fewer images."),
        )
    ]
    values = {"ae": {"sse": [1.0], "linear_probe_error": [1.0]}, "pca": {"sse": [1.0], "knn_3_error": [1.0]}}
    results = reporting.PaperResults("small", Paper(**PAPER | {"rows": rows}), values, {}, {})
    assert results.notes == [
        ("A; B; C (SSE)", "Source: Table 1. Adapted: Adam."),
        ("C (3-NN error)", "Source: Table 1. Adapted: Fewer images."),
    ]


def test_seeds_that_failed_are_left_out_and_counted():
    each = results([3.0, 4.0], [3.9, float("nan"), 4.1])
    assert each.columns[3].cells == ["4.000 ± 1.271"] and each.columns[4].cells == ["2"]
    assert "Training failed with 1 seed, which the mean leaves out." in each.notes[0][1]
    assert "failed" not in results([3.0, 4.0], [3.9, 4.1]).notes[0][1]


def test_a_seed_that_failed_in_either_run_of_a_quotient_is_counted_once():
    row = PAPER["rows"][0] | {"run": "pca", "relative_to": "ae", "band": None}
    paper = config.check(Paper, PAPER | {"rows": [row]}, "p")
    for ae, failed in (([2.0, 4.0, 8.0], 0), ([2.0, float("nan"), 8.0], 1)):
        values = {"pca": {"sse": [4.0]}, "ae": {"sse": ae}}
        each = reporting.PaperResults("p", paper, values, {"pca": 1.0}, {"pca": "x"})
        assert each.failed(paper.rows[0]) == failed and each.estimate(paper.rows[0]).n == 3 - failed


def test_an_explanation_is_shown_where_a_band_is_missed_and_where_there_is_none():
    for value, band, shown in ((3.5, [3.0, 4.0], False), (5.0, [3.0, 4.0], True), (5.0, None, True)):
        each = results(band, [value], explanation="Too short.")
        assert ("Too short." in each.notes[0][1]) == shown


def test_results_of_other_settings_are_left_out_with_a_line(small_paper, capsys):
    run("small")
    assert [each.name for each in reporting.read()[0]] == ["small"]
    write(rows=[PAPER["rows"][0] | {"band": [0, 1]}])
    assert [each.name for each in reporting.read()[0]] == ["small"]
    write(training=PAPER["training"] | {"epochs": 5})
    assert reporting.read() == ([], ["small"])
    reporting.write()
    assert "left out; to update it: make reproduce PAPERS=small" in capsys.readouterr().err


@pytest.mark.parametrize(("seconds", "text"), [(35.2, "35 s"), (720, "12 min"), (11_100, "3 h 05 min")])
def test_wall_times_are_printed_in_units_that_people_read(seconds, text):
    assert reporting.duration(seconds) == text


@pytest.mark.parametrize(
    ("ending", "old", "new", "got"),
    [
        (".csv", "pca,sse,3", "pcb,sse,3", "no sse of pca"),
        (".csv", "pca,sse,3,", "pca,sse,3,x", "could not convert string to float"),
        (".csv", "ae,sse,5", "ae,sse,3", "sse of ae with seeds [3, 3]"),
        (".csv", "ae,sse,5", "ae,sse_,5", "sse of ae with seeds [3]"),
        (".csv", "pca,sse,3", "p" * 2**18 + ",sse,3", "field larger than field limit"),
        (".csv", "seconds", "second", "KeyError: 'seconds'"),
        (".json", "{", "<<<<<<< HEAD\n{", "JSONDecodeError"),
        (".json", '"settings"', '"setting"', "KeyError: 'settings'"),
    ],
)
def test_damaged_results_of_a_paper_are_reported_in_one_line(small_paper, ending, old, new, got):
    run("small")
    file = storage.paper_file("small", ending)
    file.write_text(file.read_text().replace(old, new, 1))
    with pytest.raises(InputError, match=re.escape(got)) as error:
        reporting.read()
    assert str(error.value).startswith("reports/papers/small.csv and .json must be as the stage reproduce wrote them (`git ")


def test_a_mistake_in_a_row_is_not_taken_for_damaged_results(small_paper):
    run("small")
    write(rows=[PAPER["rows"][0] | {"measure": "ssr"}])
    with pytest.raises(InputError, match=r"^conf/papers/small.yaml:rows.0.measure"):
        reporting.read()
