"""Invalid settings and missing devices are found before a run touches any file."""

import os
import subprocess
import sys

import pytest
import small_papers
import torch
from project import copy_settings

from aebench import config
from aebench.config import edit
from aebench.errors import InputError
from aebench.pipeline import checks, precheck

CONF = "conf/smoke.yaml"


@pytest.fixture
def smoke(tmp_path, monkeypatch):
    copy_settings(tmp_path)
    (tmp_path / ".dvc").mkdir()
    monkeypatch.chdir(tmp_path)
    edit.select({"datasets": ["smoke"], "models": ["pca", "ae"], "seeds": [0]})
    return tmp_path


def change(folder, old, new):
    text = (folder / CONF).read_text()
    assert old in text
    (folder / CONF).write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("per_class: [10]", "per_class: [0]", f"{CONF}:linear_probe.per_class"),
        ("{kind: pca, latent_dim: 8}", "{kind: pca, latent_dim: 65}", f"{CONF}:models.pca"),
        (
            "ae: {kind: vanilla, hidden: [16], latent_dim: 8}",
            "ae: {kind: vanilla, latent_dim: 1000000000}",
            f"{CONF}:models.ae",
        ),
        ("device: cpu\n", "device: cuda\n", f"{CONF}:training.device must be auto or cpu"),
        ("1, device: cpu}", "1, device: cuda}", f"{CONF}:compute.device must be auto or cpu"),
    ],
)
def test_a_mistake_is_one_line_before_dvc_starts(smoke, old, new, message, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    change(smoke, old, new)
    with pytest.raises(InputError) as raised:
        precheck.check(config.suite(), on_cluster=False)
    assert str(raised.value).startswith(message)
    assert not precheck.PASSED.exists()


def test_a_mistake_in_a_paper_outside_the_suite_is_found_since_the_page_shows_all_papers(smoke):
    small_papers.write(rows=[small_papers.PAPER["rows"][0] | {"measure": "ssr"}])
    with pytest.raises(InputError, match=r"^conf/papers/small.yaml:rows.0.measure .* must be one of .*, got 'ssr'"):
        precheck.check(config.suite(), on_cluster=False)


def test_the_device_of_a_run_of_a_paper_is_checked(smoke, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    model = {"kind": "vanilla", "latent_dim": 4, "training": {"device": "cuda"}}
    small_papers.write(runs=small_papers.PAPER["runs"] | {"ae": small_papers.PAPER["runs"]["ae"] | {"model": model}})
    edit.select({"papers": ["small"]})
    with pytest.raises(InputError, match=r"^conf/papers/small.yaml:runs.ae.model.training.device must be auto or cpu"):
        precheck.check(config.suite(), on_cluster=False)


def test_a_folder_that_dvc_does_not_know_is_left_as_it_is(smoke):
    (smoke / ".dvc").rmdir()
    precheck.check(config.suite(), on_cluster=True)
    assert not (smoke / ".dvc").exists()


def test_devices_are_those_of_the_workers_on_a_cluster(smoke, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    change(smoke, "device: cpu\n", "device: cuda\n")
    precheck.check(config.suite(), on_cluster=True)


def test_settings_that_have_passed_are_checked_again_only_after_a_change(smoke, monkeypatch):
    calls, check_settings = [], checks.check_settings
    monkeypatch.setattr(checks, "check_settings", lambda suite: calls.append(suite) or check_settings(suite))
    for _ in range(2):
        precheck.check(config.suite(), on_cluster=False)
    assert len(calls) == 1
    change(smoke, "epochs: 2", "epochs: 3")
    precheck.check(config.suite(), on_cluster=False)
    assert len(calls) == 2


def test_the_command_run_checks_first(smoke):
    change(smoke, "per_class: [10]", "per_class: [0]")
    before = {path: path.read_bytes() for path in smoke.rglob("*") if path.is_file()}
    command = [sys.executable, "-c", "from aebench.cli import main; main()", "run"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"error: {CONF}:linear_probe.per_class")
    assert {path: path.read_bytes() for path in smoke.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("content", [b"suite: {datasets: [caf\xe9]}", b"suite: [", b"{}", b"suite: 3", None])
def test_a_params_file_that_cannot_be_read_is_one_line_for_select(smoke, content):
    file = smoke / "params.yaml"
    file.unlink()
    if content is None:
        file.mkdir()
    else:
        file.write_bytes(content)
    with pytest.raises(InputError, match=r"^params.yaml must "):
        edit.select({"seeds": [1]})
