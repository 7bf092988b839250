"""A model, a metric and a data set are added to a clone and must appear in every table and in MLflow.

A model is one file and one line of settings; a built-in model also has a line in the registry, an example for the laws and an
oracle for the model checks. A metric is one function and one entry in METRICS. A data set is one file of settings.
"""

import csv
import re
import sqlite3
import textwrap

import numpy as np
import pytest
from project import clone

pytestmark = pytest.mark.slow

MODEL = '''
"""Toy: a linear autoencoder with a penalty on its code."""

import torch
from torch import nn

from aebench import objectives
from aebench.models.base import Autoencoder, ModelSettings


class ToySettings(ModelSettings):
    latent_dim: int
    weight: float


class Toy(Autoencoder):
    Settings = ToySettings

    def __init__(self, settings, pixels):
        super().__init__(settings, pixels)
        self.w = nn.Parameter(nn.init.xavier_uniform_(torch.empty(settings.latent_dim, pixels)))

    def encode(self, x):
        return x @ self.w.T

    def decode(self, h):
        return h @ self.w

    def terms(self, x, noise):
        h = self.encode(x)
        error = objectives.squared_error(x, self.decode(h)).mean()
        return {"reconstruction": error, "penalty": self.settings.weight * h.abs().mean()}
'''
METRIC = '''
def length(r: Representation) -> float:
    """Mean Euclidean norm of the test codes."""
    return float(r.codes.norm(dim=1).mean())


METRICS = {
    "length": Metric(
        length, "Length", better="lower", unit="", perfect=0.0, decimals=2, meaning="Mean norm of a code.", main=True
    ),
'''


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """A clone with an additional model, metric and data set, after a run."""
    project = clone(tmp_path_factory.mktemp("growth"), models="pca ae")
    (project.folder / "aebench/models/toy.py").write_text(MODEL)
    project.replace("aebench/models/__init__.py", '        "pca":', '        "toy": "aebench.models.toy:Toy",\n        "pca":')
    project.replace("aebench/evaluation/metrics/sparsity.py", "\nMETRICS = {\n", METRIC)
    noise = np.random.default_rng(0).integers(0, 256, (300, 6, 5)).astype("u1")
    np.savez(project.folder / "mine.npz", images=noise, labels=np.arange(300) % 3)
    (project.folder / "conf/mine.yaml").write_text(
        textwrap.dedent("""
        data: {source: npz, path: mine.npz, validation: 60, test: 60}
        training: {epochs: 2, batch_size: 32, learning_rate: 0.01, device: cpu}
        compute: {device: cpu}
        evaluation: {}
        linear_probe: {}
        feature_classifier: {}
        models:
          pca: {kind: pca, latent_dim: 2}
          toy: {kind: toy, latent_dim: 3, weight: 0.1}
        """)
    )
    project.aebench("select", "--datasets", "mine", "--models", "pca toy")
    project.output = project.aebench("run")
    return project


def table(project):
    return {row["model"]: row for row in csv.DictReader((project.folder / "reports/mine/table.csv").open())}


def test_the_new_model_and_metric_are_in_every_table(grown):
    rows = table(grown)
    assert list(rows) == ["pca", "toy"]
    assert float(rows["toy"]["length.mean"]) > 0
    for file in ("table.md", "tables/comparison.tex", "../index.html"):
        text = (grown.folder / "reports/mine" / file).read_text()
        assert "toy" in text and "Length" in text, file
    assert "toy" in grown.output


def test_the_term_of_the_new_model_is_in_the_history(grown):
    header = (grown.folder / "runs/mine/toy/history.csv").read_text().splitlines()[0]
    assert {"train.penalty", "validation.penalty", "train.loss"} <= set(header.split(","))


def test_the_new_model_and_metric_are_in_mlflow(grown):
    with sqlite3.connect(grown.folder / "mlflow.db") as database:
        metrics = {key for (key,) in database.execute("select distinct key from latest_metrics")}
        models = {value for (value,) in database.execute("select distinct value from params where key = 'model'")}
    assert any("length" in key for key in metrics)
    assert models == {"pca", "toy"}


def test_the_new_model_is_tested_by_the_laws(grown):
    grown.replace("tests/family.py", '    "pca": {', '    "toy": {"latent_dim": 3, "weight": 0.1},\n    "pca": {')
    output = grown.run("python", "-m", "pytest", "tests/test_laws.py", "-k", "toy", "-p", "no:cacheprovider", "-v")
    assert int(re.search(r"(\d+) passed", output)[1]) > 9


def test_a_new_model_retrains_no_other_model(grown):
    """Code hashes leave out the table of a registry, so models trained before a new entry stay valid."""
    grown.aebench("select", "--models", "pca")
    first = (grown.folder / "runs/code/mine/pca.json").read_text()
    grown.replace("aebench/models/__init__.py", '        "toy": "aebench.models.toy:Toy",\n', "")
    grown.run("python", "-m", "stages.check")
    assert (grown.folder / "runs/code/mine/pca.json").read_text() == first
