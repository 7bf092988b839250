"""The report says what the files say: no more rows, no other numbers, and the same bytes every time."""

import csv
import json
import re
import runpy
import statistics
import sys
from contextlib import chdir
from html.parser import HTMLParser
from pathlib import Path

import fake_runs
import numpy as np
import pytest
from PIL import Image

from aebench import runs
from aebench.errors import InputError
from aebench.lock import Lock
from aebench.metrics import METRICS, PROFILES, Metric, Profile, question
from aebench.reporting import canvas, ledger, page, tables
from aebench.reporting.curves import curves
from aebench.reporting.figures import FIGURES
from aebench.reporting.results import read
from stages import report

LOCK = "0123456789ab"
GRIDS = ("interpolations", "traversals", "manifold")
T_975_2 = 4.302652729911275
"""Student's 97.5 % quantile with 2 degrees of freedom, from a printed table: three seeds."""
REPORT = runs.REPORTS / fake_runs.DATASET
COMPARISON = REPORT / "tables" / "comparison.tex"
MAIN = {name: metric for name, metric in METRICS.items() if metric.main}
TEXTS = (REPORT / "table.csv", REPORT / "table.md", COMPARISON, page.section_file(fake_runs.DATASET))


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A fake project in the working directory, nothing reported yet."""
    fake_runs.write_fake_suite(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Lock, "fingerprint", lambda self, dataset: LOCK)
    return tmp_path


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A fake project reported twice: (root, bytes of each file the first time, and the second)."""
    root = tmp_path_factory.mktemp("finished")
    fake_runs.write_fake_suite(root)
    with chdir(root), pytest.MonkeyPatch.context() as patch:
        patch.setattr(Lock, "fingerprint", lambda self, dataset: LOCK)
        return root, write_everything(), write_everything()


@pytest.fixture
def there(finished, monkeypatch):
    """The finished project in the working directory; only for reading."""
    monkeypatch.chdir(finished[0])


def write_everything() -> dict[str, bytes]:
    report.main(fake_runs.DATASET)
    page.write_index()
    ledger.write_all()
    files = [*Path("reports").rglob("*"), *Path("runs/pages").rglob("*")]
    return {str(file): file.read_bytes() for file in files if file.is_file()}


def write_texts() -> dict[str, str]:
    """The report without its figures, by file ending."""
    results = read(fake_runs.DATASET)
    tables.write(results)
    page.write(results)
    return {file.suffix: file.read_text() for file in TEXTS}


def measured(model: str, metric: str) -> list[float]:
    with Path("runs", fake_runs.DATASET, model, "metrics.csv").open() as stream:
        return [float(line[metric]) for line in csv.DictReader(stream)]


def lines() -> dict[str, dict[str, str]]:
    with (REPORT / "table.csv").open() as stream:
        return {line["model"]: line for line in csv.DictReader(stream)}


def line_of(model: str, text: str) -> str:
    """The line of a table that begins with the model's name."""
    (line,) = re.findall(rf"^(?:\| |<tr><th scope=\"row\">)?{re.escape(model)}[ <].*$", text, re.MULTILINE)[:1]
    return line


# Numbers


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("model", fake_runs.BLOCKS)
def test_csv_has_the_mean_and_interval_of_the_measured_values(there, model, metric):
    values, line = measured(model, metric), lines()[model]
    assert float(line[f"{metric}.mean"]) == pytest.approx(statistics.fmean(values), rel=1e-12)
    assert int(line[f"{metric}.n"]) == len(values)
    if len(values) == 1:
        assert line[f"{metric}.sd"] == line[f"{metric}.half_width"] == ""
    else:
        sd = statistics.stdev(values)
        assert float(line[f"{metric}.sd"]) == pytest.approx(sd, rel=1e-9)
        assert float(line[f"{metric}.half_width"]) == pytest.approx(T_975_2 * sd / 3**0.5, rel=1e-9)


def test_csv_has_the_size_of_a_row_and_seconds_stand_with_the_costs_alone(there):
    line = lines()["ae"]
    assert (line["code"], line["parameters"], line["n"]) == ("8", "12345", "3")
    with (REPORT / "tables" / "cost.csv").open(newline="") as stream:
        [cost] = [line for line in csv.DictReader(stream) if line["model"] == "ae"]
    assert float(cost["seconds.mean"]) == 3.5
    assert "{ae}{seconds}" in (REPORT / "timings.tex").read_text() and "{ae}{sse}" not in (REPORT / "timings.tex").read_text()
    files = [REPORT / "table.csv", REPORT / "table.md", REPORT / "numbers.tex", *(REPORT / "tables").iterdir()]
    assert not [file.name for file in files if file.stem != "cost" and "s per seed" in file.read_text()]
    assert "seconds" not in (REPORT / "numbers.tex").read_text()


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_in_the_table_of_its_question_and_the_main_ones_in_the_comparison(there, name):
    metric, values = METRICS[name], measured("ae", name)
    comparison, _, rest = (REPORT / "table.md").read_text().partition("\n## ")
    (table,) = [part for part in ("## " + rest).split("\n## ") if part.removeprefix("## ").startswith(question(name))]
    assert re.search(rf"\| {re.escape(metric.title)}[ |]", table)
    assert f"{statistics.fmean(values):.{metric.decimals}f}" in line_of("ae", table)
    assert bool(re.search(rf"\| {re.escape(metric.title)}[ |]", comparison)) == metric.main
    assert (metric.title in tables.terminal(fake_runs.DATASET)) == metric.main or not metric.main


def test_a_profile_has_a_table_with_a_column_a_place_and_a_line_in_the_csv(project, monkeypatch):
    line = Profile(lambda r: {}, "Beauty by hour", "hours", "higher", "hearts", 1, "How much it pleases.")
    monkeypatch.setitem(PROFILES, "beauty", line)
    place = runs.folder(fake_runs.DATASET, "ae") / "profiles.csv"
    runs.write_columns(place, {"seed": [0, 1, 2], "beauty/noon": [4.0, 5.0, 6.0], "beauty/night": [1.0, 1.0, 1.0]})
    text = write_texts()[".md"].partition("## Beauty by hour")[2].partition("\n## ")[0]
    assert "Beauty by hour (hearts, higher is better): How much it pleases. Columns: hours." in text
    assert "noon" in text and "5.0 ± 2.5" in line_of("ae", text) and "1.0 ± 0.0" in line_of("ae", text)
    assert line_of("mean", text).count("—") == 2
    with (REPORT / "profiles.csv").open() as stream:
        (noon,) = [r for r in csv.DictReader(stream) if (r["model"], r["profile"], r["place"]) == ("ae", "beauty", "noon")]
    assert (float(noon["mean"]), float(noon["sd"]), noon["n"]) == (5.0, 1.0, "3")


def test_what_is_measured_of_the_first_seed_alone_is_told_as_it_is(project):
    place = runs.folder(fake_runs.DATASET, "ae") / "metrics.csv"
    runs.write_columns(place, runs.read_columns(place) | {"psnr": [7.25, float("nan"), float("nan")]})
    text = write_texts()[".md"]
    assert (lines()["ae"]["psnr.mean"], lines()["ae"]["psnr.n"]) == ("7.25", "1")
    assert "| 7.25 " in line_of("ae", text.partition("\n## ")[2]).replace(chr(0x2007), "")


def test_a_metric_that_judges_nothing_has_no_arrow_and_no_better(there):
    text = (REPORT / "table.md").read_text()
    assert re.search(r"\| Activation \(per unit\) +\|", text)
    assert "- Activation (per unit): " in text
    assert "- SSE (per image, lower is better): " in text


def test_how_images_were_corrupted_is_in_the_notes(there):
    assert "corrupted by masking at level 0.3" in (REPORT / "table.md").read_text()


def test_the_best_of_a_code_size_and_what_ties_with_it_is_bold_in_every_table(project):
    """Of codes of 2 numbers ae_2d is better than pca_2, whatever the seed; the others are alone."""
    texts = write_texts()
    bold = {".md": "**", ".tex": "\\bfseries", ".html": "<strong>"}
    judging = [name for name, metric in MAIN.items() if metric.better]
    for model, line in lines().items():
        assert {line[f"{name}.best"] for name in judging} == {str(model == "ae_2d")}, model
        for ending, sign in bold.items():
            marks = 2 if ending == ".md" else 1
            name = model.replace("_", r"\_") if ending == ".tex" else model
            assert line_of(name, texts[ending]).count(sign) == marks * (model == "ae_2d") * len(judging), (model, ending)
    place = runs.folder(fake_runs.DATASET, "ae_2d") / "metrics.csv"
    columns, other = runs.read_columns(place), measured("pca_2", "sse")[0]
    runs.write_columns(place, columns | {"sse": [other - 1.0, other + 1.0, other + 0.5]})
    write_texts()
    assert lines()["ae_2d"]["sse.best"] == lines()["pca_2"]["sse.best"] == "True", "they tie"
    runs.write_columns(place, columns | {"sse": [other + 1.0, other + 1.1, other + 0.9]})
    write_texts()
    assert (lines()["ae_2d"]["sse.best"], lines()["pca_2"]["sse.best"]) == ("False", "True")
    with (REPORT / "comparisons.csv").open() as stream:
        (pair,) = [line for line in csv.DictReader(stream) if line["metric"] == "sse"]
    assert {pair["first"], pair["second"]} == {"pca_2", "ae_2d"} and float(pair["p"]) < 0.01
    assert abs(float(pair["mean"])) == pytest.approx(1.0)


@pytest.mark.parametrize("file", [REPORT / "table.md", COMPARISON, page.INDEX], ids=lambda file: file.name)
def test_printed_cells_round_the_measured_values(there, file):
    text = file.read_text()
    for metric, facts in MAIN.items():
        values = measured("ae", metric)
        half = T_975_2 * statistics.stdev(values) / 3**0.5
        mean, half = (f"{value:.{facts.decimals}f}" for value in (statistics.fmean(values), half))
        cell = f"{mean}({int(half.replace('.', ''))})" if file == COMPARISON else f"{mean} ± {half}"
        assert cell in line_of("ae", text), metric


@pytest.mark.parametrize("ending", [".md", ".tex", ".html"])
def test_a_single_value_has_no_interval(project, ending):
    text = write_texts()[ending]
    assert "±" in line_of("ae", text) or re.search(r"\d\(\d+\)", line_of("ae", text))
    assert "±" not in line_of("mean", text)
    assert "(" not in line_of("mean", text)


def test_what_was_not_measured_is_a_dash(project):
    place = runs.folder(fake_runs.DATASET, "ae") / "metrics.csv"
    columns = runs.read_columns(place)
    del columns["knn_1"]
    columns["knn_5"][1] = float("nan")
    runs.write_columns(place, columns)
    texts = write_texts()
    assert line_of("ae", texts[".md"]).count("| — ") == 2
    assert line_of("ae", texts[".tex"]).count("& {---} ") == 2
    assert "knn_5" not in json.loads((REPORT / "summary.json").read_text())["ae"]


def test_an_infinite_mean_is_not_an_error(project):
    place = runs.folder(fake_runs.DATASET, "ae") / "metrics.csv"
    runs.write_columns(place, runs.read_columns(place) | {"psnr": [float("inf")] * 3, "sse": [float("inf")] * 3})
    texts = write_texts()
    assert texts[".md"].count("∞") == 3
    assert r"{$\infty$}" in line_of("ae", texts[".tex"])
    assert "∞" in line_of("ae", tables.terminal(fake_runs.DATASET))


def test_a_metric_is_in_every_table_by_its_line_in_METRICS(project, monkeypatch):
    line = Metric(lambda r: 0.0, "Beauty", "higher", "hearts", 1.0, 1, "How much it pleases.", main=True)
    monkeypatch.setitem(METRICS, "beauty", line)
    place = runs.folder(fake_runs.DATASET, "ae") / "metrics.csv"
    runs.write_columns(place, runs.read_columns(place) | {"beauty": [4.0, 5.0, 6.0]})
    texts = write_texts()
    assert float(lines()["ae"]["beauty.mean"]) == 5.0
    for ending, head in {".md": "Beauty ↑ (hearts)", ".tex": r"Beauty $\uparrow$", ".html": "Beauty ↑"}.items():
        assert head in texts[ending]
        assert re.search(r"5\.0 ± 2\.5|5\.0\(25\)", line_of("ae", texts[ending])), ending
        assert "How much it pleases." in texts[ending]
    assert "5.0 ± 2.5" in line_of("ae", tables.terminal(fake_runs.DATASET))


def test_the_points_of_a_column_align(there):
    printed = tables.terminal(fake_runs.DATASET).splitlines()
    column = printed[0].index("SSE")
    points = {line.index(".", column) for line in printed[3:-2]}
    assert printed[1][column:].startswith("per image")
    assert len(printed) == 5 + len(fake_runs.BLOCKS)
    assert len(points) == 1


def test_summary_has_the_headline_means(there):
    summary = json.loads((REPORT / "summary.json").read_text())
    assert list(summary) == sorted(fake_runs.BLOCKS)
    for model, means in summary.items():
        assert set(means) == {"sse", "knn_5"}
        assert means["sse"] == pytest.approx(statistics.fmean(measured(model, "sse")))


def test_one_seed_is_not_called_exact(project):
    Path("params.yaml").write_text(Path("params.yaml").read_text().replace("[0, 1, 2]", "[0]"))
    text = write_texts()[".md"]
    assert "Only one seed was run" in text
    assert "whose value is exact" not in text


# Rows and names


def test_only_the_suites_rows_are_reported(project):
    fake_runs.write_conf(fake_runs.DATASET, fake_runs.BLOCKS | {"stale": "{kind: vanilla, code: 8}"})
    fake_runs.write_run(fake_runs.DATASET, "stale", 0.5, 8, fake_runs.SEEDS)
    fake_runs.write_params([fake_runs.DATASET], ["ae", "mean"])
    texts = write_texts()
    assert list(lines()) == ["ae", "mean"]
    for text in (*texts.values(), (REPORT / "curves.csv").read_text(), (REPORT / "summary.json").read_text()):
        assert "stale" not in text
        assert not re.search(r"(^|\| |row\">)pca_2\b", text, re.MULTILINE)


def test_names_are_escaped(project):
    name = r"50%_a&b#{c}$x^~\|<i>[d]"
    fake_runs.write_conf(fake_runs.DATASET, fake_runs.BLOCKS | {name: "{kind: vanilla, code: 8}"})
    fake_runs.write_run(fake_runs.DATASET, name, 0.5, 8, fake_runs.SEEDS)
    fake_runs.write_params([fake_runs.DATASET], ["ae", name])
    texts = write_texts()
    latex = r"50\%\_a\&b\#\{c\}\$x\textasciicircum{}\textasciitilde{}\textbackslash{}$|$$<$i$>${[}d]"
    assert f"\n{latex} \\dag{{}} & 8 & " in texts[".tex"]
    assert r"50%_a&b#{c}$x^~\\|<i>[d] †" in texts[".md"]
    assert "50%_a&amp;b#{c}$x^~\\|&lt;i&gt;[d] †</th>" in texts[".html"]
    assert "<i>" not in texts[".html"]
    assert lines()[name]["model"] == name


def test_a_dollar_in_a_name_is_drawn_as_it_is(project):
    fake_runs.write_conf(fake_runs.DATASET, {r"$\no$": "{kind: vanilla, code: 2}"})
    fake_runs.write_run(fake_runs.DATASET, r"$\no$", 0.5, 2, fake_runs.SEEDS)
    fake_runs.write_params([fake_runs.DATASET], [r"$\no$"])
    with canvas.style():
        drawn = curves(read(fake_runs.DATASET))
        canvas.save(drawn, Path("curves.png"), "")
    assert Path("curves.png").stat().st_size > 1000
    assert any("no" in axes.get_title() for axes in drawn.axes)


@pytest.mark.parametrize("name", ["007", "NA"])
def test_a_name_in_the_csv_stays_a_name(project, name):
    fake_runs.write_conf(fake_runs.DATASET, {name: "{kind: vanilla, code: 2}"})
    fake_runs.write_run(fake_runs.DATASET, name, 0.5, 2, fake_runs.SEEDS)
    fake_runs.write_params([fake_runs.DATASET], [name])
    tables.write(read(fake_runs.DATASET))
    assert tables.terminal(fake_runs.DATASET).splitlines()[3].startswith(f"{name} ")


def test_latex_is_balanced(there):
    text = COMPARISON.read_text().replace(r"\{", "").replace(r"\}", "")
    assert text.count("{") == text.count("}")
    body = re.search(r"\\toprule(.*)\\bottomrule", text, re.DOTALL)[1]
    rows = [row for row in body.split(r"\\") if "&" in row]
    assert {len(re.split(r"(?<!\\)&", row)) for row in rows} == {len(MAIN) + 4}
    assert len(rows) == 2 + len(fake_runs.BLOCKS)


# Certificates, remarks, facts


def mark(model: str, text: str) -> bool:
    """Whether a dagger stands behind the model's name."""
    return bool(re.search(rf"\b{model} (†|\\dag)", text.replace(r"\_", "_")))


def test_a_row_without_a_certificate_is_marked_in_every_table(project):
    texts = write_texts()
    texts["terminal"] = tables.terminal(fake_runs.DATASET)
    certified = {model: line["certified"] for model, line in lines().items()}
    assert certified == {"mean": "True", "pca_2": "False", "ae": "True", "ae_2d": "False", "sae": "True"}
    for ending in (".md", ".tex", ".html", "terminal"):
        assert {model: mark(model, texts[ending]) for model in certified} == {m: c == "False" for m, c in certified.items()}


def test_the_note_says_which_laws_a_row_broke_or_that_none_was_asked(project):
    for text in map(str, (write_texts()[".md"], page.section_file(fake_runs.DATASET).read_text())):
        assert "† ae_2d: not certified: the seed decides the start; terms leave their input alone." in text
        assert "† pca_2: not certified: aebench certify has not run." in text
    assert "table.md says why" in tables.terminal(fake_runs.DATASET)


def test_without_certificates_one_note_is_enough(project):
    runs.certificates_file(fake_runs.DATASET).unlink()
    text = write_texts()[".md"]
    assert text.count("not certified") == 1
    assert "- †: not certified: aebench certify has not run.\n" in text
    assert all(mark(model, text) for model in fake_runs.BLOCKS)


def test_with_all_certified_nothing_is_said_of_certificates(project):
    sound = {"certified": True, "failures": []}
    runs.write_json(runs.certificates_file(fake_runs.DATASET), dict.fromkeys(fake_runs.BLOCKS, sound))
    texts = write_texts()
    for text in (*texts.values(), tables.terminal(fake_runs.DATASET)):
        assert "†" not in text and "dag{}" not in text and "not certified" not in text


def test_remarks_stand_under_the_table(project):
    texts = write_texts()
    first, second = fake_runs.REMARKS
    assert f"## Remarks\n\n- {first}\n- {second}\n" in texts[".md"]
    assert f"<h3>Remarks</h3>\n<ul>\n<li>{first.replace('&', '&amp;')}</li>" in texts[".html"]
    conf = Path("conf", f"{fake_runs.DATASET}.yaml")
    conf.write_text("".join(line for line in conf.read_text().splitlines(True) if not line.startswith("remarks")))
    assert not any("Remarks" in text for text in write_texts().values())


def test_recipes_have_each_rows_settings_and_facts(project):
    columns = {column.head: column.cells for column in tables.recipes(read(fake_runs.DATASET))}
    settings = dict(zip(columns["model"], columns["settings"], strict=True))
    facts = dict(zip(columns["model"], columns["facts"], strict=True))
    assert settings["ae"] == "kind: vanilla, hidden: [16], code: 8"
    assert facts["ae_2d"] == "effective beta: 1.0, observation: bernoulli"
    assert facts["ae"] == ""


def test_a_stacks_layers_are_settings_too(project):
    block = "{kind: stacked, layers: [{pretrainer: ae, code: 4, tied: true}]}"
    conf = Path("conf", f"{fake_runs.DATASET}.yaml")
    conf.write_text(conf.read_text() + f"stacks:\n  deep: {block}\n")
    Path("params.yaml").write_text(Path("params.yaml").read_text() + "  stacks: [deep]\n")
    fake_runs.write_run(fake_runs.DATASET, "deep", 0.7, 4, fake_runs.SEEDS)
    results = read(fake_runs.DATASET)
    assert [row.model for row in results.rows] == [*fake_runs.BLOCKS, "deep"]
    assert tables.recipes(results)[1].cells[-1] == block[1:-1]


# Files


def test_reporting_twice_gives_the_same_bytes(finished):
    _, first, second = finished
    assert len(first) > 7 + 2 * len(FIGURES) + 2
    assert {name for name in first if first[name] != second.get(name)} == set()


def test_every_file_says_its_stage_and_lock(there):
    origin = f"written by stages.report from lock {LOCK}"
    assert (REPORT / "table.md").read_text().rstrip().endswith(f"<!-- {origin} -->")
    assert COMPARISON.read_text().startswith(f"% {origin}\n")
    assert origin in page.INDEX.read_text()
    for name in ("table.csv", "curves.csv"):
        with (REPORT / name).open() as stream:
            assert {line["lock"] for line in csv.DictReader(stream)} == {LOCK}
    for name in FIGURES:
        with Image.open(REPORT / "figures" / f"{name}.png") as image:
            assert origin in image.text["Description"]
            assert "Software" not in image.text
        print_ = (REPORT / "pdf" / f"{name}.pdf").read_bytes()
        assert f"lock {LOCK}".encode() in print_ or LOCK.encode("utf-16-be") in print_
        assert not re.search(rb"/(CreationDate|Creator|Producer)", print_)


def test_curves_are_the_history_to_six_digits(there):
    history = runs.read_columns(runs.folder(fake_runs.DATASET, "ae") / "history.csv")
    with (REPORT / "curves.csv").open() as stream:
        found = [line for line in csv.DictReader(stream) if line["model"] == "ae" and line["split"] == "validation"]
    assert [float(line["loss"]) for line in found] == pytest.approx(history["validation.loss"], rel=1e-5)
    assert [int(line["epoch"]) for line in found] == history["epoch"]
    assert [int(line["seed"]) for line in found] == history["seed"]


def test_a_missing_run_is_one_line(project, capsys, monkeypatch):
    missing = runs.folder(fake_runs.DATASET, "ae") / "metrics.csv"
    missing.unlink()
    monkeypatch.setattr(sys, "argv", ["stages.report", fake_runs.DATASET])
    monkeypatch.delitem(sys.modules, "stages.report")
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
        tables.terminal(fake_runs.DATASET)


# Page and figures


class Elements(HTMLParser):
    def __init__(self, text: str):
        super().__init__()
        self.found: list[tuple[str, dict]] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.found if name == tag]


def test_the_page_needs_no_other_file(there):
    text = page.INDEX.read_text()
    elements = Elements(text)
    pictures = elements.all("img")
    assert len(pictures) == len(FIGURES)
    for picture in pictures:
        assert picture["src"].startswith("data:image/png;base64,")
        assert len(picture["alt"]) > 20
    for tag, attributes in elements.found:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        assert tag == "img" or "src" not in attributes
        assert "style" not in attributes
    assert not re.search(r"url\(|@import", text)


def test_the_pages_links_lead_somewhere(there):
    text = page.INDEX.read_text()
    links = [link["href"] for link in Elements(text).all("a")]
    assert f"{fake_runs.DATASET}/table.csv" in links
    for link in links:
        assert (page.INDEX.parent / link).exists() or f'id="{link[1:]}"' in text


def test_the_index_joins_the_suite_and_lists_the_rest(project):
    for name in ("second", "other"):
        fake_runs.write_fake_suite(project, name)
    fake_runs.write_params([fake_runs.DATASET, "second"], list(fake_runs.BLOCKS))
    for name in (fake_runs.DATASET, "second"):
        page.write(read(name))
    page.write_index()
    text = page.INDEX.read_text()
    sections = [section["id"] for section in Elements(text).all("section")]
    assert [name for name in sections if "-" not in name] == [fake_runs.DATASET, "second", "others"]
    assert {"#fake", "#second"} <= {link["href"] for link in Elements(text).all("a")}
    assert re.findall(r'make reproduce DATASETS="(\w+)"', text) == ["other"]


def test_codes_are_drawn_for_two_numbers_only(project):
    with canvas.style():
        drawn = FIGURES["codes"].draw(read(fake_runs.DATASET))
    assert [axes.get_title() for axes in drawn.axes] == ["pca_2", "ae_2d"]
    for axes in drawn.axes:
        (x, y), points = (axes.get_xlim(), axes.get_ylim()), axes.collections[0].get_offsets()
        assert x[1] - x[0] == pytest.approx(y[1] - y[0])
        assert ((points > (x[0], y[0])) & (points < (x[1], y[1]))).all()


def test_codes_that_fell_into_one_point_can_be_drawn(project):
    place = runs.folder(fake_runs.DATASET, "ae_2d") / "pictures.npz"
    runs.write_arrays(place, **runs.read_arrays(place) | {"scatter": np.ones((30, 2), np.float32)})
    with canvas.style():
        drawn = FIGURES["codes"].draw(read(fake_runs.DATASET))
        canvas.save(drawn, Path("codes.png"), "")
    assert Path("codes.png").stat().st_size > 1000
    assert all(axes.get_xlim()[0] < axes.get_xlim()[1] for axes in drawn.axes)


def test_decoded_codes_are_drawn_of_the_rows_that_have_them(project):
    results = read(fake_runs.DATASET)
    with canvas.style():
        titles = {name: [axes.get_title() for axes in FIGURES[name].draw(results).axes] for name in GRIDS}
        (axes,) = FIGURES["samples"].draw(results).axes
    decoding = ["pca_2", "ae", "ae_2d", "sae"]
    assert titles == {"interpolations": decoding, "traversals": decoding, "manifold": ["pca_2", "ae_2d"]}
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["pca_2 (normals)", "ae (normals)", "ae_2d (prior)", "sae (normals)"]


@pytest.mark.parametrize(("name", "across"), [("interpolations", 10), ("traversals", 9), ("manifold", 15)])
def test_a_grid_has_the_images_in_their_order(project, name, across):
    """Of a tile's width and gap: the first of the second line stands under the first of the first."""
    results = read(fake_runs.DATASET)
    with canvas.style():
        axes = FIGURES[name].draw(results).axes[0]
    shown, images, (high, wide) = axes.get_images()[0].get_array(), results.rows[1].pictures[name], fake_runs.SHAPE
    assert shown.shape == (13 * len(images) // across - 1, 13 * across - 1)
    np.testing.assert_allclose(shown[:high, 13 : 13 + wide], images[1].reshape(fake_runs.SHAPE))
    np.testing.assert_allclose(shown[13 : 13 + high, :wide], images[across].reshape(fake_runs.SHAPE))


def test_a_figure_with_nothing_to_show_is_removed(project):
    for old in (REPORT / "figures" / "codes.png", REPORT / "pdf" / "codes.pdf"):
        old.parent.mkdir(parents=True)
        old.write_bytes(b"of an older suite")
    fake_runs.write_params([fake_runs.DATASET], ["mean"])
    report.main(fake_runs.DATASET)
    assert not (REPORT / "pdf" / "codes.pdf").exists()
    assert sorted(file.stem for file in (REPORT / "figures").glob("*.png")) == [
        "card", "confusions", "distortion", "frontier", "labels", "reconstructions", "robustness", "spectra",
    ]  # fmt: skip


def test_curves_end_where_most_seeds_have_stopped(project):
    losses = np.array([[3.0, 4.0, 9.0], [2.0, 3.0, np.nan], [1.0, np.nan, np.nan]])
    history = runs.History({"train.loss": losses, "validation.loss": losses})
    runs.save_history(runs.folder(fake_runs.DATASET, "ae") / "history.csv", fake_runs.SEEDS, history)
    fake_runs.write_params([fake_runs.DATASET], ["ae"])
    with canvas.style():
        (axes,) = curves(read(fake_runs.DATASET)).axes
    for line in axes.get_lines():
        assert list(line.get_xdata()) == [1, 2]
        assert list(line.get_ydata()) == [4.0, 2.5]
    assert axes.get_legend_handles_labels()[1] == ["train", "validation"]


def test_a_mosaic_clips_and_keeps_every_image():
    row = np.array([[0.0, 0.5, 0.2, 2.0], [-1.0, 0.0, 1.0, 0.3]])
    tiles = canvas.mosaic([row], (2, 2))
    assert tiles.tolist() == [[0.0, 0.5, 1.0, 0.0, 0.0], [0.2, 1.0, 1.0, 1.0, 0.3]]
    assert canvas.mosaic([np.zeros((3, 12))] * 2, (2, 2, 3)).shape == (5, 8, 3)


def test_what_a_row_costs_is_told_beside_the_comparison(there):
    text = (REPORT / "tables" / "cost.md").read_text()
    assert "(tables/cost.md)" in (REPORT / "table.md").read_text()
    cells = [cell.strip() for cell in line_of("ae", text).split("|")]
    assert cells[1:8] == ["ae", "12,345", "40", "3.50", "1,500", "9,870", "2,350,000"]
    assert "—" in line_of("mean", text)  # no updates
