"""The numbers in the tables of a report are the measured ones, with their intervals, bold type and notes."""

import csv
import json
import math
import re
import statistics
from pathlib import Path

import fake_runs
import pytest
from fake_runs import COMPARISON, REPORT, T_975_2, file_of, measured, overwrite, read_table, row_of, write_texts
from scipy import stats

from aebench import storage
from aebench.evaluation.metrics import METRICS, PROFILES, Metric, Profile, question
from aebench.reporting import page, terminal
from aebench.reporting.results import read
from aebench.reporting.tables import comparison

MAIN = {name: metric for name, metric in METRICS.items() if metric.main}


@pytest.mark.parametrize("metric", METRICS)
def test_table_csv_has_the_mean_and_interval_of_the_measured_values(reported, metric):
    for model in fake_runs.BLOCKS:
        values, row = measured(model, metric), read_table()[model]
        assert float(row[f"{metric}.mean"]) == pytest.approx(statistics.fmean(values), rel=1e-12)
        assert int(row[f"{metric}.n"]) == len(values)
        if len(values) == 1:
            assert row[f"{metric}.sd"] == row[f"{metric}.half_width"] == ""
        else:
            sd = statistics.stdev(values)
            assert float(row[f"{metric}.sd"]) == pytest.approx(sd, rel=1e-9)
            assert float(row[f"{metric}.half_width"]) == pytest.approx(T_975_2 * sd / 3**0.5, rel=1e-9)


def test_table_csv_has_the_size_of_a_model(reported):
    row = read_table()["ae"]
    assert (row["latent_dim"], row["parameters"], row["n"]) == ("8", "12345", "3")


def test_seconds_are_only_in_the_cost_table_and_timings(reported):
    with (REPORT / "tables" / "cost.csv").open(newline="") as stream:
        [cost] = [row for row in csv.DictReader(stream) if row["model"] == "ae"]
    assert float(cost["seconds.mean"]) == 3.5
    assert "{ae}{seconds}" in (REPORT / "timings.tex").read_text() and "{ae}{sse}" not in (REPORT / "timings.tex").read_text()
    files = [REPORT / "table.csv", REPORT / "table.md", REPORT / "numbers.tex", *(REPORT / "tables").iterdir()]
    assert not [file.name for file in files if file.stem != "cost" and "s per seed" in file.read_text()]
    assert "seconds" not in (REPORT / "numbers.tex").read_text()


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_in_the_table_of_its_question_and_in_the_comparison_if_it_is_a_main_one(reported, name):
    metric, values = METRICS[name], measured("ae", name)
    main, _, rest = (REPORT / "table.md").read_text().partition("\n## ")
    (section,) = [part for part in ("## " + rest).split("\n## ") if part.removeprefix("## ").startswith(question(name))]
    assert re.search(rf"\| {re.escape(metric.title)}[ |]", section)
    assert f"{statistics.fmean(values):.{metric.decimals}f}" in row_of("ae", section)
    assert bool(re.search(rf"\| {re.escape(metric.title)}[ |]", main)) == metric.main
    assert not metric.main or metric.title in terminal.comparison(fake_runs.DATASET)


def test_the_linear_probe_is_compared_like_any_other_main_metric(reported):
    with (REPORT / "comparisons.csv").open() as stream:
        (pair,) = [row for row in csv.DictReader(stream) if row["metric"] == "linear_probe"]
    assert {pair["first"], pair["second"]} == {"pca_2d", "ae_2d"}
    assert {row["linear_probe.best"] for row in read_table().values()} == {"True", "False"}


def test_a_profile_has_a_column_per_position_and_a_row_per_position_in_profiles_csv(fake_project, monkeypatch):
    profile = Profile(
        lambda r: {},
        "Beauty by hour",
        axis="hours",
        better="higher",
        unit="hearts",
        decimals=1,
        meaning="How pleasing an image is.",
    )
    monkeypatch.setitem(PROFILES, "beauty", profile)
    overwrite("ae", "profiles.csv", **{"beauty/noon": [4.0, 5.0, 6.0], "beauty/night": [1.0, 1.0, 1.0]})
    text = write_texts()[".md"].partition("## Beauty by hour")[2].partition("\n## ")[0]
    assert "Beauty by hour (hearts, higher is better): How pleasing an image is. Columns: hours." in text
    assert "noon" in text and "5.0 ± 2.5" in row_of("ae", text) and "1.0 ± 0.0" in row_of("ae", text)
    assert row_of("mean", text).count("—") == 2
    with (REPORT / "profiles.csv").open() as stream:
        (noon,) = [r for r in csv.DictReader(stream) if (r["model"], r["profile"], r["position"]) == ("ae", "beauty", "noon")]
    assert (float(noon["mean"]), float(noon["sd"]), noon["n"]) == (5.0, 1.0, "3")


def test_the_columns_of_the_probe_by_labels_name_the_number_of_labels(reported):
    text = (REPORT / "tables" / "linear_probe_by_labels.md").read_text()
    headers = [header.strip() for header in re.search(r"^\| model.*$", text, re.MULTILINE)[0].split("|")]
    assert headers[2:-1] == ["10 % (6 labels)", "10 per class (30 labels)", "100 % (60 labels)"]


def test_a_quantity_measured_for_the_first_seed_only_has_no_interval(fake_project):
    overwrite("ae", psnr=[7.25, math.nan, math.nan])
    text = write_texts()[".md"]
    assert (read_table()["ae"]["psnr.mean"], read_table()["ae"]["psnr.n"]) == ("7.25", "1")
    assert "| 7.25 " in row_of("ae", text.partition("\n## ")[2]).replace(chr(0x2007), "")


def test_a_metric_without_a_direction_has_no_arrow(reported):
    text = (REPORT / "table.md").read_text()
    title, unit = METRICS["activation"].title, METRICS["activation"].unit
    assert re.search(rf"\| {title} \({unit}\) +\|", text)
    assert f"- {title} ({unit}): " in text
    assert "- SSE (per image, lower is better): " in text


def test_the_notes_take_their_numbers_from_the_settings(reported):
    assert "Corrupted images: masking at level 0.3" in (REPORT / "table.md").read_text()


def test_the_notes_name_the_feature_classifier_and_its_accuracy(fake_project, monkeypatch):
    results = read(fake_runs.DATASET)
    assert not any("features" in note for note in comparison.notes(results))
    vars(results)["feature_classifier"] = {"name": "a1b2c3d4", "accuracy": 99.444}
    assert any("classifier a1b2c3d4 (validation accuracy 99.44 %)" in note for note in comparison.notes(results))


def test_the_best_at_a_latent_dimension_and_ties_with_it_are_bold_in_every_format(fake_project):
    """At dimension 2, ae_2d is better than pca_2d for every seed; the other models have unique dimensions."""
    texts = write_texts()
    bold = {".md": "**", ".tex": "\\bfseries", ".html": "<strong>"}
    directed = [name for name, metric in MAIN.items() if metric.better]
    for model, row in read_table().items():
        assert {row[f"{name}.best"] for name in directed} == {str(model == "ae_2d")}, model
        for suffix, sign in bold.items():
            marks = 2 if suffix == ".md" else 1
            name = model.replace("_", r"\_") if suffix == ".tex" else model
            assert row_of(name, texts[suffix]).count(sign) == marks * (model == "ae_2d") * len(directed), (model, suffix)
    other = measured("pca_2d", "sse")[0]
    overwrite("ae_2d", sse=[other - 1.0, other + 1.0, other + 0.5])
    write_texts()
    assert read_table()["ae_2d"]["sse.best"] == read_table()["pca_2d"]["sse.best"] == "True", "the models tie"
    overwrite("ae_2d", sse=[other + 1.0, other + 1.1, other + 0.9])
    write_texts()
    assert (read_table()["ae_2d"]["sse.best"], read_table()["pca_2d"]["sse.best"]) == ("False", "True")
    with (REPORT / "comparisons.csv").open() as stream:
        (pair,) = [row for row in csv.DictReader(stream) if row["metric"] == "sse"]
    assert {pair["first"], pair["second"]} == {"pca_2d", "ae_2d"} and float(pair["p"]) < 0.01
    assert abs(float(pair["mean"])) == pytest.approx(1.0)


@pytest.mark.parametrize("file", [REPORT / "table.md", COMPARISON, page.INDEX], ids=lambda file: file.name)
def test_printed_cells_round_the_measured_values(reported, file):
    text = file.read_text()
    for name, metric in MAIN.items():
        values = measured("ae", name)
        half = T_975_2 * statistics.stdev(values) / 3**0.5
        mean, half = (f"{value:.{metric.decimals}f}" for value in (statistics.fmean(values), half))
        cell = f"{mean}({int(half.replace('.', ''))})" if file == COMPARISON else f"{mean} ± {half}"
        assert cell in row_of("ae", text), name


@pytest.mark.parametrize("file", [REPORT / "table.md", COMPARISON, page.INDEX], ids=lambda file: file.name)
def test_a_single_value_is_printed_without_an_interval(reported, file):
    text = file.read_text()
    assert "±" in row_of("ae", text) or re.search(r"\d\(\d+\)", row_of("ae", text))
    assert "±" not in row_of("mean", text) and "(" not in row_of("mean", text)


def test_missing_values_are_dashes(fake_project):
    columns = storage.read_columns(file_of("ae", "metrics.csv"))
    del columns["knn_1"]
    columns["knn_5"][1] = math.nan
    storage.write_columns(file_of("ae", "metrics.csv"), columns)
    texts = write_texts()
    assert row_of("ae", texts[".md"]).count("| — ") == 2
    assert row_of("ae", texts[".tex"]).count("& {---} ") == 2
    assert "knn_5" not in json.loads((REPORT / "summary.json").read_text())["ae"]


def test_an_infinite_mean_is_printed(fake_project):
    overwrite("ae", psnr=[math.inf] * 3, sse=[math.inf] * 3)
    texts = write_texts()
    assert texts[".md"].count("∞") == 3
    assert r"{$\infty$}" in row_of("ae", texts[".tex"])
    assert "∞" in row_of("ae", terminal.comparison(fake_runs.DATASET))


def test_a_metric_is_in_every_table_by_its_entry_in_METRICS(fake_project, monkeypatch):
    metric = Metric(
        lambda r: 0.0,
        "Beauty",
        better="higher",
        unit="hearts",
        perfect=1.0,
        decimals=1,
        meaning="How pleasing an image is.",
        main=True,
    )
    monkeypatch.setitem(METRICS, "beauty", metric)
    overwrite("ae", beauty=[4.0, 5.0, 6.0])
    texts = write_texts()
    assert float(read_table()["ae"]["beauty.mean"]) == 5.0
    for suffix, header in {".md": "Beauty ↑ (hearts)", ".tex": r"Beauty $\uparrow$", ".html": "Beauty ↑"}.items():
        assert header in texts[suffix]
        assert re.search(r"5\.0 ± 2\.5|5\.0\(25\)", row_of("ae", texts[suffix])), suffix
        assert "How pleasing an image is." in texts[suffix]
    assert "5.0 ± 2.5" in row_of("ae", terminal.comparison(fake_runs.DATASET))


def test_decimal_points_align_in_the_terminal(reported):
    printed = terminal.comparison(fake_runs.DATASET).splitlines()
    column = printed[0].index("SSE")
    points = {row.index(".", column) for row in printed[3:]}
    assert printed[1][column:].startswith("per image")
    assert len(printed) == 3 + len(fake_runs.BLOCKS)
    assert len(points) == 1


def test_summary_json_has_mean_and_interval_of_the_main_metrics(reported):
    summary = json.loads((REPORT / "summary.json").read_text())
    assert list(summary) == sorted(fake_runs.BLOCKS)
    for model, means in summary.items():
        assert {"sse", "knn_5"} <= set(means) <= {name for name, metric in METRICS.items() if metric.main}
        values = measured(model, "sse")
        assert means["sse"]["mean"] == pytest.approx(statistics.fmean(values))
        half_width = stats.sem(values) * stats.t.ppf(0.975, len(values) - 1) if len(values) > 1 else None
        assert means["sse"].get("half_width") == (half_width and pytest.approx(half_width))


def test_the_notes_do_not_call_a_single_seed_exact(fake_project):
    Path("params.yaml").write_text(Path("params.yaml").read_text().replace("[0, 1, 2]", "[0]"))
    text = " ".join(comparison.notes(read(fake_runs.DATASET)))
    assert "Only one seed was run" in text and "exact" not in text and "Bold:" not in text


def test_the_cost_table_has_times_memory_and_throughput(reported):
    text = (REPORT / "tables" / "cost.md").read_text()
    assert "(tables/cost.md)" in (REPORT / "table.md").read_text()
    cells = [cell.strip() for cell in row_of("ae", text).split("|")]
    assert cells[1:8] == ["ae", "12,345", "40", "3.50", "1,500", "9,870", "2,350,000"]
    assert "—" in row_of("mean", text), "models without updates have no time per update"
