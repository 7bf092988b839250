"""The pipeline as a user runs it: it finishes, a second run does nothing, and a change reruns only the stages it affects."""

import csv
import json
from pathlib import Path

import pytest
import torch
from project import ALWAYS, CONF, clone, finished_clone
from ruamel.yaml import YAML

from aebench.evaluation.metrics import METRICS
from aebench.training.finetuning import INITIALISATIONS, Finetuning
from aebench.training.greedy import load_pretrained
from aebench.training.run import TrainingRun

pytestmark = pytest.mark.slow
MODELS = ["mean", "pca", "ae", "ae_2d", "dae", "vae"]
STACK = "stacked"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A clone in which every stage has run once."""
    return finished_clone(tmp_path_factory.mktemp("pipeline"), [*MODELS, STACK])


AMOUNTS = ["10 per class", "0.01", "0.05", "0.1", "1.0"]


def stages(verb, models=MODELS):
    return {f"{verb}@smoke-{model}" for model in models}


STACK_TRAINED = stages("pretrain", [STACK]) | stages("finetune", [STACK])
TRAINED = stages("train") | STACK_TRAINED
EVALUATED = stages("evaluate") | stages("evaluate_stack", [STACK])
CLASSIFIED = stages("classify") | stages("classify_stack", [STACK])


def test_a_run_ends_with_the_table_and_names_the_report(project):
    assert "reports/index.html" in project.first_output and "make ui" in project.first_output
    for model in [*MODELS, STACK]:
        assert model in project.first_output.split("smoke: test set")[1]
    assert (project.folder / "mlflow.db").exists()


def test_the_table_holds_the_means_of_the_metrics(project):
    table = {row["model"]: row for row in csv.DictReader((project.folder / "reports/smoke/table.csv").open())}
    assert list(table) == [*MODELS, STACK]
    for model in table:
        runs = list(csv.DictReader((project.folder / f"runs/smoke/{model}/metrics.csv").open()))
        for name in (name for name, metric in METRICS.items() if metric.stage == "evaluate"):
            samples, mean = [float(run[name]) for run in runs if run[name]], table[model][f"{name}.mean"]
            if not samples or (len(samples) < len(runs) and (len(samples) > 1 or not runs[0][name])):
                assert mean == "", (model, name)
            elif samples[0] != float("inf"):
                assert float(mean) == pytest.approx(sum(samples) / len(samples), rel=1e-4, abs=1e-4), (model, name)


def test_a_second_run_does_nothing(project):
    assert project.changed() == set()
    output = project.aebench("run")
    assert " ran in " not in output
    assert "up to date" in output


TIMED = {f"tables/cost.{form}" for form in ("csv", "md", "tex")}
TIMED |= {"timings.tex", "provenance.json", "figures/error_and_cost.png", "pdf/error_and_cost.pdf"}
"""Files of a report that contain wall times, or checksums of such files."""


def test_a_second_clone_writes_the_same_tables_except_for_wall_times(project, tmp_path):
    again = clone(tmp_path, models=" ".join([*MODELS, STACK]))
    again.aebench("run")
    first, second = (
        {f.relative_to(r).as_posix(): f.read_bytes() for f in r.rglob("*") if f.is_file()}
        for r in (each.folder / "reports" / "smoke" for each in (project, again))
    )
    assert first.keys() == second.keys() and len(first) > 100
    assert {name for name in first if first[name] != second[name]} <= TIMED
    for name in ("reports/claims.md", "docs/lecture.md"):
        assert (project.folder / name).read_bytes() == (again.folder / name).read_bytes()


THIRD_LAYER = "kind: vanilla\n      latent_dim: 8"
STACK_CLASSIFIED = stages("classify_stack", [STACK])
"""The stage that classifies with a stack depends on the settings of the stack, from which the model is built."""


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("conf/smoke.yaml", "level: 0.2", "level: 0.4", CONF | stages("train", ["dae"])),
        ("conf/smoke.yaml", "epochs: 2", "epochs: 3", CONF | TRAINED | STACK_CLASSIFIED),
        ("conf/smoke.yaml", "split_seed: 0", "split_seed: 1", CONF | {"prepare@smoke"}),
        ("conf/smoke.yaml", "reconstructions: 10", "reconstructions: 5", CONF | EVALUATED),
        ("conf/smoke.yaml", "samples: 20", "samples: 10", CONF | EVALUATED),
        ("conf/smoke.yaml", "per_class: [10]", "per_class: [5]", CONF | CLASSIFIED),
        ("conf/smoke.yaml", "updates: 2000", "updates: 1000", CONF | {"train_feature_classifier@smoke"}),
        ("conf/smoke.yaml", "processes: 2", "processes: 1", CONF | EVALUATED | CLASSIFIED),
        ("conf/smoke.yaml", THIRD_LAYER, f"{THIRD_LAYER[:-1]}7", CONF | STACK_TRAINED | STACK_CLASSIFIED),
        ("conf/smoke.yaml", "updates: 5", "updates: 6", CONF | stages("finetune", [STACK]) | STACK_CLASSIFIED),
        ("params.yaml", "- 1\n", "- 2\n", {"check", "report@smoke", "index", "track"} | TRAINED | CLASSIFIED),
        ("conf/digits.yaml", "epochs:", "# a comment\n  epochs:", ALWAYS),
        ("aebench/models/denoising.py", "corrupt(x, noise)", "corrupt(x + 0, noise)", {"check"}),
    ],
)
def test_a_change_reruns_exactly_these_stages(unchanged, file, old, new, expected):
    unchanged.replace(file, old, new)
    assert unchanged.changed() == expected


DOWNSTREAM = ["report@smoke", "index", "track"]
STACKED = [f"{verb}@smoke-stacked" for verb in ("pretrain", "finetune", "evaluate_stack", "classify_stack")]


def test_a_change_in_the_third_layer_retrains_neither_of_the_first_two(unchanged):
    layers = unchanged.folder / "runs/smoke/stacked/layers"
    before = {file.name: file.read_bytes() for file in layers.glob("*.safetensors")}
    unchanged.replace("conf/smoke.yaml", THIRD_LAYER, f"{THIRD_LAYER[:-1]}7")
    output = unchanged.run("dvc", "repro", "pretrain@smoke-stacked")
    assert [line for line in output.splitlines() if line.startswith("layer ")] == [
        "layer 1: unchanged",
        "layer 2: unchanged",
        "layer 3: training",
    ]
    after = {file.name: file.read_bytes() for file in layers.glob("*.safetensors")}
    assert before["1.safetensors"] == after["1.safetensors"] and before["2.safetensors"] == after["2.safetensors"]
    assert before["3.safetensors"] != after["3.safetensors"]
    unchanged.replace("conf/smoke.yaml", "latent_dim: 32", "latent_dim: 16")
    output = unchanged.run("dvc", "repro", "pretrain@smoke-stacked")
    assert "unchanged" not in output, "the training images of the layer have changed"
    unchanged.run("git", "checkout", "-q", "--", ".")
    unchanged.run("dvc", "checkout", "-q")
    assert {file.name: file.read_bytes() for file in layers.glob("*.safetensors")} == before


@pytest.fixture
def finetuning(project, monkeypatch):
    monkeypatch.chdir(project.folder)
    experiment = TrainingRun("smoke", STACK)
    return Finetuning(experiment), load_pretrained(experiment)


def test_each_seed_has_its_own_labels_of_every_class(finetuning):
    few = finetuning[0].labelled_images(0.05).train
    assert few.shape == (2, 63, 64 + 10)
    assert (few[..., 64:].sum(1) >= 1).all() and (few[..., 64:].sum(2) == 1).all()
    assert not torch.equal(few[0], few[1])
    assert finetuning[0].labelled_images(1.0).train.shape == (1257, 64 + 10), "all labels are shared"
    assert finetuning[0].labelled_images(1.0).validation.numel() == 0, "no epoch is selected"


def test_initialisations_differ_only_in_the_encoder(finetuning):
    """`unpretrained` is the encoder before pretraining; the softmax layer is always initialised with 0."""
    tune, pretrained = finetuning
    unpretrained, fresh = tune.classifiers("unpretrained"), tune.run.ensemble()
    for name, value in fresh.state.items():
        assert torch.equal(unpretrained.state[f"encoder.{name}"], value)
    assert any(not torch.equal(value, pretrained.ensemble.state[name]) for name, value in fresh.state.items())
    assert all(not value.any() for name, value in unpretrained.state.items() if name.startswith("head"))
    states = [tune.classifiers(initialisation).state for initialisation in INITIALISATIONS]
    sizes = [{n: v.shape for n, v in state.items() if n.startswith("head")} for state in states]
    assert sizes[0] == sizes[1] == sizes[2]


def test_baselines_take_the_updates_of_pretraining_and_finetuning_together(finetuning, monkeypatch):
    tune, pretrained = finetuning
    assert pretrained.updates == 3 * 5, "three layers with one epoch of five batches each"
    updates = {}

    def count(ensemble, images, changes, subject):
        updates[subject[1]] = changes["epochs"] * -(-images.train.shape[-2] // changes["batch_size"])

    monkeypatch.setattr(tune.run, "minimise", count)
    for initialisation in INITIALISATIONS:
        tune.train(initialisation, 1.0, pretrained)
    assert updates == {"pretrained": 5, "unpretrained": 20, "modern": 20}


def test_every_layer_and_every_initialisation_of_the_stack_is_recorded(project):
    folder = project.folder / "runs/smoke/stacked"
    layers = next(csv.DictReader((folder / "layers.csv").open()))
    assert set(layers) == {"seed", "probe.0", *(f"{part}.{i}" for part in ("loss", "probe") for i in (1, 2, 3))}
    columns = next(csv.DictReader((folder / "classification.csv").open()))
    finetuned = {f"{start}.{f}" for start in ("pretrained", "unpretrained", "modern") for f in ("0.05", "1.0")}
    assert set(columns) == {"seed", "linear_probe"} | finetuned | {f"linear_probe_by_labels/{amount}" for amount in AMOUNTS}
    text = (project.folder / "reports/smoke/table.md").read_text()
    assert "layer by layer" in text and "pretrained - unpretrained" in text


def test_every_model_has_a_linear_probe_for_the_labels_of_every_seed(project):
    for model in MODELS:
        folder = project.folder / "runs/smoke" / model
        rows = list(csv.DictReader((folder / "classification.csv").open()))
        assert [row["seed"] for row in rows] == ["0", "1"], "labels are drawn for every seed, also for a deterministic model"
        assert list(rows[0]) == ["seed", "linear_probe", *(f"linear_probe_by_labels/{amount}" for amount in AMOUNTS)]
        probes = json.loads((folder / "linear_probe.json").read_text())
        assert {a: each["labels"] for a, each in probes["amounts"].items()} == dict(
            zip(AMOUNTS, (100, 13, 63, 126, 1257), strict=True)
        )
        assert sum(map(sum, probes["confusion"])) == 2 * 360
    text = (project.folder / "reports/smoke/table.md").read_text()
    assert "10 per class" in text and "feature classifier" in text


def test_a_changed_chapter_retrains_its_models_only_and_a_comment_nothing(unchanged):
    unchanged.replace("aebench/models/denoising.py", "corrupt(x, noise)", "corrupt(x + 0, noise)")
    ran = unchanged.repro()
    assert ran[0] == "check" and ran[-3:] == DOWNSTREAM
    own = {"train@smoke-dae", "evaluate@smoke-dae", "classify@smoke-dae"}
    assert set(ran[1:-3]) == own | set(STACKED), "the stack's layers are denoising autoencoders"
    (unchanged.folder / "aebench/models/vanilla.py").open("a").write("\n# a comment\n")
    assert unchanged.repro() == ["check"]
    unchanged.run("git", "checkout", "-q", "--", ".")
    assert not [name for name in unchanged.repro() if name.startswith(("train", "evaluate"))], (
        "the results are in the run cache"
    )


def test_a_parameter_can_be_changed_on_the_command_line(unchanged):
    output = unchanged.run("dvc", "exp", "run", "-S", "conf/smoke.yaml:models.dae.level=0.4")
    ran = [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")]
    assert ran == ["check", "train@smoke-dae", "evaluate@smoke-dae", "classify@smoke-dae", *DOWNSTREAM]
    assert unchanged.run("git", "diff", "--numstat", "--", "conf").split() == ["1", "1", "conf/smoke.yaml"]
    shown = unchanged.run("dvc", "exp", "show", "--csv")
    assert "0.4" in shown
    unchanged.run("git", "checkout", "-q", "--", ".")
    unchanged.run("dvc", "checkout", "-q")


def test_metrics_and_plots_can_be_shown(project):
    shown = project.run("dvc", "metrics", "show")
    assert all(f" {model}.sse.mean " in shown for model in MODELS) and " ae.knn_5.half_width " in shown
    project.run("dvc", "metrics", "diff")
    assert "html" in project.run("dvc", "plots", "show", "-o", "plots-page")


def test_no_path_leads_from_test_data_into_training(project):
    """Training reads no file in dvc.lock that was computed, directly or indirectly, from the test images."""
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
        if name.split("@")[0] in {"check", "train", "pretrain", "finetune", "train_feature_classifier"}:
            assert not any(meets(d, t) for d in deps for t in tainted), name
            assert not outs & tainted, name


def meets(a, b):
    """Whether one path is the other or contains it."""
    return a == b or Path(a) in Path(b).parents or Path(b) in Path(a).parents


def test_training_needs_no_test_file(project):
    """Without the test images, training gives the same weights and evaluation fails."""
    test, weights = project.folder / "data/smoke/test.npz", project.folder / "runs/smoke/dae/weights.safetensors"
    kept, trained = test.read_bytes(), weights.read_bytes()
    test.unlink()
    try:
        project.run("python", "-m", "stages.train", "smoke", "dae")
        assert weights.read_bytes() == trained
        assert "data/smoke/test.npz is missing" in project.run("python", "-m", "stages.evaluate", "smoke", "dae", status=1)
    finally:
        test.write_bytes(kept)


def test_learning_rates_are_tuned_on_validation_images_only(project):
    """Every model trained by gradient descent has the same trials, with a seed outside the suite."""
    test, table = project.folder / "data/smoke/test.npz", project.folder / "reports/smoke/search.csv"
    kept = test.read_bytes()
    test.unlink()
    try:
        output = project.aebench("tune", "smoke", "--models", "pca ae stacked")
    finally:
        test.write_bytes(kept)
    trials = list(csv.DictReader(table.open()))
    assert [(t["model"], float(t["learning_rate"])) for t in trials] == [
        (model, rate) for model in ("ae", "stacked") for rate in (0.0001, 0.003)
    ]
    assert all(float(t["loss"]) > 0 for t in trials) and len({t["loss"] for t in trials}) == 4
    assert "best 0.003" in output and "conf/smoke.yaml" in output
    table.unlink()


def test_tuning_an_unknown_model_names_the_nearest(project):
    assert "did you mean 'ae'" in project.aebench("tune", "smoke", "--models", "aee", status=1)


def test_without_an_mlflow_server_only_track_fails(unchanged):
    unchanged.replace("conf/smoke.yaml", "level: 0.2", "level: 0.3")
    output = unchanged.run(
        "dvc", "repro", status=None, MLFLOW_TRACKING_URI="http://127.0.0.1:9", MLFLOW_HTTP_REQUEST_MAX_RETRIES="0"
    )
    ran = [line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage")]
    assert ran == ["check", "train@smoke-dae", "evaluate@smoke-dae", "classify@smoke-dae", *DOWNSTREAM]
    assert "Traceback" not in output
    assert unchanged.changed() == {"track"}
    assert unchanged.repro() == ["track"]


def test_an_interrupted_run_is_repaired_and_continued(unchanged):
    """After the interruption rwlock is empty and half of dvc.lock is missing."""
    lock = unchanged.folder / "dvc.lock"
    (unchanged.folder / ".dvc/tmp/rwlock").write_text("")
    lock.write_text(lock.read_text()[: len(lock.read_text()) // 2] + "\n  truncated: [")
    output = unchanged.aebench("run")
    assert "repaired dvc.lock, truncated by an interrupted run" in output
    assert unchanged.changed() == set()
