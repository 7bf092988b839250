"""Studies, papers and other data sets run in addition to the models; a change of one reruns only its stages."""

import json
import shutil

import pytest
from project import ALWAYS, CONF, finished_clone
from ruamel.yaml import YAML
from small_papers import PAPER

pytestmark = pytest.mark.slow
MODELS = ["mean", "ae"]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A clone in which every stage of two models has run once."""
    return finished_clone(tmp_path_factory.mktemp("studies"), MODELS)


def test_studies_run_beside_the_models_and_stay_in_the_report(unchanged):
    unchanged.aebench("select", "--studies", "sweep training_size depth")
    ran = unchanged.repro()
    assert set(ran) == {*(f"study@smoke-{name}" for name in ("sweep", "training_size", "depth"))} | CONF
    assert unchanged.changed() == set()
    assert f"smoke: {len(MODELS)} models" in unchanged.aebench("verify")
    unchanged.aebench("select", "--studies", "none")
    assert "report@smoke" in unchanged.repro()
    figures = unchanged.folder / "reports/smoke/figures"
    assert {file.stem for file in figures.glob("study_*")} == {"study_sweep", "study_training_size", "study_depth"}
    unchanged.replace("conf/smoke.yaml", "{kind: sparse, latent_dim: 16}", "{kind: sparse, latent_dim: 12}")
    unchanged.repro()
    assert {file.stem for file in figures.glob("study_*")} == {"study_training_size", "study_depth"}
    shutil.rmtree(unchanged.folder / "reports/smoke/studies")


def test_papers_run_beside_the_models_and_one_paper_reruns_alone(unchanged):
    for name in ("first", "second"):
        with (unchanged.folder / f"conf/papers/{name}.yaml").open("w") as stream:
            YAML().dump(json.loads(json.dumps(PAPER)), stream)
    unchanged.aebench("select", "--papers", "first second")
    assert set(unchanged.repro()) == {"reproduce@first", "reproduce@second"} | CONF
    assert unchanged.changed() == set()
    assert "pages of all reports: verified" in unchanged.aebench("verify")
    unchanged.replace("conf/papers/first.yaml", "Too short.", "Far too short.")
    assert unchanged.changed() == ALWAYS, "texts are read by the report only"
    unchanged.replace("conf/papers/first.yaml", "epochs: 2", "epochs: 1")
    assert unchanged.changed() == ALWAYS | {"reproduce@first"}
    verdict = unchanged.aebench("verify", status=1)
    assert "pages of all reports: stale: conf/papers/first.yaml:training.epochs (2 -> 1) changed since reproduce ran" in verdict
    assert set(unchanged.repro()) == ALWAYS | {"reproduce@first"}
    assert "Far too short." in (unchanged.folder / "reports/papers.md").read_text()
    unchanged.aebench("select", "--papers", "none")
    unchanged.repro()
    assert "A & B (2000)" in (unchanged.folder / "reports/papers.md").read_text(), "the results of other papers are kept"
    assert "did you mean 'first'" in unchanged.aebench("select", "--papers", "frst", status=1)
    for name in ("first", "second"):
        (unchanged.folder / f"conf/papers/{name}.yaml").unlink()
        for ending in ("csv", "json"):
            (unchanged.folder / f"reports/papers/{name}.{ending}").unlink()


def test_selecting_another_data_set_keeps_finished_stages(unchanged):
    unchanged.aebench("select", "--datasets", "digits", "--models", "pca")
    unchanged.replace("conf/digits.yaml", "threads: 1", "threads: 2")
    assert unchanged.repro() == [
        "check", "prepare@digits", "train@digits-pca", "train_feature_classifier@digits", "evaluate@digits-pca",
        "classify@digits-pca", "report@digits", "index", "track",
    ]  # fmt: skip
    unchanged.run("git", "checkout", "-q", "--", "params.yaml", "conf")
    assert set(unchanged.repro()) <= CONF, "the others are restored from the run cache"
