"""A researcher's week: own images, a model and a metric of another package, experiments, a sweep, a table and a second clone.

Nobody edits a file of the project, the published results stay unchanged, and Git sees only the user's own files.
"""

import re
import shutil
import textwrap
import time

import numpy as np
import pytest
from data_files import IMAGES, LABELS
from mlflow import MlflowClient
from project import Project, clone

from aebench.data import external
from aebench.evaluation.metrics import METRICS
from aebench.storage import read_columns, read_yaml

pytestmark = pytest.mark.slow
PACKAGE = '''
"""A k-sparse autoencoder (Makhzani & Frey 2014), and a metric of its codes."""

from aebench.evaluation.metrics.base import Metric
from aebench.models.base import ModelSettings
from aebench.models.vanilla import Vanilla, VanillaSettings


class Settings(VanillaSettings):
    k: int


class KSparse(Vanilla):
    Settings = Settings

    def encode(self, x):
        h = super().encode(x)
        return h * (h >= h.topk(self.settings.k, 1).values[:, -1:])


def share(arrays):
    return 100 * float((arrays.codes != 0).float().mean())


SHARE = Metric(share, "Units in use", better=None, unit="%", perfect=None, decimals=1, meaning="Units not 0.", main=True)
'''
ENTRY_POINTS = """
[aebench.models]
ksparse = ksparse:KSparse

[aebench.metrics]
units_in_use = ksparse:SHARE
"""
PUBLISHED = ("reports/claims.md", "docs/lecture.md", "reports/smoke/table.csv")
LOCK = "schema: '2.0'\nstages: {}\n"
TARGETS = ("evaluate@mine-ks", "classify@mine-ks")
SECONDS_TO_WAIT = 300


class Installed(Project):
    """A clone in which the package is installed, and the images are in the folder `data`."""

    packages = data = None

    def run(self, *command, **options):
        options = {"PYTHONPATH": f"{self.folder}:{self.packages}", external.DATA_DIR: str(self.data)} | options
        return super().run(*command, **options)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A clone with published results, and a package and images outside it."""
    Installed.packages, Installed.data = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("images")
    (Installed.packages / "ksparse.py").write_text(PACKAGE)
    info = Installed.packages / "ksparse-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: ksparse\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(textwrap.dedent(ENTRY_POINTS))
    np.savez(Installed.data / "mine.npz", images=np.concatenate([IMAGES] * 4), labels=np.concatenate([LABELS] * 4))
    project = Installed(clone(tmp_path_factory.mktemp("week"), models="pca ae").folder)
    for file in (*PUBLISHED, "dvc.lock"):
        (project.folder / file).parent.mkdir(parents=True, exist_ok=True)
        (project.folder / file).write_text(LOCK if file == "dvc.lock" else "published\n")
    project.commit()
    return project


def test_the_week(project, tmp_path):
    folder = project.folder
    guessed = project.aebench("new-data", "mine", "mine.npz")
    assert "400 images of 4 x 4 pixels in 3 classes" in guessed and "wrote conf/mine.yaml" in guessed
    own_settings(folder / "conf/mine.yaml")

    project.aebench("workspace")
    own = Installed(folder / "own")
    own.aebench("select", "--datasets", "mine", "--models", "pca ks", "--seeds", "0 1")
    printed = own.aebench("run", "-j", "2")
    assert "mine: test set" in printed and str(folder / "own/reports/index.html") in printed and "Units in use" in printed
    assert "mine" in (folder / "own/reports/claims.md").read_text()
    table = own.aebench("table", "mine", "--models", "ks", "pca", "--metrics", "sse", "units_in_use", "--caption", "Mine")
    assert re.search(r"\n\s*ks & .*\n\s*pca & ", table) and r"\caption{Mine}" in table

    swept = own.aebench("sweep", "mine", "ks", "k=1,2", "-j", "2")
    (row,) = [line for line in swept.splitlines() if re.match(r" +2  ", line)]
    assert f"{np.mean(read_columns(folder / 'own/runs/mine/ks/metrics.csv')['sse']):.3f}" in row, "k is 2 in conf/mine.yaml"
    assert (folder / "own/sweeps/mine-ks-k/reports/mine/figures/sweep.png").exists()
    client = MlflowClient(f"sqlite:///{folder}/own/mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name("aebench/mine").experiment_id])
    groups = [run.data.tags.get("aebench.sweep", "") for run in runs]
    assert groups.count("mine-ks-k") == 2 * 3 and groups.count("") == 3 + 2

    assert project.run("git", "status", "--short") == "?? conf/mine.yaml\n"
    project.commit()
    select = ["-S", "suite.datasets=[mine]", "-S", "suite.models=[ks]", "-S", "suite.seeds=[0,1]"]
    for name, k in (("few", 1), ("many", 6)):
        change = ["-S", f"conf/mine.yaml:models.ks.k={k}"]
        project.run("dvc", "exp", "run", "--queue", "-n", name, *select, *change, *TARGETS)
    finish_queue(project, 2)
    compared = project.aebench("compare", "few", "many")
    assert re.search(r"mine/ks +few +many +difference", compared)
    assert re.search(r"Units in use \(%\) +12\.5 +75\.0 +-62\.5 ± 0\.0 ", compared)
    assert len(re.findall(r" (?:yes|no)\n", compared)) == sum(metric.main for metric in METRICS.values()) + 1
    assert project.run("git", "status", "--short") == ""
    assert {(folder / file).read_text() for file in PUBLISHED} == {"published\n"}
    assert read_yaml(folder / "params.yaml")["suite"]["datasets"] == ["smoke"]

    project.run("dvc", "exp", "branch", "many", "paper")
    project.run("git", "checkout", "-q", "paper")
    project.run("dvc", "remote", "add", "-q", "-d", "store", str(tmp_path / "store"))
    project.run("dvc", "push", "-q", *TARGETS, "-d")
    second = Installed(tmp_path / "second")
    project.run("git", "clone", "-q", "-b", "paper", str(folder), str(second.folder))
    shutil.copy(folder / ".dvc/config", second.folder / ".dvc/config")
    second.run("dvc", "pull", "-q", *TARGETS, "-d")
    assert "stages are up to date" in second.aebench("run", *TARGETS)
    assert read_columns(second.folder / "runs/mine/ks/metrics.csv")["units_in_use"] == [75.0, 75.0], "6 of 8 units"


def own_settings(file):
    """What the user writes into the settings of the data set: few epochs, and the model of the package."""
    text = file.read_text()
    text = re.sub(r"  epochs: \d+", "  epochs: 2", text, count=1)
    text = re.sub(r"\nmodels:\n", "\nmodels:\n  ks: {kind: ksparse, latent_dim: 8, k: 2}\n", text)
    file.write_text(text)


def finish_queue(project, count):
    project.run("dvc", "queue", "start", "-j", str(count))
    end = time.monotonic() + SECONDS_TO_WAIT
    while (status := project.run("dvc", "queue", "status")).count("Success") < count:
        assert "Failed" not in status and time.monotonic() < end, status
        time.sleep(1)
    project.run("dvc", "queue", "stop")
