"""Names of models, remarks and recipes in a report are those of the suite and the settings."""

import re
from pathlib import Path

import fake_runs
import pytest
from fake_runs import REPORT, read_table, write_texts

from aebench import config
from aebench.reporting import tables, terminal
from aebench.reporting.figures import canvas
from aebench.reporting.figures.learning import learning_curves
from aebench.reporting.judge import with_report
from aebench.reporting.results import read
from aebench.reporting.tables import comparison, recipes


def test_models_outside_the_suite_are_not_reported(fake_project):
    fake_runs.write_conf(fake_runs.DATASET, fake_runs.BLOCKS | {"stale": "{kind: vanilla, latent_dim: 8}"})
    fake_runs.write_run(fake_runs.DATASET, "stale", 0.5, 8, fake_runs.SEEDS)
    fake_runs.write_params([fake_runs.DATASET], ["ae", "mean"])
    texts = write_texts()
    assert list(read_table()) == ["ae", "mean"]
    for text in (*texts.values(), (REPORT / "curves.csv").read_text(), (REPORT / "summary.json").read_text()):
        assert "stale" not in text
        assert not re.search(r"(^|\| |row\">)pca_2d\b", text, re.MULTILINE)


@pytest.fixture
def any_name(monkeypatch):
    """Names that are rejected: titles and class names, which users choose freely, are escaped by the same functions."""
    monkeypatch.setattr(config, "check_names", lambda *_: None)


def test_names_are_escaped(fake_project, any_name):
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


def test_a_dollar_in_a_name_is_drawn_as_it_is(fake_project, any_name):
    fake_runs.write_conf(fake_runs.DATASET, {r"$\no$": "{kind: vanilla, latent_dim: 2}"})
    fake_runs.write_run(fake_runs.DATASET, r"$\no$", 0.5, 2, fake_runs.SEEDS)
    fake_runs.write_params([fake_runs.DATASET], [r"$\no$"])
    with canvas.style():
        drawing = learning_curves(read(fake_runs.DATASET))
        canvas.save(drawing, Path("curves.png"), "")
    assert Path("curves.png").stat().st_size > 1000
    assert any("no" in axes.get_title() for axes in drawing.axes)


@pytest.mark.parametrize("name", ["007", "NA"])
def test_the_terminal_prints_names_that_look_like_numbers(fake_project, any_name, name):
    fake_runs.write_conf(fake_runs.DATASET, {name: "{kind: vanilla, latent_dim: 2}"})
    fake_runs.write_run(fake_runs.DATASET, name, 0.5, 2, fake_runs.SEEDS)
    fake_runs.write_params([fake_runs.DATASET], [name])
    tables.write(read(fake_runs.DATASET))
    assert terminal.comparison(fake_runs.DATASET).splitlines()[3].startswith(f"{name} ")


@pytest.mark.parametrize("name", ["NA", "null", "nan"])
def test_a_judged_model_stands_below_models_whose_names_look_like_missing_values(fake_project, name):
    fake_runs.write_conf(fake_runs.DATASET, {name: "{kind: vanilla, latent_dim: 2}"})
    fake_runs.write_run(fake_runs.DATASET, name, 0.5, 2, fake_runs.SEEDS)
    fake_runs.write_params([fake_runs.DATASET], [name])
    results = read(fake_runs.DATASET)
    tables.write(results)
    row = comparison.row("mine", 2, results.models[0].scores, 10, 1)
    assert with_report(row, fake_runs.DATASET)["model"].tolist() == [name, "mine"]


def test_remarks_are_printed_below_the_comparison(fake_project):
    texts = write_texts()
    first, second = fake_runs.REMARKS
    assert f"## Remarks\n\n- {first}\n- {second}\n" in texts[".md"]
    assert f"<h3>Remarks</h3>\n<ul>\n<li>{first.replace('&', '&amp;')}</li>" in texts[".html"]
    conf = Path("conf", f"{fake_runs.DATASET}.yaml")
    conf.write_text("".join(line for line in conf.read_text().splitlines(True) if not line.startswith("remarks")))
    assert not any("Remarks" in text for text in write_texts().values())


def test_recipes_have_settings_facts_and_processor_of_each_model(fake_project):
    columns = {column.header: column.cells for column in recipes.columns(read(fake_runs.DATASET))}
    settings, facts = (dict(zip(columns["model"], columns[head], strict=True)) for head in ("settings", "facts"))
    assert settings["ae"] == "kind: vanilla, hidden: [16], latent_dim: 8"
    assert (facts["ae_2d"], facts["ae"]) == ("observation: bernoulli", "")
    assert set(columns["processor"]) == {"Abacus 3000, mkl, oneDNN"}
    assert columns["command"][2] == "dvc repro evaluate@fake-ae"


def test_recipes_have_the_layers_of_a_stack_and_its_own_stage(fake_project):
    block = "{kind: stacked, layers: [{kind: vanilla, latent_dim: 4, tied: true}]}"
    conf = Path("conf", f"{fake_runs.DATASET}.yaml")
    conf.write_text(conf.read_text() + f"stacks:\n  deep: {block}\n")
    Path("params.yaml").write_text(Path("params.yaml").read_text() + "  stacks: [deep]\n")
    fake_runs.write_run(fake_runs.DATASET, "deep", 0.7, 4, fake_runs.SEEDS)
    results = read(fake_runs.DATASET)
    assert [model.name for model in results.models] == [*fake_runs.BLOCKS, "deep"]
    columns = {column.header: column.cells[-1] for column in recipes.columns(results)}
    assert (columns["settings"], columns["command"]) == (block[1:-1], "dvc repro evaluate_stack@fake-deep")
