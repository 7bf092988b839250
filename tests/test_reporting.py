"""Reports contain the models of the suite and the measured numbers, and are reproducible byte for byte."""

import csv
import json
import math
import re
import runpy
import statistics
import sys
from contextlib import chdir
from pathlib import Path

import fake_runs
import numpy as np
import pytest
from PIL import Image

from aebench import reporting, storage
from aebench.errors import InputError
from aebench.evaluation.metrics import METRICS, PROFILES, Metric, Profile, question
from aebench.pipeline.lock import Lock
from aebench.reporting import page, provenance, tables
from aebench.reporting.figures import FIGURES, canvas
from aebench.reporting.figures.learning import learning_curves
from aebench.reporting.results import FILES, over_seeds, read
from aebench.reporting.tables import comparison, recipes

LOCK = "0123456789ab"
GRIDS = ("interpolations", "traversals", "manifold")
T_975_2 = 4.302652729911275
"""Student's 97.5 % quantile with 2 degrees of freedom, from a printed table: three seeds."""
REPORT = storage.REPORTS / fake_runs.DATASET
COMPARISON = REPORT / "tables" / "comparison.tex"
MAIN = {name: metric for name, metric in METRICS.items() if metric.main}
TEXTS = (REPORT / "table.csv", REPORT / "table.md", COMPARISON, page.section_file(fake_runs.DATASET))


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A fake project as the working directory, without a report."""
    fake_runs.write_fake_suite(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Lock, "fingerprint", lambda self, dataset: LOCK)
    return tmp_path


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The root of a fake project that was reported twice, and the bytes of each file after the first and second report."""
    root = tmp_path_factory.mktemp("finished")
    fake_runs.write_fake_suite(root)
    with chdir(root), pytest.MonkeyPatch.context() as patch:
        patch.setattr(Lock, "fingerprint", lambda self, dataset: LOCK)
        return root, write_everything(), write_everything()


@pytest.fixture
def reported(finished, monkeypatch):
    """The finished project as the working directory; tests do not change it."""
    monkeypatch.chdir(finished[0])


def write_everything() -> dict[str, bytes]:
    reporting.report(fake_runs.DATASET)
    reporting.index()
    files = [*Path("reports").rglob("*"), *Path("runs/pages").rglob("*"), Path("docs/lecture.md")]
    return {str(file): file.read_bytes() for file in files if file.is_file()}


def write_texts() -> dict[str, str]:
    """The texts of the report, without figures, by suffix."""
    results = read(fake_runs.DATASET)
    tables.write(results)
    page.write(results)
    return {file.suffix: file.read_text() for file in TEXTS}


def file_of(model: str, name: str) -> Path:
    return storage.run_folder(fake_runs.DATASET, model) / name


def overwrite(model: str, name: str = "metrics.csv", **columns: list[float]) -> None:
    """Replace or add columns of a results file."""
    storage.write_columns(file_of(model, name), storage.read_columns(file_of(model, name)) | columns)


def measured(model: str, metric: str) -> list[float]:
    stage = {"evaluate": "metrics.csv", "classify": "classification.csv"}[METRICS[metric].stage]
    values = storage.read_columns(file_of(model, stage))[metric]
    return values[: len(storage.read_columns(file_of(model, "metrics.csv"))["seed"])]


def read_table() -> dict[str, dict[str, str]]:
    with (REPORT / "table.csv").open() as stream:
        return {row["model"]: row for row in csv.DictReader(stream)}


def row_of(model: str, text: str) -> str:
    """The first row of a table whose first cell is the model's name."""
    return re.search(rf"^(?:\| |<tr><th scope=\"row\">)?{re.escape(model)}[ <].*$", text, re.MULTILINE)[0]


# The reader


def test_results_are_those_of_the_suite_in_its_order(project):
    fake_runs.write_params([fake_runs.DATASET], ["ae", "mean"])
    results = read(fake_runs.DATASET)
    assert [model.name for model in results.models] == ["ae", "mean"]
    ae = results.models[0]
    assert ae.settings == {"kind": "vanilla", "hidden": [16], "latent_dim": 8}
    assert (ae.training.epochs, ae.seeds, ae.cost.latent_dim) == (fake_runs.EPOCHS, fake_runs.SEEDS, 8)
    assert ae.throughput["encode"] == 1234.0 * 8


def test_training_settings_of_a_model_override_those_of_the_data_set(project):
    fake_runs.write_conf(fake_runs.DATASET, fake_runs.BLOCKS | {"ae": "{kind: vanilla, latent_dim: 8, training: {epochs: 7}}"})
    training = {model.name: model.training for model in read(fake_runs.DATASET).models}
    assert (training["ae"].epochs, training["ae"].batch_size, training["sae"].epochs) == (7, 64, fake_runs.EPOCHS)


@pytest.mark.parametrize("name", FILES)
def test_a_model_without_a_results_file_is_an_error_or_left_out_on_request(project, name):
    file_of("ae", name).unlink()
    with pytest.raises(InputError, match=f"fake/ae/{name} must have been written by an earlier stage"):
        read(fake_runs.DATASET)
    assert [model.name for model in read(fake_runs.DATASET, complete=False).models] == ["mean", "pca_2", "ae_2d", "sae"]


def test_quantities_are_found_by_name(project):
    overwrite("ae", "classification.csv", **{"pretrained.0.1": [1.0, 2.0, 3.0]})
    storage.write_columns(file_of("ae", "layers.csv"), {"seed": [0, 1, 2], "probe.1": [4.0, 5.0, 6.0]})
    ae = next(model for model in read(fake_runs.DATASET).models if model.name == "ae")
    profiles = storage.read_columns(file_of("ae", "profiles.csv"))
    assert ae.values("sse") == measured("ae", "sse")
    assert ae.values("sse_at_bits/2") == profiles["sse_at_bits/2"]
    assert (
        ae.values("linear_probe_by_labels/0.1")
        == storage.read_columns(file_of("ae", "classification.csv"))["linear_probe_by_labels/0.1"]
    )
    assert ae.values("classify/pretrained.0.1") == [1.0, 2.0, 3.0]
    assert ae.values("layers/probe.1") == [4.0, 5.0, 6.0]
    assert ae.values("settings/latent_dim") == [8.0]
    assert [ae.values(name) for name in ("sse_at_bits/3", "layers/probe.2", "settings/target", "nothing")] == [None] * 4


def test_an_estimate_needs_finite_values_for_an_interval():
    nan, inf = math.nan, math.inf
    assert over_seeds([1.0, 2.0, 3.0]).half_width == pytest.approx(T_975_2 / 3**0.5)
    only_first, perfect, partial = over_seeds([7.0, nan, nan]), over_seeds([inf, 1.0]), over_seeds([1.0, nan, 3.0])
    assert (only_first.mean, only_first.n) == (7.0, 1)
    assert (perfect.mean, perfect.n) == (inf, 2) and math.isnan(perfect.half_width)
    assert math.isnan(partial.mean) and partial.n == 3


def test_the_linear_probe_of_a_model_that_is_not_random_is_one_number_and_its_profile_has_all_seeds(reported):
    pca = next(model for model in read(fake_runs.DATASET).models if model.name == "pca_2")
    assert (pca.scores["linear_probe"].n, pca.profiles["linear_probe_by_labels"]["0.1"].n) == (1, 3)
    assert list(pca.probe.labels.values()) == [6, 30, 60]


# Numbers


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
    assert not metric.main or metric.title in comparison.terminal(fake_runs.DATASET)


def test_the_linear_probe_is_compared_like_any_other_main_metric(reported):
    with (REPORT / "comparisons.csv").open() as stream:
        (pair,) = [row for row in csv.DictReader(stream) if row["metric"] == "linear_probe"]
    assert {pair["first"], pair["second"]} == {"pca_2", "ae_2d"}
    assert {row["linear_probe.best"] for row in read_table().values()} == {"True", "False"}


def test_a_profile_has_a_column_per_position_and_a_row_per_position_in_profiles_csv(project, monkeypatch):
    profile = Profile(lambda r: {}, "Beauty by hour", "hours", "higher", "hearts", 1, "How pleasing an image is.")
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


def test_a_quantity_measured_for_the_first_seed_only_has_no_interval(project):
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


def test_the_notes_name_the_feature_classifier_and_its_accuracy(project, monkeypatch):
    results = read(fake_runs.DATASET)
    assert not any("features" in note for note in comparison.notes(results))
    vars(results)["feature_classifier"] = {"name": "a1b2c3d4", "accuracy": 99.444}
    assert any("classifier a1b2c3d4 (validation accuracy 99.44 %)" in note for note in comparison.notes(results))


def test_the_best_at_a_latent_dimension_and_ties_with_it_are_bold_in_every_format(project):
    """At dimension 2, ae_2d is better than pca_2 for every seed; the other models have unique dimensions."""
    texts = write_texts()
    bold = {".md": "**", ".tex": "\\bfseries", ".html": "<strong>"}
    directed = [name for name, metric in MAIN.items() if metric.better]
    for model, row in read_table().items():
        assert {row[f"{name}.best"] for name in directed} == {str(model == "ae_2d")}, model
        for suffix, sign in bold.items():
            marks = 2 if suffix == ".md" else 1
            name = model.replace("_", r"\_") if suffix == ".tex" else model
            assert row_of(name, texts[suffix]).count(sign) == marks * (model == "ae_2d") * len(directed), (model, suffix)
    other = measured("pca_2", "sse")[0]
    overwrite("ae_2d", sse=[other - 1.0, other + 1.0, other + 0.5])
    write_texts()
    assert read_table()["ae_2d"]["sse.best"] == read_table()["pca_2"]["sse.best"] == "True", "the models tie"
    overwrite("ae_2d", sse=[other + 1.0, other + 1.1, other + 0.9])
    write_texts()
    assert (read_table()["ae_2d"]["sse.best"], read_table()["pca_2"]["sse.best"]) == ("False", "True")
    with (REPORT / "comparisons.csv").open() as stream:
        (pair,) = [row for row in csv.DictReader(stream) if row["metric"] == "sse"]
    assert {pair["first"], pair["second"]} == {"pca_2", "ae_2d"} and float(pair["p"]) < 0.01
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


def test_missing_values_are_dashes(project):
    columns = storage.read_columns(file_of("ae", "metrics.csv"))
    del columns["knn_1"]
    columns["knn_5"][1] = math.nan
    storage.write_columns(file_of("ae", "metrics.csv"), columns)
    texts = write_texts()
    assert row_of("ae", texts[".md"]).count("| — ") == 2
    assert row_of("ae", texts[".tex"]).count("& {---} ") == 2
    assert "knn_5" not in json.loads((REPORT / "summary.json").read_text())["ae"]


def test_an_infinite_mean_is_printed(project):
    overwrite("ae", psnr=[math.inf] * 3, sse=[math.inf] * 3)
    texts = write_texts()
    assert texts[".md"].count("∞") == 3
    assert r"{$\infty$}" in row_of("ae", texts[".tex"])
    assert "∞" in row_of("ae", comparison.terminal(fake_runs.DATASET))


def test_a_metric_is_in_every_table_by_its_entry_in_METRICS(project, monkeypatch):
    metric = Metric(lambda r: 0.0, "Beauty", "higher", "hearts", 1.0, 1, "How pleasing an image is.", main=True)
    monkeypatch.setitem(METRICS, "beauty", metric)
    overwrite("ae", beauty=[4.0, 5.0, 6.0])
    texts = write_texts()
    assert float(read_table()["ae"]["beauty.mean"]) == 5.0
    for suffix, header in {".md": "Beauty ↑ (hearts)", ".tex": r"Beauty $\uparrow$", ".html": "Beauty ↑"}.items():
        assert header in texts[suffix]
        assert re.search(r"5\.0 ± 2\.5|5\.0\(25\)", row_of("ae", texts[suffix])), suffix
        assert "How pleasing an image is." in texts[suffix]
    assert "5.0 ± 2.5" in row_of("ae", comparison.terminal(fake_runs.DATASET))


def test_decimal_points_align_in_the_terminal(reported):
    printed = comparison.terminal(fake_runs.DATASET).splitlines()
    column = printed[0].index("SSE")
    points = {row.index(".", column) for row in printed[3:]}
    assert printed[1][column:].startswith("per image")
    assert len(printed) == 3 + len(fake_runs.BLOCKS)
    assert len(points) == 1


def test_summary_json_has_the_headline_means(reported):
    summary = json.loads((REPORT / "summary.json").read_text())
    assert list(summary) == sorted(fake_runs.BLOCKS)
    for model, means in summary.items():
        assert set(means) == {"sse", "knn_5"}
        assert means["sse"] == pytest.approx(statistics.fmean(measured(model, "sse")))


def test_the_notes_do_not_call_a_single_seed_exact(project):
    Path("params.yaml").write_text(Path("params.yaml").read_text().replace("[0, 1, 2]", "[0]"))
    text = " ".join(comparison.notes(read(fake_runs.DATASET)))
    assert "Only one seed was run" in text and "exact" not in text and "Bold:" not in text


def test_the_cost_table_has_times_memory_and_throughput(reported):
    text = (REPORT / "tables" / "cost.md").read_text()
    assert "(tables/cost.md)" in (REPORT / "table.md").read_text()
    cells = [cell.strip() for cell in row_of("ae", text).split("|")]
    assert cells[1:8] == ["ae", "12,345", "40", "3.50", "1,500", "9,870", "2,350,000"]
    assert "—" in row_of("mean", text), "models without updates have no time per update"


# Names, remarks, recipes


def test_models_outside_the_suite_are_not_reported(project):
    fake_runs.write_conf(fake_runs.DATASET, fake_runs.BLOCKS | {"stale": "{kind: vanilla, latent_dim: 8}"})
    fake_runs.write_run(fake_runs.DATASET, "stale", 0.5, 8, fake_runs.SEEDS)
    fake_runs.write_params([fake_runs.DATASET], ["ae", "mean"])
    texts = write_texts()
    assert list(read_table()) == ["ae", "mean"]
    for text in (*texts.values(), (REPORT / "curves.csv").read_text(), (REPORT / "summary.json").read_text()):
        assert "stale" not in text
        assert not re.search(r"(^|\| |row\">)pca_2\b", text, re.MULTILINE)


def test_names_are_escaped(project):
    name = r"50%_a&b#{c}$x^~\|<i>[d]"
    fake_runs.write_conf(fake_runs.DATASET, fake_runs.BLOCKS | {name: "{kind: vanilla, latent_dim: 8}"})
    fake_runs.write_run(fake_runs.DATASET, name, 0.5, 8, fake_runs.SEEDS)
    fake_runs.write_params([fake_runs.DATASET], ["ae", name])
    texts = write_texts()
    latex = r"50\%\_a\&b\#\{c\}\$x\textasciicircum{}\textasciitilde{}\textbackslash{}$|$$<$i$>${[}d]"
    assert f"\n{latex} & 8 & " in texts[".tex"]
    assert r"50%_a&b#{c}$x^~\\|<i>[d]" in texts[".md"]
    assert "50%_a&amp;b#{c}$x^~\\|&lt;i&gt;[d]</th>" in texts[".html"]
    assert "<i>" not in texts[".html"]
    assert read_table()[name]["model"] == name


def test_a_dollar_in_a_name_is_drawn_as_it_is(project):
    fake_runs.write_conf(fake_runs.DATASET, {r"$\no$": "{kind: vanilla, latent_dim: 2}"})
    fake_runs.write_run(fake_runs.DATASET, r"$\no$", 0.5, 2, fake_runs.SEEDS)
    fake_runs.write_params([fake_runs.DATASET], [r"$\no$"])
    with canvas.style():
        drawing = learning_curves(read(fake_runs.DATASET))
        canvas.save(drawing, Path("curves.png"), "")
    assert Path("curves.png").stat().st_size > 1000
    assert any("no" in axes.get_title() for axes in drawing.axes)


@pytest.mark.parametrize("name", ["007", "NA"])
def test_the_terminal_prints_names_that_look_like_numbers(project, name):
    fake_runs.write_conf(fake_runs.DATASET, {name: "{kind: vanilla, latent_dim: 2}"})
    fake_runs.write_run(fake_runs.DATASET, name, 0.5, 2, fake_runs.SEEDS)
    fake_runs.write_params([fake_runs.DATASET], [name])
    tables.write(read(fake_runs.DATASET))
    assert comparison.terminal(fake_runs.DATASET).splitlines()[3].startswith(f"{name} ")


def test_remarks_are_printed_below_the_comparison(project):
    texts = write_texts()
    first, second = fake_runs.REMARKS
    assert f"## Remarks\n\n- {first}\n- {second}\n" in texts[".md"]
    assert f"<h3>Remarks</h3>\n<ul>\n<li>{first.replace('&', '&amp;')}</li>" in texts[".html"]
    conf = Path("conf", f"{fake_runs.DATASET}.yaml")
    conf.write_text("".join(line for line in conf.read_text().splitlines(True) if not line.startswith("remarks")))
    assert not any("Remarks" in text for text in write_texts().values())


def test_recipes_have_settings_facts_and_processor_of_each_model(project):
    columns = {column.header: column.cells for column in recipes.columns(read(fake_runs.DATASET))}
    settings, facts = (dict(zip(columns["model"], columns[head], strict=True)) for head in ("settings", "facts"))
    assert settings["ae"] == "kind: vanilla, hidden: [16], latent_dim: 8"
    assert (facts["ae_2d"], facts["ae"]) == ("effective beta: 1.0, observation: bernoulli", "")
    assert set(columns["processor"]) == {"Abacus 3000, mkl, oneDNN"}
    assert columns["command"][2] == "dvc repro evaluate@fake-ae"


def test_recipes_have_the_layers_of_a_stack_and_its_own_stage(project):
    block = "{kind: stacked, layers: [{pretrainer: ae, latent_dim: 4, tied: true}]}"
    conf = Path("conf", f"{fake_runs.DATASET}.yaml")
    conf.write_text(conf.read_text() + f"stacks:\n  deep: {block}\n")
    Path("params.yaml").write_text(Path("params.yaml").read_text() + "  stacks: [deep]\n")
    fake_runs.write_run(fake_runs.DATASET, "deep", 0.7, 4, fake_runs.SEEDS)
    results = read(fake_runs.DATASET)
    assert [model.name for model in results.models] == [*fake_runs.BLOCKS, "deep"]
    columns = {column.header: column.cells[-1] for column in recipes.columns(results)}
    assert (columns["settings"], columns["command"]) == (block[1:-1], "dvc repro evaluate_stack@fake-deep")


# Files


def test_reporting_twice_gives_the_same_bytes(finished):
    _, first, second = finished
    assert len(first) > 7 + 2 * len(FIGURES) + 2
    assert {name for name in first if first[name] != second.get(name)} == set()


def test_only_provenance_json_has_the_lock(finished):
    """Files do not change if their numbers do not change."""
    assert [name for name, content in finished[1].items() if LOCK.encode() in content] == [str(REPORT / "provenance.json")]


def test_provenance_names_the_processor_and_blas_of_each_environment(project):
    results = read(fake_runs.DATASET)
    (environment,) = provenance.provenance(results)["environments"]
    assert (environment["processor"], environment["blas"]) == ("Abacus 3000", "mkl, oneDNN")
    assert environment["models"] == list(fake_runs.BLOCKS)
    cost = storage.read_json(file_of("ae", "cost.json")) | {"processor": "Abacus 4000"}
    storage.write_json(file_of("ae", "cost.json"), cost)
    environments = provenance.provenance(read(fake_runs.DATASET))["environments"]
    assert [(each["processor"], each["models"]) for each in environments] == [
        ("Abacus 3000", ["mean", "pca_2", "ae_2d", "sae"]),
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


def test_a_missing_file_is_reported_in_one_line_and_writes_nothing(project, capsys, monkeypatch):
    missing = file_of("ae", "metrics.csv")
    missing.unlink()
    monkeypatch.setattr(sys, "argv", ["stages.report", fake_runs.DATASET])
    monkeypatch.delitem(sys.modules, "stages.report", raising=False)
    with pytest.raises(SystemExit) as stopped:
        runpy.run_module("stages.report", run_name="__main__")
    error = capsys.readouterr().err
    assert stopped.value.code == 1
    assert error.startswith(f"error: {missing} must have been written")
    assert error.count("\n") == 1
    assert not REPORT.exists()


def test_a_missing_section_or_table_is_an_input_error(project):
    with pytest.raises(InputError, match=r"runs/pages/fake\.html must have been written"):
        page.write_index()
    with pytest.raises(InputError, match=r"reports/fake/table\.csv must have been written"):
        comparison.terminal(fake_runs.DATASET)


# Figures


def test_codes_are_drawn_for_two_units_only(project):
    with canvas.style():
        drawing = FIGURES["codes_2d"].draw(read(fake_runs.DATASET))
    assert [axes.get_title() for axes in drawing.axes] == ["pca_2", "ae_2d"]
    for axes in drawing.axes:
        (x, y), points = (axes.get_xlim(), axes.get_ylim()), axes.collections[0].get_offsets()
        assert x[1] - x[0] == pytest.approx(y[1] - y[0])
        assert ((points > (x[0], y[0])) & (points < (x[1], y[1]))).all()


def test_collapsed_codes_can_be_drawn(project):
    pictures = storage.read_arrays(file_of("ae_2d", "pictures.npz"))
    storage.write_arrays(file_of("ae_2d", "pictures.npz"), **pictures | {"scatter": np.ones((30, 2), np.float32)})
    with canvas.style():
        drawing = FIGURES["codes_2d"].draw(read(fake_runs.DATASET))
        canvas.save(drawing, Path("codes.png"), "")
    assert Path("codes.png").stat().st_size > 1000
    assert all(axes.get_xlim()[0] < axes.get_xlim()[1] for axes in drawing.axes)


def test_decoded_codes_are_drawn_for_the_models_that_have_them(project):
    results = read(fake_runs.DATASET)
    with canvas.style():
        titles = {name: [axes.get_title() for axes in FIGURES[name].draw(results).axes] for name in GRIDS}
        (axes,) = FIGURES["samples"].draw(results).axes
    decoding = ["pca_2", "ae", "ae_2d", "sae"]
    assert titles == {"interpolations": decoding, "traversals": decoding, "manifold": ["pca_2", "ae_2d"]}
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert [name.partition(" ")[0] for name in names] == decoding
    assert [("prior" in name) for name in names] == [False, False, True, False]


@pytest.mark.parametrize(("name", "across"), [("interpolations", 10), ("traversals", 9), ("manifold", 15)])
def test_a_grid_has_the_images_in_their_order(project, name, across):
    """Tiles have 12 pixels and a gap of one pixel; the second row of images starts below the first."""
    results = read(fake_runs.DATASET)
    with canvas.style():
        axes = FIGURES[name].draw(results).axes[0]
    pixels, images, (height, width) = axes.get_images()[0].get_array(), results.models[1].pictures[name], fake_runs.SHAPE
    assert pixels.shape == (13 * len(images) // across - 1, 13 * across - 1)
    np.testing.assert_allclose(pixels[:height, 13 : 13 + width], images[1].reshape(fake_runs.SHAPE))
    np.testing.assert_allclose(pixels[13 : 13 + height, :width], images[across].reshape(fake_runs.SHAPE))


def test_a_figure_with_nothing_to_show_is_removed(project):
    for old in (REPORT / "figures" / "codes_2d.png", REPORT / "pdf" / "codes_2d.pdf"):
        old.parent.mkdir(parents=True)
        old.write_bytes(b"from an older suite")
    fake_runs.write_params([fake_runs.DATASET], ["mean"])
    reporting.report(fake_runs.DATASET)
    assert not (REPORT / "pdf" / "codes_2d.pdf").exists()
    names = {file.stem for file in (REPORT / "figures").glob("*.png")}
    assert {"card", "reconstructions"} < names and not {"codes_2d", "filters", "samples", "learning_curves"} & names


def test_curves_end_where_most_seeds_have_stopped(project):
    losses = np.array([[3.0, 4.0, 9.0], [2.0, 3.0, np.nan], [1.0, np.nan, np.nan]])
    history = storage.History({"train.loss": losses, "validation.loss": losses})
    storage.save_history(file_of("ae", "history.csv"), fake_runs.SEEDS, history)
    fake_runs.write_params([fake_runs.DATASET], ["ae"])
    with canvas.style():
        (axes,) = learning_curves(read(fake_runs.DATASET)).axes
    for line in axes.get_lines():
        assert list(line.get_xdata()) == [1, 2]
        assert list(line.get_ydata()) == [4.0, 2.5]
    assert axes.get_legend_handles_labels()[1] == ["train", "validation"]


def test_a_mosaic_clips_and_keeps_every_image():
    row = np.array([[0.0, 0.5, 0.2, 2.0], [-1.0, 0.0, 1.0, 0.3]])
    tiles = canvas.mosaic([row], (2, 2))
    assert tiles.tolist() == [[0.0, 0.5, 1.0, 0.0, 0.0], [0.2, 1.0, 1.0, 1.0, 0.3]]
    assert canvas.mosaic([np.zeros((3, 12))] * 2, (2, 2, 3)).shape == (5, 8, 3)
