"""The pipeline as a user meets it: it runs, a second run does nothing, a change reruns exactly what it should."""

import csv
from pathlib import Path

import pytest
from project import clone
from ruamel.yaml import YAML

from aebench.metrics import METRICS

pytestmark = pytest.mark.slow
MODELS = ["mean", "raw", "random", "pca", "pca_2", "ae", "ae_2d", "dae"]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A clone in which everything has run once."""
    clone_ = clone(tmp_path_factory.mktemp("pipeline"))
    clone_.first_output = clone_.aebench("reproduce")
    clone_.commit()
    return clone_


@pytest.fixture
def unchanged(project):
    """The clone, put back afterwards."""
    yield project
    project.run("git", "checkout", "-q", "--", ".")


ALWAYS = {"check", "index"}
"""They read all of conf/: a second each."""


def changed(project):
    return set(project.dvc_json("status", "--json"))


def stages(verb, models=MODELS):
    return {f"{verb}@smoke-{model}" for model in models}


def test_it_ends_with_the_table_and_says_where_to_look(project):
    assert "reports/index.html" in project.first_output and "make ui" in project.first_output
    for model in MODELS:
        assert model in project.first_output.split("smoke: test set")[1]
    assert (project.folder / "mlflow.db").exists()


def test_the_table_holds_what_the_runs_measured(project):
    table = {row["model"]: row for row in csv.DictReader((project.folder / "reports/smoke/table.csv").open())}
    assert list(table) == MODELS
    for model in MODELS:
        runs = list(csv.DictReader((project.folder / f"runs/smoke/{model}/metrics.csv").open()))
        for name in METRICS:
            values = [float(run[name]) for run in runs]
            if values[0] != float("inf"):
                assert float(table[model][f"{name}.mean"]) == pytest.approx(sum(values) / len(values), abs=1e-4)


def test_a_second_run_does_no_work_and_says_so(project):
    assert changed(project) == set()
    output = project.aebench("reproduce")
    assert "Running stage" not in output
    assert "up to date" in output


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("conf/smoke.yaml", "corruption: 0.2", "corruption: 0.4", ALWAYS | {"report@smoke"} | stages("train", ["dae"])),
        ("conf/smoke.yaml", "epochs: 2", "epochs: 3", ALWAYS | {"report@smoke"} | stages("train")),
        ("conf/smoke.yaml", "images: 10", "images: 5", ALWAYS | stages("evaluate")),
        ("conf/smoke.yaml", "split_seed: 0", "split_seed: 1", ALWAYS | {"prepare@smoke"}),
        ("params.yaml", "[0, 1]", "[0, 2]", {"check", "report@smoke", "index", "track"} | stages("train")),
        ("conf/digits.yaml", "epochs:", "# a comment\n  epochs:", ALWAYS),
        ("aebench/models/denoising.py", "corrupt(x, noise)", "corrupt(x + 0, noise)", {"check"}),
    ],
)
def test_a_changed_leaf_touches_exactly_these_stages(unchanged, file, old, new, expected):
    unchanged.replace(file, old, new)
    assert changed(unchanged) == expected


DOWNSTREAM = ["report@smoke", "index", "track"]


def test_a_changed_chapter_retrains_its_row_alone_and_a_comment_nothing(unchanged):
    unchanged.replace("aebench/models/denoising.py", "corrupt(x, noise)", "corrupt(x + 0, noise)")
    assert unchanged.repro() == ["check", "train@smoke-dae", "evaluate@smoke-dae", *DOWNSTREAM]
    (unchanged.folder / "aebench/models/vanilla.py").open("a").write("\n# a comment\n")
    assert unchanged.repro() == ["check"]
    unchanged.run("git", "checkout", "-q", "--", ".")
    assert not [name for name in unchanged.repro() if name.startswith(("train", "evaluate"))], "they are in the run cache"


def test_an_experiment_by_one_word(unchanged):
    output = unchanged.run("dvc", "exp", "run", "-S", "conf/smoke.yaml:models.dae.corruption=0.4")
    ran = [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")]
    assert ran == ["check", "train@smoke-dae", "evaluate@smoke-dae", *DOWNSTREAM]
    shown = unchanged.run("dvc", "exp", "show", "--csv")
    assert "0.4" in shown
    unchanged.run("git", "checkout", "-q", "--", ".")
    unchanged.run("dvc", "checkout", "-q")


def test_metrics_and_plots_can_be_shown(project):
    assert "ae" in project.run("dvc", "metrics", "show")
    assert project.run("dvc", "metrics", "diff") is not None
    assert "html" in project.run("dvc", "plots", "show", "-o", "plots-page")


def test_no_path_leads_from_test_data_into_training(project):
    """File by file through the lock: whatever is made from the test images is tainted; no training is."""
    lock = YAML(typ="safe").load((project.folder / "dvc.lock").read_text())["stages"]
    paths = {name: ({d["path"] for d in s.get("deps", [])}, {o["path"] for o in s.get("outs", [])}) for name, s in lock.items()}
    tainted = {"data/smoke/test.npz", "data/smoke/card"}
    assert tainted <= paths["prepare@smoke"][1]
    while True:
        more = {out for deps, outs in paths.values() if any(meets(d, t) for d in deps for t in tainted) for out in outs}
        if more <= tainted:
            break
        tainted |= more
    assert any("metrics.csv" in path for path in tainted)
    for name, (deps, outs) in paths.items():
        if name.split("@")[0] in {"check", "train", "pretrain", "finetune"}:
            assert not any(meets(d, t) for d in deps for t in tainted), name
            assert not outs & tainted, name


def meets(a, b):
    """One path is the other or holds it."""
    return a == b or Path(a) in Path(b).parents or Path(b) in Path(a).parents


def test_training_needs_no_test_file(project):
    """Not only declared: with the test images gone the stage makes the same weights, and evaluation cannot run."""
    test, weights = project.folder / "data/smoke/test.npz", project.folder / "runs/smoke/dae/weights.safetensors"
    kept, trained = test.read_bytes(), weights.read_bytes()
    test.unlink()
    try:
        project.run("python", "-m", "stages.train", "smoke", "dae")
        assert weights.read_bytes() == trained
        assert "data/smoke/test.npz must have been written" in project.run(
            "python", "-m", "stages.evaluate", "smoke", "dae", status=1
        )
    finally:
        test.write_bytes(kept)


def test_with_tracking_down_everything_but_track_works(unchanged):
    unchanged.replace("conf/smoke.yaml", "corruption: 0.2", "corruption: 0.3")
    output = unchanged.run(
        "dvc", "repro", status=None, MLFLOW_TRACKING_URI="http://127.0.0.1:9", MLFLOW_HTTP_REQUEST_MAX_RETRIES="0"
    )
    ran = [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")]
    assert ran == ["check", "train@smoke-dae", "evaluate@smoke-dae", *DOWNSTREAM]
    assert "Traceback" not in output
    assert changed(unchanged) == {"track"}
    assert unchanged.repro() == ["track"]


def test_a_run_killed_between_stages_goes_on(unchanged):
    """What DVC leaves torn is mended: an empty rwlock and half a dvc.lock."""
    lock = unchanged.folder / "dvc.lock"
    (unchanged.folder / ".dvc/tmp/rwlock").write_text("")
    lock.write_text(lock.read_text()[: len(lock.read_text()) // 2] + "\n  torn: [")
    output = unchanged.aebench("reproduce")
    assert "mended" in output
    assert changed(unchanged) == set()


def test_a_data_set_is_switched_on_by_a_word_and_finished_stages_stay(unchanged):
    unchanged.aebench("select", "--datasets", "digits", "--models", "pca")
    unchanged.replace("conf/digits.yaml", "threads: 2", "threads: 1")
    assert unchanged.repro() == [
        "check", "prepare@digits", "train@digits-pca", "evaluate@digits-pca", "report@digits", "index", "track",
    ]  # fmt: skip
    unchanged.run("git", "checkout", "-q", "--", "params.yaml", "conf")
    assert set(unchanged.repro()) <= {"check", "report@smoke", "index", "track"}
