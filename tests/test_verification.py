"""`aebench verify`: a clean project is green; a change of code, parameters, lock, report or paper is red and is named."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from project import Project, clone
from ruamel.yaml import YAML
from typer.testing import CliRunner

from aebench import params, provenance, runs, verification
from aebench.cli import app
from aebench.errors import InputError
from aebench.lock import Lock
from aebench.verification import code, history
from aebench.verification.checksums import checksum
from stages import check

ROOT = Path(__file__).parent.parent
DATASET, ROWS = "toy", {"pca": "train", "ae": "train", "sae": "train", "stacked": "finetune"}
CONF = """
data: {source: digits, test: 360, validation: 180, split_seed: 0}
training: {epochs: 3, batch_size: 64, learning_rate: 0.01}
evaluation: {images: 6}
remarks: [Little.]
models:
  pca: {kind: pca, code: 4}
  ae: {kind: vanilla, hidden: [16], code: 4}
  sae: {kind: sparse, code: 16, weight: 0.1, target: 0.1}
stacks:
  stacked: {kind: stacked, layers: [{pretrainer: ae, code: 4}]}
"""
SUITE = "suite: {datasets: [toy], models: [pca, ae, sae], stacks: [stacked], seeds: [0, 1]}\n"
KEYS = ("sse", "knn_5")
REPORT = runs.REPORTS / DATASET


# A small project: the report and the lock as DVC leaves them, without runs/ and data/


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


def entry(stage, item, deps, outs):
    """An entry of dvc.lock; dependencies that are no files here have a checksum of their name."""
    deps, outs = ([{"path": p, "hash": "md5", "md5": checksum(Path(p)) or md5(p)} for p in each] for each in (deps, outs))
    return {"cmd": f"python -m stages.{stage} {item}", "deps": deps, "params": {}, "outs": outs}


def row_entries(row, trainer, conf):
    item, folder, own = f"{DATASET} {row}", f"runs/{DATASET}/{row}", f"runs/code/{DATASET}/{row}.json"
    seeds = {"suite.seeds": [0, 1]}
    data = [f"data/{DATASET}/{split}.npz" for split in runs.SPLITS]
    weights, part = f"{folder}/weights.safetensors", "stacks" if trainer == "finetune" else "models"
    block = {"training": conf["training"], f"{part}.{row}": conf[part][row]}
    asked = {f"conf/{DATASET}.yaml": {"evaluation": conf["evaluation"]}}
    trained = entry(trainer, item, [own, *data[:2]], [weights, f"{folder}/cost.json"])
    trained["params"] = {"params.yaml": seeds, f"conf/{DATASET}.yaml": block}
    measured = entry("evaluate", item, ["runs/code/evaluate.json", own, weights, *data], [f"{folder}/metrics.csv"])
    classified = entry("classify", item, ["runs/code/classify.json", own, weights, *data], [f"{folder}/classification.csv"])
    measured["params"], classified["params"] = asked, asked | {"params.yaml": dict(seeds)}
    return {
        f"{stage}@{DATASET}-{row}": said
        for stage, said in ((trainer, trained), ("evaluate", measured), ("classify", classified))
    }


def write_lock():
    conf, suite = params.read_yaml(Path(f"conf/{DATASET}.yaml")), params.read_yaml(Path("params.yaml"))
    splits = [f"data/{DATASET}/{split}.npz" for split in runs.SPLITS]
    stages = {f"prepare@{DATASET}": entry("prepare", DATASET, [f"runs/code/{DATASET}/prepare.json"], splits)}
    stages[f"prepare@{DATASET}"]["params"] = {f"conf/{DATASET}.yaml": {"data": conf["data"]}}
    for row, trainer in ROWS.items():
        stages |= row_entries(row, trainer, conf)
    whole = {"params.yaml": suite, f"conf/{DATASET}.yaml": conf}
    certified = entry("certify", DATASET, ["runs/code/certify.json", f"runs/code/{DATASET}"], ["runs/certificates/toy.json"])
    stages[f"certify@{DATASET}"] = certified | {"params": whole}
    write({"stages": stages})
    write_report(Lock(stages).fingerprint(DATASET))
    written = [path.as_posix() for path in sorted(REPORT.iterdir())]
    stages[f"report@{DATASET}"] = entry("report", DATASET, ["runs/code/report.json", "aebench/reporting/templates"], written)
    stages[f"report@{DATASET}"]["params"] = whole
    stages["index"] = entry("index", "", ["runs/code/index.json", "conf"], ["reports/index.html"])
    write({"stages": stages})


def write(lock):
    with Path("dvc.lock").open("w") as stream:
        YAML().dump(lock, stream)


def write_report(stamp):
    origin = f"written by stages.report from lock {stamp}"
    columns = {"model": list(ROWS)} | {f"{key}.mean": [1.5] * len(ROWS) for key in KEYS} | {"lock": [stamp] * len(ROWS)}
    runs.write_columns(REPORT / "table.csv", columns)
    (REPORT / "table.md").write_text(f"| ae | 1.5 |\n\n<!-- {origin} -->\n")
    lines = [rf"\aebenchdefine{{{DATASET}}}{{{row}}}{{{key}}}{{1.5}}{{}}" for row in ROWS for key in (*KEYS, r"accuracy.10\%")]
    (REPORT / "numbers.tex").write_text("\n".join([f"% {origin}", *lines]) + "\n")
    facts = PngInfo()
    facts.add_itxt("Description", f"Toy: curves, {origin}")
    (REPORT / "figures").mkdir(exist_ok=True)
    Image.new("L", (2, 2)).save(REPORT / "figures" / "curves.png", pnginfo=facts)
    runs.write_json(REPORT / "provenance.json", told())
    Path("reports/index.html").write_text(f"<footer>{DATASET}: {origin}.</footer>\n")


def told():
    """provenance.json: the modules of now, and one environment."""
    modules = {m: c for file in runs.CODE.rglob("*.json") for m, c in runs.read_json(file).items()}
    results = {
        row: {"code": {}, "results": {f"runs/{DATASET}/{row}/cost.json": md5(f"runs/{DATASET}/{row}/cost.json")}}
        for row in ROWS
    }
    environment = {"device": "cpu", "versions": {"torch": "2.13.0"}, "rows": list(ROWS)}
    return {"data": {}, "judge": {}, "rows": results, "environments": [environment], "modules": modules}


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """The project as it is committed; its code is the repository's."""
    folder = tmp_path_factory.mktemp("verified")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("conf").mkdir()
        Path(f"conf/{DATASET}.yaml").write_text(CONF)
        Path("params.yaml").write_text(SUITE)
        Path("aebench").symlink_to(ROOT / "aebench")
        check.main()
        write_lock()
        shutil.rmtree("runs")
    return folder


@pytest.fixture
def project(clean, tmp_path, monkeypatch):
    """A copy to change."""
    shutil.copytree(clean, tmp_path / "project", symlinks=True)
    monkeypatch.chdir(tmp_path / "project")
    code._of_stage.cache_clear()


@pytest.fixture
def edited(project, monkeypatch):
    """Replaces text in a file of the code, as its fingerprints see it."""
    find, home = provenance._file, Path("code").resolve()

    def edit(file, old, new):
        shutil.copytree(ROOT / "aebench", home / "aebench", ignore=shutil.ignore_patterns("__pycache__"))
        replace(home / file, old, new)

        def elsewhere(module):
            found = find(module)
            inside = found is not None and found.is_relative_to(ROOT / "aebench")
            return home / found.relative_to(ROOT) if inside else found

        monkeypatch.setattr(provenance, "_file", elsewhere)

    return edit


def replace(file, old, new):
    text = Path(file).read_text()
    assert old in text, f"{old!r} is not in {file}"
    Path(file).write_text(text.replace(old, new, 1))


def relock(change):
    lock = params.read_yaml(Path("dvc.lock"))
    change(lock["stages"])
    write(lock)


def verify(*papers):
    """Exit status and output, as a user sees them."""
    done = CliRunner().invoke(app, ["verify", *papers])
    assert not isinstance(done.exception, Exception) or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def red(*papers):
    """The lines that say what is wrong."""
    status, output = verify(*papers)
    assert status == 1
    assert "not verified" in output.splitlines()[-1]
    return [line.strip() for line in output.splitlines() if line.startswith("  ")]


def test_a_clean_project_is_verified_without_runs_and_data(project):
    assert not Path("runs").exists() and not Path("data").exists()
    status, output = verify()
    assert status == 0, output
    assert output.splitlines()[-1] == "verified: 8 numbers of 4 rows on 1 data sets"


# Code


def test_an_edited_loss_makes_its_rows_stale_and_names_training(edited):
    edited("aebench/objectives.py", "x - x_hat", "x + x_hat")
    lines = red()
    [line] = [line for line in lines if "behind train" in line]
    assert line.startswith("stale: the code behind train")
    assert "aebench.objectives" in line
    assert line.endswith("pca, ae, sae")
    assert any("behind finetune" in line and line.endswith("stacked") for line in lines)


def test_a_comment_or_docstring_changes_nothing(edited):
    edited("aebench/objectives.py", '"""', '"""Said in other words. ')
    assert verify()[0] == 0


def test_an_edited_metric_makes_measurements_stale_but_not_training(edited):
    edited("aebench/metrics/clustering.py", "def ", "EXTRA = 1\n\n\ndef ")
    lines = red()
    assert any("behind evaluate has changed (aebench.metrics.clustering)" in line and "all 4 rows" in line for line in lines)
    assert not any("train" in line for line in lines)


def test_one_models_code_makes_one_row_stale(edited):
    edited("aebench/models/sparse.py", "class ", "EXTRA = 1\n\n\nclass ")
    [line] = [line for line in red() if "train" in line]
    assert line == "stale: the code behind train, evaluate and classify has changed (aebench.models.sparse): sae"


def test_rows_of_two_revisions_of_the_code_are_mixed(project):
    def older(stages):
        [dep] = [dep for dep in stages["evaluate@toy-ae"]["deps"] if dep["path"] == "runs/code/evaluate.json"]
        dep["md5"] = md5("older")

    relock(older)
    assert red() == ["mixes revisions: the code behind evaluate has changed: ae"]


# Parameters


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("epochs: 3", "epochs: 4", "training.epochs has changed from 3 to 4 since train and finetune ran: all 4 rows"),
        ("weight: 0.1", "weight: 0.2", "models.sae.weight has changed from 0.1 to 0.2 since train ran: sae"),
        ("weight: 0.1, ", "", "models.sae.weight has changed from 0.1 to not given since train ran: sae"),
        ("images: 6", "images: 6, noise: masking", "evaluation.noise has changed from not given to masking since evaluate and classify ran: all 4 rows"),  # noqa: E501
        ("split_seed: 0", "split_seed: 1", "data.split_seed has changed from 0 to 1 since prepare ran: all 4 rows"),
        ("Little.", "Less.", "remarks has changed from ['Little.'] to ['Less.'] since certify and report ran"),
    ],
)  # fmt: skip
def test_a_changed_parameter_is_told_with_the_rows_that_it_concerns(project, old, new, line):
    replace("conf/toy.yaml", old, new)
    assert red() == [f"stale: conf/toy.yaml:{line}"]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("params.yaml", "[0, 1]", "[0, 1, 2]"),
        ("params.yaml", "[toy]", "[other]"),
        ("conf/toy.yaml", "models:\n", "models:\n  another: {kind: pca, code: 2}\n"),
        ("conf/toy.yaml", "models:\n", "search: {epochs: 9}\n# a comment\nmodels:\n"),
    ],
)
def test_what_is_selected_next_or_concerns_no_row_changes_nothing(project, file, old, new):
    replace(file, old, new)
    assert verify()[0] == 0


def test_seeds_that_the_report_does_not_tell_of_are_mixed(project):
    relock(lambda stages: stages["train@toy-ae"]["params"]["params.yaml"].update({"suite.seeds": [0, 1, 2]}))
    assert red() == ["mixes revisions: train ran the seeds [0, 1, 2], the report tells of [0, 1]: ae"]


# What was read, and by what


def out(stages, name, path):
    return next(each for each in stages[name]["outs"] if each["path"].endswith(path))


def test_weights_that_were_trained_again_but_not_measured_are_mixed(project):
    relock(lambda stages: out(stages, "train@toy-ae", "weights.safetensors").update(md5=md5("again")))
    lines = red()
    assert "mixes revisions: evaluate has read another weights.safetensors than train has written: ae" in lines
    assert "mixes revisions: classify has read another weights.safetensors than train has written: ae" in lines


def test_other_images_than_those_prepared_are_mixed(project):
    relock(lambda stages: out(stages, "prepare@toy", "test.npz").update(md5=md5("again")))
    assert any("evaluate has read another test.npz than prepare has written: all 4 rows" in line for line in red())


def test_seconds_of_another_training_are_mixed(project):
    """The stamp leaves cost.json out; what the report says that it was made of does not."""
    relock(lambda stages: out(stages, "train@toy-ae", "cost.json").update(md5=md5("again")))
    assert red() == ["mixes revisions: the report was made of another cost.json than train has written: ae"]


def test_a_row_that_nobody_made_is_told(project):
    relock(lambda stages: [stages.pop(f"{stage}@toy-ae") for stage in ("train", "evaluate", "classify")])
    assert "stale: dvc.lock does not say what made the row: ae" in red()


def test_a_stage_that_is_gone_from_the_pipeline_says_nothing(project):
    """DVC keeps its entry, in front of that which has its outputs now."""

    def renamed(stages):
        gone = {"deps": [{"path": "runs/code/evaluate.json", "md5": md5("older")}], "cmd": "python -m stages.evaluate toy ae"}
        rest = dict(stages)
        stages.clear()
        stages.update({"measure@toy-ae": gone | {"outs": rest["evaluate@toy-ae"]["outs"]}} | rest)

    relock(renamed)
    status, output = verify()
    assert status == 0, output


def test_libraries_of_two_versions_are_mixed(project):
    said = runs.read_json(REPORT / "provenance.json")
    said["environments"][0]["rows"].remove("ae")
    said["environments"].append({"device": "cpu", "versions": {"torch": "2.12.0"}, "rows": ["ae"]})
    runs.write_json(REPORT / "provenance.json", said)
    assert "mixes revisions: rows were trained by torch 2.13.0 (pca, sae, stacked) and 2.12.0 (ae)" in red()


# Files


@pytest.mark.parametrize("name", ["table.csv", "table.md", "numbers.tex"])
def test_a_table_edited_by_hand_is_named(project, name):
    replace(REPORT / name, "1.5", "1.4")
    [line] = red()
    assert line.startswith(f"altered: reports/toy/{name} is not what stage report wrote")
    assert line.endswith("all 4 rows") == (name != "table.md")


def test_a_missing_table_and_an_altered_figure_are_named(project):
    (REPORT / "table.md").unlink()
    (REPORT / "figures" / "curves.png").write_bytes(b"no drawing")
    assert set(red()) == {
        "altered: reports/toy/table.md was written by stage report and is missing",
        "altered: reports/toy/figures is not what stage report wrote",
    }


def test_results_that_are_not_reported_are_told_of_every_file(project):
    """The lock has newer metrics, the report is from the lock before: what `dvc repro -s evaluate@...` leaves."""
    before = Lock.read().fingerprint(DATASET)
    relock(lambda stages: out(stages, "evaluate@toy-ae", "metrics.csv").update(md5=md5("again")))
    now, lines = Lock.read().fingerprint(DATASET), red()
    for name in ("toy/table.csv", "toy/table.md", "toy/numbers.tex", "toy/figures/curves.png", "index.html"):
        assert any(line.startswith(f"stale: reports/{name} is from lock {before}, dvc.lock gives {now}") for line in lines), (
            name
        )


def test_a_page_of_a_data_set_without_report_is_told(project):
    replace("reports/index.html", "toy:", "gone:")
    assert any("gives no report of that data set" in line for line in red())


# Papers

PAPER = r"""
We get \aebench{toy}{ae}{sse}, % and not \aebench{toy}{ae}{nothing}
a mean of \aebenchmean{toy}
  {stacked}%
  {knn_5}, and 50\% of \aebench{ toy }{pca}{accuracy.10\%}.
\newcommand{\of}[1]{\aebench{toy}{#1}{sse}}
\input{more}
"""


def write_paper(text=PAPER, more=r"\aebench{toy}{sae}{sse}"):
    Path("paper.tex").write_text(text)
    Path("more.tex").write_text(more)


def test_a_paper_that_quotes_what_is_there_is_verified(project):
    write_paper()
    status, output = verify("paper.tex")
    assert status == 0, output
    assert "paper.tex: 4 numbers quoted" in output


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{toy}{ae}{sse}", "{toys}{ae}{sse}", "{toys}{ae}{sse}: the data set must be one of toy, got 'toys' (did you mean 'toy'?)"),  # noqa: E501
        ("{ae}{sse}", "{aee}{sse}", "the model must be one of ae, pca, sae, stacked, got 'aee' (did you mean 'ae'?)"),
        ("{ae}{sse}", "{ae}{ssse}", "the number must be one of accuracy.10\\%, knn_5, sse, got 'ssse' (did you mean 'sse'?)"),
    ],
)  # fmt: skip
def test_an_unknown_number_is_told_with_its_line_and_the_nearest(project, old, new, message):
    write_paper(PAPER.replace(old, new, 1))
    [line] = red("paper.tex")
    assert line.startswith(r"paper.tex:2: \aebench{")
    assert message in line


def test_a_quoted_number_that_is_stale_is_told_with_its_line(project):
    write_paper()
    replace("conf/toy.yaml", "weight: 0.1", "weight: 0.2")
    [line] = [line for line in red("paper.tex") if ".tex" in line]
    assert line.startswith(r"more.tex:1: \aebench{toy}{sae}{sse}: stale: conf/toy.yaml:models.sae.weight has changed")


def test_numbers_that_were_edited_by_hand_are_told_at_each_use(project):
    write_paper()
    replace(REPORT / "numbers.tex", "1.5", "1.4")
    assert (
        len([line for line in red("paper.tex") if "numbers.tex is not what stage report wrote" in line and "aebench" in line])
        == 4
    )


def test_a_users_mistake_is_one_line(project, monkeypatch):
    with pytest.raises(InputError, match=r"gone\.tex must be a file, got none"):
        verification.verify([Path("gone.tex")])
    Path("dvc.lock").unlink()
    with pytest.raises(InputError, match=r"dvc\.lock must have stages, got none"):
        verification.verify([])
    monkeypatch.chdir(ROOT / "conf")
    with pytest.raises(InputError, match="must run in the folder of its code"):
        verification.verify([])


# History


def test_changed_files_are_told_few_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for command in (["init", "-q"], ["add", "."], ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "first"]):
        for i in range(7):
            Path(f"{i}.csv").touch()
        subprocess.run(["git", *command], check=True)
    names = [f"{i}.csv" for i in range(7)]
    [line] = history.lines(names)
    assert line.startswith("  7 files of commit ")
    Path("3.csv").write_text("changed")
    assert list(history.lines(names))[1:] == ["  not committed as it is: 3.csv"]
    for name in names:
        Path(name).write_text("changed")
    assert list(history.lines(names))[1:] == ["  not committed as they are: 0.csv, 1.csv, 2.csv, 3.csv and 3 more"]


# As a user meets it


@pytest.mark.slow
def test_a_real_run_is_verified_in_a_fresh_clone_until_its_loss_is_edited(tmp_path):
    (tmp_path / "first").mkdir()
    project = clone(tmp_path / "first", models="pca ae stacked")
    project.aebench("reproduce")
    project.commit()
    project.run("git", "clone", "-q", str(project.folder), str(tmp_path / "second"))
    fresh = Project(tmp_path / "second")
    assert "verified: " in fresh.aebench("verify")
    said = json.loads((fresh.folder / "reports/smoke/provenance.json").read_text())
    assert set(said["data"]) == {f"data/smoke/{split}.npz" for split in runs.SPLITS}
    assert set(said["rows"]) == {"pca", "ae", "stacked"} and "aebench.objectives" in said["modules"]
    (fresh.folder / "paper.tex").write_text(r"\aebench{smoke}{ae}{sse}")
    assert "1 numbers quoted" in fresh.aebench("verify", "paper.tex")
    fresh.replace("aebench/objectives.py", "x - x_hat", "x + x_hat")
    output = fresh.aebench("verify", "paper.tex", status=1)
    assert "the code behind train" in output and "(aebench.objectives)" in output
    assert r"paper.tex:1: \aebench{smoke}{ae}{sse}: stale" in output
