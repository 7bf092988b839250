"""`aebench verify` accepts a finished project and reports changes of code, parameters, dvc.lock, reports and papers by name."""

import hashlib
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from project import Project, clone
from ruamel.yaml import YAML
from typer.testing import CliRunner

from aebench import code_hashes, storage
from aebench.cli import app
from aebench.errors import InputError
from aebench.pipeline import audit, checks
from aebench.storage.lock import Lock, checksum

ROOT = Path(__file__).parent.parent
DATASET, MODELS = "toy", {"pca": "train", "ae": "train", "sae": "train", "stacked": "finetune"}
CONF = """
data: {source: digits, test: 360, validation: 180, split_seed: 0}
training: {epochs: 3, batch_size: 64, learning_rate: 0.01}
compute: {}
evaluation: {pictures: {reconstructions: 6}}
linear_probe: {}
feature_classifier: {}
remarks: [A remark.]
models:
  pca: {kind: pca, latent_dim: 4}
  ae: {kind: vanilla, hidden: [16], latent_dim: 4}
  sae: {kind: sparse, latent_dim: 16, weight: 0.1, target: 0.1}
stacks:
  stacked: {kind: stacked, layers: [{kind: vanilla, latent_dim: 4}]}
"""
SUITE = "suite: {datasets: [toy], models: [pca, ae, sae], stacks: [stacked], seeds: [0, 1]}\n"
REPORT = storage.REPORTS / DATASET
ALL = "all 4 models"


# A small project: the report and dvc.lock of a finished run, without runs/ and data/


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


def entry(command, deps, outs, **params):
    """An entry of dvc.lock; files that do not exist have the md5 of their name. `params` are keys of the conf file."""
    deps, outs = ([{"path": p, "md5": checksum(Path(p)) or md5(p)} for p in paths] for paths in (deps, outs))
    return {"cmd": f"python -m stages.{command}", "deps": deps, "params": {f"conf/{DATASET}.yaml": params}, "outs": outs}


def write_project():
    conf = storage.read_yaml(Path(f"conf/{DATASET}.yaml"))
    splits = [f"data/{DATASET}/{split}.npz" for split in storage.SPLITS]
    stages = {"prepare@toy": entry("prepare toy", ["runs/code/toy/prepare.json"], splits, data=conf["data"])}
    for model, trainer in MODELS.items():
        folder, code = f"runs/toy/{model}", f"runs/code/toy/{model}.json"
        section = "stacks" if trainer == "finetune" else "models"
        settings = {"training": conf["training"], f"{section}.{model}": conf[section][model]}
        weights = f"{folder}/weights.safetensors"
        measuring = [code, weights, *splits]
        stages |= {
            f"{trainer}@toy-{model}": entry(f"{trainer} toy {model}", [code, *splits[:2]], [weights], **settings),
            f"evaluate@toy-{model}": entry(
                f"evaluate toy {model}",
                ["runs/code/evaluate.json", *measuring],
                [f"{folder}/metrics.csv"],
                evaluation=conf["evaluation"],
            ),
            f"classify@toy-{model}": entry(
                f"classify toy {model}", ["runs/code/classify.json", *measuring], [f"{folder}/classification.csv"]
            ),
        }
    write_report(Lock(stages).fingerprint(DATASET))
    deps = ["runs/code/report.json", "runs/code/toy", "aebench/reporting/claims.yaml", "runs/toy"]
    stages["report@toy"] = entry("report toy", deps, [path.as_posix() for path in sorted(REPORT.iterdir())], **conf)
    stages["index"] = entry("index", ["runs/code/index.json", "conf", "reports/papers"], ["reports/index.html"])
    write_lock(stages)


def write_lock(stages):
    with Path("dvc.lock").open("w") as stream:
        YAML().dump({"stages": stages}, stream)


def write_report(fingerprint):
    storage.write_columns(REPORT / "table.csv", {"model": list(MODELS), "sse.mean": [1.5] * 4, "knn_5.mean": [1.5] * 4})
    (REPORT / "table.md").write_text("| ae | 1.5 |\n")
    numbers = [rf"\aebenchdefine{{toy}}{{{m}}}{{{n}}}{{1.5}}{{}}" for m in MODELS for n in ("sse", "knn_5", r"accuracy.10\%")]
    (REPORT / "numbers.tex").write_text("\n".join(numbers))
    modules = {m: code for file in storage.CODE.rglob("*.json") for m, code in storage.read_json(file).items()}
    storage.write_json(REPORT / "provenance.json", {"lock": fingerprint, "modules": modules})
    Path("reports/index.html").write_text("<html>")
    storage.write_columns(storage.paper_file("toy1999"), {"value": [1.5]})


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished project in its committed state, with the code of the repository."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("conf").mkdir()
        Path(f"conf/{DATASET}.yaml").write_text(CONF)
        Path("params.yaml").write_text(SUITE)
        Path("aebench").symlink_to(ROOT / "aebench")
        checks.check()
        write_project()
        shutil.rmtree("runs")
    return folder


@pytest.fixture
def project(finished, tmp_path, monkeypatch):
    """A copy of the finished project that a test may change."""
    shutil.copytree(finished, tmp_path / "project", symlinks=True)
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setattr(sys, "path", [*sys.path])  # verify adds the folder


@pytest.fixture
def edit_code(project, monkeypatch):
    """Replace text in a copy of a module; code hashes then read the copy."""
    find, copy = code_hashes._file, Path("edited_module.py").resolve()

    def edit(file, old, new):
        shutil.copy(ROOT / file, copy)
        replace(copy, old, new)
        monkeypatch.setattr(code_hashes, "_file", lambda module: copy if find(module) == ROOT / file else find(module))

    return edit


def replace(file, old, new):
    text = Path(file).read_text()
    assert old in text, f"{old!r} is not in {file}"
    Path(file).write_text(text.replace(old, new, 1))


def edit_lock(change):
    stages = storage.read_yaml(Path("dvc.lock"))["stages"]
    change(stages)
    write_lock(stages)


def verify(*papers):
    """Lines of the output, and whether the exit status is 0."""
    result = CliRunner().invoke(app, ["verify", *papers])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.output.splitlines(), result.exit_code == 0


def problems(*papers):
    """Lines of the output that report problems."""
    lines, verified = verify(*papers)
    assert not verified
    return [line for line in lines if not line.endswith("verified")]


def test_a_finished_project_is_verified_without_runs_and_data(project):
    assert not Path("runs").exists() and not Path("data").exists()
    assert verify() == (["toy: 4 models, 8 numbers, verified", "pages of all reports: verified"], True)


@pytest.mark.parametrize("text", ["", "[]", '{"modules": []}'])
def test_a_damaged_provenance_is_a_missing_one(edit_code, text):
    (REPORT / "provenance.json").write_text(text)
    edit_code("aebench/objectives.py", "x - x_hat", "x + x_hat")
    assert any(line.startswith("toy: stale: the report was written from results None, dvc.lock has ") for line in problems())


# Code


def test_an_edited_module_is_named_although_others_were_not_recorded(edit_code):
    file = REPORT / "provenance.json"
    provenance = storage.read_json(file)
    del provenance["modules"]["aebench.errors"], provenance["modules"]["aebench.config"]
    storage.write_json(file, provenance)
    edit_code("aebench/objectives.py", "x - x_hat", "x + x_hat")
    line = "toy: stale: aebench.objectives changed since train, evaluate, classify, finetune and report ran: all 4 models"
    assert line in problems()


def test_a_changed_loss_makes_every_trained_model_stale(edit_code):
    edit_code("aebench/objectives.py", "x - x_hat", "x + x_hat")
    line = "toy: stale: aebench.objectives changed since train, evaluate, classify, finetune and report ran: all 4 models"
    assert line in problems()


def test_a_changed_chapter_makes_its_model_stale(edit_code):
    edit_code("aebench/models/denoising.py", "class ", "EXTRA = 1\n\n\nclass ")
    assert problems() == ["toy: stale: aebench.models.denoising changed since finetune, evaluate and classify ran: stacked"]


def test_a_changed_metric_makes_measurements_stale_but_not_training(edit_code):
    edit_code("aebench/evaluation/metrics/clustering.py", "def ", "EXTRA = 1\n\n\ndef ")
    lines = problems()
    assert "toy: stale: aebench.evaluation.metrics.clustering changed since evaluate and report ran: all 4 models" in lines
    assert not any("train" in line for line in lines)


def test_stages_with_many_changes_are_listed_in_one_line(monkeypatch):
    found = [("train", "abcdef", ("ae",)), ("train", "abcdefg", ("vae",)), ("evaluate", "habcde", ("ae",)), ("index", "a", ())]
    changes = [(SimpleNamespace(stage=stage), audit.STALE, list(names), models) for stage, names, models in found]
    monkeypatch.setattr(audit, "_changes", lambda report: changes)
    many, few = audit._changed(SimpleNamespace(models={"ae": 1, "pca": 1, "vae": 1}))
    assert (many.reason, many.models) == ("a, b, c, d and 4 more changed since train and evaluate ran", ("ae", "vae"))
    assert (few.reason, few.models) == ("a changed since index ran", ())


def test_a_comment_or_docstring_changes_nothing(edit_code):
    edit_code("aebench/objectives.py", '"""', '"""Another docstring. ')
    assert verify()[1]


def set_dep(stages, name, path, text):
    next(dep for dep in stages[name]["deps"] if dep["path"] == path)["md5"] = md5(text)


def test_models_evaluated_by_different_code_are_mixed(project):
    edit_lock(lambda stages: set_dep(stages, "evaluate@toy-ae", "runs/code/evaluate.json", "older"))
    assert problems() == ["toy: mixed: the code changed since evaluate ran: ae"]


def test_a_report_that_used_a_removed_stage_is_stale_until_it_is_written_again(project):
    """DVC keeps the entry of a stage that is no longer in dvc.yaml."""
    removed = entry("judge toy", ["runs/code/judge.json"], ["runs/judges/toy.safetensors"])
    edit_lock(lambda stages: stages.update({"judge@toy": removed}))
    assert verify()[1]
    edit_lock(lambda stages: stages["report@toy"]["deps"].append({"path": "runs/judges/toy.safetensors", "md5": md5("x")}))
    assert f"toy: stale: the code changed since judge ran: {ALL}" in problems()


# Parameters


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("epochs: 3", "epochs: 4", "training.epochs (3 -> 4) changed since train and finetune ran: all 4 models"),
        ("weight: 0.1", "weight: 0.2", "models.sae.weight (0.1 -> 0.2) changed since train ran: sae"),
        ("weight: 0.1, ", "", "models.sae.weight (0.1 -> absent) changed since train ran: sae"),
        ("reconstructions: 6", "reconstructions: 7", "evaluation.pictures.reconstructions (6 -> 7) changed since evaluate ran: all 4 models"),  # noqa: E501
        ("split_seed: 0", "split_seed: 1", "data.split_seed (0 -> 1) changed since prepare ran: all 4 models"),
        ("[A remark.]", "[Another.]", "remarks (['A remark.'] -> ['Another.']) changed since report ran"),
    ],
)  # fmt: skip
def test_a_changed_parameter_is_reported_with_the_models_it_affects(project, old, new, line):
    replace("conf/toy.yaml", old, new)
    assert problems() == [f"toy: stale: conf/toy.yaml:{line}"]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("params.yaml", "[0, 1]", "[0, 1, 2]"),
        ("params.yaml", "[toy]", "[other]"),
        ("conf/toy.yaml", "models:\n", "models:\n  another: {kind: pca, latent_dim: 2}\n"),
        ("conf/toy.yaml", "models:\n", "search: {epochs: 9}\n# a comment\nmodels:\n"),
    ],
)
def test_the_next_suite_and_settings_of_no_model_change_nothing(project, file, old, new):
    replace(file, old, new)
    assert verify()[1]


def test_changed_wording_makes_the_report_stale_but_no_number(project):
    edit_lock(lambda stages: set_dep(stages, "report@toy", "aebench/reporting/claims.yaml", "older"))
    assert problems() == ["toy: stale: aebench/reporting/claims.yaml changed since report ran"]


# Results


def set_out(stages, name, path, text="again"):
    next(out for out in stages[name]["outs"] if out["path"].endswith(path))["md5"] = md5(text)


def test_weights_trained_again_but_not_evaluated_are_mixed(project):
    edit_lock(lambda stages: set_out(stages, "train@toy-ae", "weights.safetensors"))
    lines = problems()
    assert "toy: mixed: evaluate read a different version of weights.safetensors from the one train wrote: ae" in lines
    assert "toy: mixed: classify read a different version of weights.safetensors from the one train wrote: ae" in lines


def test_results_computed_after_the_report_make_it_stale(project):
    before = Lock.read().fingerprint(DATASET)
    edit_lock(lambda stages: set_out(stages, "evaluate@toy-ae", "metrics.csv"))
    now = Lock.read().fingerprint(DATASET)
    assert problems() == [f"toy: stale: the report was written from results {before}, dvc.lock has {now}: {ALL}"]


def test_a_model_without_entries_is_reported(project):
    edit_lock(lambda stages: [stages.pop(f"{stage}@toy-ae") for stage in ("train", "evaluate", "classify")])
    assert "toy: stale: dvc.lock does not record how these numbers were computed: ae" in problems()


# Files


@pytest.mark.parametrize(("name", "doubted"), [("table.csv", f": {ALL}"), ("table.md", ""), ("numbers.tex", f": {ALL}")])
def test_a_table_edited_by_hand_is_reported(project, name, doubted):
    replace(REPORT / name, "1.5", "1.4")
    assert problems() == [f"toy: edited: reports/toy/{name} differs from the output of the stage report{doubted}"]


def test_missing_files_and_an_edited_page_are_reported(project):
    (REPORT / "table.md").unlink()
    Path("reports/index.html").write_text("<edited>")
    assert problems() == [
        "toy: edited: reports/toy/table.md is missing",
        "pages of all reports: edited: reports/index.html differs from the output of the stage index",
    ]


def test_a_report_without_its_table_is_reported(project):
    (REPORT / "table.csv").unlink()
    assert "toy: edited: reports/toy/table.csv is missing" in problems()


# Papers


def test_an_edited_result_of_a_paper_is_reported_also_if_the_suite_has_no_paper(project):
    replace(storage.paper_file("toy1999"), "1.5", "1.4")
    assert problems() == ["pages of all reports: stale: reports/papers changed since index ran"]


PAPER = r"""
We get \aebench{toy}{ae}{sse}, % and not \aebench{toy}{ae}{nothing}
a mean of \aebenchmean{toy}
  {stacked}%
  {knn_5}, and 50\% of \aebench{ toy }{pca}{accuracy.10\%}.
\newcommand{\of}[1]{\aebench{toy}{#1}{sse}}
\input{more}
"""


@pytest.fixture
def paper(project):
    Path("paper.tex").write_text(PAPER)
    Path("more.tex").write_text(r"\aebench{toy}{sae}{sse}")


def test_a_paper_that_quotes_current_numbers_is_verified(paper):
    lines, verified = verify("paper.tex")
    assert verified and "paper.tex: 4 numbers quoted, verified" in lines


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{toy}{ae}", "{toys}{ae}", "{toys}{ae}{sse}: the data set must be one of toy, got 'toys' (did you mean 'toy'?)"),
        ("{ae}{sse}", "{aee}{sse}", "the model must be one of ae, pca, sae, stacked, got 'aee' (did you mean 'ae'?)"),
        ("{ae}{sse}", "{ae}{ssse}", "the number must be one of accuracy.10\\%, knn_5, sse, got 'ssse' (did you mean 'sse'?)"),
    ],
)  # fmt: skip
def test_an_unknown_name_is_reported_with_its_line_and_the_nearest(paper, old, new, message):
    replace("paper.tex", old, new)
    [line] = problems("paper.tex")
    assert line.startswith(r"paper.tex:2: \aebench{") and line.endswith(message)


def test_a_quoted_number_in_doubt_is_reported_with_its_line(paper):
    replace("conf/toy.yaml", "weight: 0.1", "weight: 0.2")
    reason = "stale: conf/toy.yaml:models.sae.weight (0.1 -> 0.2) changed since train ran"
    assert problems("paper.tex") == [f"toy: {reason}: sae", rf"more.tex:1: \aebench{{toy}}{{sae}}{{sse}}: {reason}"]


def test_every_quote_of_an_edited_file_is_reported(paper):
    replace(REPORT / "numbers.tex", "1.5", "1.4")
    assert sum("numbers.tex differs from the output of the stage report" in line for line in problems("paper.tex")) == 1 + 4


def test_a_file_without_quotes_is_not_called_verified(paper):
    Path("paper.tex").write_text("No numbers.")
    assert "paper.tex: no numbers quoted" in verify("paper.tex")[0]


def test_wrong_arguments_are_explained_in_one_line(project, monkeypatch):
    with pytest.raises(InputError, match=r"gone\.tex must be a LaTeX file, but no such file exists"):
        audit.verify([Path("gone.tex")])
    Path("dvc.lock").unlink()
    with pytest.raises(InputError, match=r"dvc\.lock must have stages, got none"):
        audit.verify([])
    monkeypatch.chdir(ROOT / "conf")
    with pytest.raises(InputError, match="must be run from the folder of its code"):
        audit.verify([])


@pytest.mark.slow
def test_a_real_run_is_verified_in_a_fresh_clone_until_its_loss_is_changed(tmp_path):
    (tmp_path / "first").mkdir()
    project = clone(tmp_path / "first", models="pca ae stacked")
    project.aebench("run")
    project.commit()
    project.run("git", "clone", "-q", str(project.folder), str(tmp_path / "second"))
    fresh = Project(tmp_path / "second")
    (fresh.folder / "paper.tex").write_text(r"\aebench{smoke}{ae}{sse}")
    assert "1 number quoted, verified" in fresh.aebench("verify", "paper.tex")
    fresh.replace("aebench/objectives.py", "x - x_hat", "x + x_hat")
    output = fresh.aebench("verify", "paper.tex", status=1)
    assert "smoke: stale: aebench.objectives changed since" in output
    assert r"paper.tex:1: \aebench{smoke}{ae}{sse}: stale" in output
