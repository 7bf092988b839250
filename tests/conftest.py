"""Fixtures for all tests, and those that several files use."""

from contextlib import chdir
from pathlib import Path

import fake_runs
import pytest
import small_papers
import torch
from project import ONE_OF_EACH, copy_settings

from aebench import data
from aebench.config import edit
from aebench.data import external
from aebench.storage import write_columns
from aebench.storage.lock import Lock
from aebench.training.run import TrainingRun


@pytest.fixture(autouse=True)
def default_products():
    """Results are identical bit for bit only on one thread; more threads split matrix products differently.

    The widths of most tests are so small that oneDNN, which stages choose on some processors, multiplies one and several seeds
    by different kernels. Tests therefore start with torch's default library.
    """
    torch.set_num_threads(1)
    torch.set_float32_matmul_precision("highest")


@pytest.fixture
def empty_folder(tmp_path, monkeypatch):
    """An empty folder as the working directory, no data folder, and an empty cache of downloads."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(external.DATA_DIR, raising=False)
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / "cache" / name)
    return tmp_path


@pytest.fixture
def fake_project(tmp_path, monkeypatch):
    """A fake project as the working directory, without a report."""
    fake_runs.write_fake_suite(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Lock, "fingerprint", lambda self, dataset: fake_runs.LOCK)
    return tmp_path


@pytest.fixture(scope="session")
def reported_twice(tmp_path_factory):
    """The root of a fake project that was reported twice, and the bytes of each file after the first and second report."""
    root = tmp_path_factory.mktemp("reported_twice")
    fake_runs.write_fake_suite(root)
    with chdir(root), pytest.MonkeyPatch.context() as patch:
        patch.setattr(Lock, "fingerprint", lambda self, dataset: fake_runs.LOCK)
        return root, fake_runs.write_everything(), fake_runs.write_everything()


@pytest.fixture
def reported(reported_twice, monkeypatch):
    """The project that was reported twice as the working directory; tests do not change it."""
    monkeypatch.chdir(reported_twice[0])


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A project whose models of smoke are trained, `vae` with two seeds and the others with one."""
    root = tmp_path_factory.mktemp("trained")
    copy_settings(root)
    with chdir(root):
        edit.select({"datasets": ["smoke"], "models": list(ONE_OF_EACH), "seeds": [3]})
        data.prepare("smoke")
        for model in ONE_OF_EACH:
            TrainingRun("smoke", model).train()
        edit.select({"seeds": [3, 5]})
        TrainingRun("smoke", "vae").train()
        values = {"seed": [3, 5], "sse": [2.0, 4.0], "psnr": [float("inf")] * 2}
        write_columns(Path("runs/smoke/vae/metrics.csv"), values)
    return root


@pytest.fixture
def unchanged(project):
    """The clone that is the project of a test file, restored after the test."""
    yield project
    project.run("git", "checkout", "-q", "--", ".")


@pytest.fixture
def project(trained, monkeypatch):
    """The project as the working directory."""
    monkeypatch.chdir(trained)
    return trained


@pytest.fixture
def small_paper(tmp_path, monkeypatch):
    """The working directory, with the paper `small`."""
    monkeypatch.chdir(tmp_path)
    small_papers.write()
    return tmp_path
