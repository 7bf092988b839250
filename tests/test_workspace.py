"""A selection runs in a workspace of its own, and leaves the project's tracked files unchanged."""

import subprocess
from pathlib import Path

import pytest
from project import ROOT, write_skeleton

from aebench.data import external
from aebench.errors import InputError
from aebench.pipeline import dvc_workspace


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project without code as the working directory."""
    write_skeleton(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_workspace_is_ignored_by_git_and_keeps_its_selection(project):
    dvc_workspace.create(Path("own"))
    assert Path("own/dvc.yaml").resolve() == project / "dvc.yaml" and Path("own/conf").resolve() == project / "conf"
    Path("own/params.yaml").write_text("suite: {}\n")
    Path("own/dvc.lock").write_text("results")
    dvc_workspace.create(Path("own"))
    assert Path("own/params.yaml").read_text() == "suite: {}\n" and Path("own/dvc.lock").read_text() == "results"
    status = subprocess.run(["git", "status", "--short"], capture_output=True, text=True, check=True)
    assert "own" not in status.stdout


def test_each_folder_names_its_mlflow_store(project, monkeypatch):
    dvc_workspace.create(Path("own"))
    assert dvc_workspace.make_ui() == "make ui"
    monkeypatch.chdir(project / "own")
    assert dvc_workspace.make_ui() == "make ui FOLDER=own"


def test_a_workspace_shares_the_cache(project, monkeypatch):
    dvc_workspace.create(Path("deep/own"))
    monkeypatch.chdir(project / "deep/own")
    with dvc_workspace.Repo() as repo:
        assert Path(repo.cache.local_cache_dir).resolve() == project / ".dvc/cache"
        assert repo.config["core"]["no_scm"] and not repo.config["core"]["autostage"]


@pytest.mark.parametrize(
    "settings",
    [
        "",
        "[core]\n    analytics = false\n[cache]\n    dir = ../common\n    type = symlink\n",
        "['remote \"r\"']\n    url = elsewhere\n[core]\n    remote = r\n",
    ],
    ids=["empty", "with a cache", "with a remote first"],
)
def test_dvc_reads_the_workspace_whatever_the_settings_of_the_project(project, monkeypatch, settings):
    Path(".dvc/config").write_text(settings)
    with dvc_workspace.Repo() as repo:
        cache, kind = repo.cache.local_cache_dir, repo.config["cache"].get("type")
    dvc_workspace.create(Path("own"))
    monkeypatch.chdir(project / "own")
    with dvc_workspace.Repo() as repo:
        assert Path(repo.cache.local_cache_dir).resolve() == Path(cache).resolve()
        assert repo.config["core"]["no_scm"] and repo.config["cache"].get("type") == kind
        assert not repo.config["remote"] and "remote" not in repo.config["core"]


def test_a_workspace_that_exists_is_not_written_again(project):
    """Another run may be working in it."""

    def written():
        files = [path for path in Path("own").rglob("*") if path.is_symlink() or path.is_file()]
        return {path: (path.lstat().st_ino, path.lstat().st_mtime_ns) for path in files}

    dvc_workspace.create(Path("own"))
    before = written()
    dvc_workspace.create(Path("own"))
    assert written() == before and {Path("own/.dvc/config"), Path("own/conf")} <= set(before)


def test_a_link_to_another_folder_is_corrected(project):
    dvc_workspace.create(Path("own"))
    Path("own/conf").unlink()
    Path("own/conf").symlink_to("../stages")
    dvc_workspace.create(Path("own"))
    assert Path("own/conf").resolve() == project / "conf"


def test_relative_paths_of_data_are_those_of_the_project(project, monkeypatch):
    monkeypatch.delenv(external.DATA_DIR, raising=False)
    Path("mine.npz").write_bytes(b"")
    dvc_workspace.create(Path("own"))
    monkeypatch.chdir(project / "own")
    assert external.locate("mine.npz").resolve() == project / "mine.npz"
    with pytest.raises(InputError, match=r"other.npz must exist"):
        external.locate("other.npz")


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("conf", "FOLDER must be new, empty or a workspace, got conf"),
        (".", "FOLDER must be another folder than that of a project, got ."),
    ],
)
def test_other_folders_are_not_changed(project, folder, message):
    Path("conf/mine.yaml").write_text("data: {}")
    with pytest.raises(InputError, match=message):
        dvc_workspace.create(Path(folder))
    assert not Path(folder, ".gitignore").exists()


def test_a_workspace_is_not_made_in_a_workspace(project, monkeypatch):
    dvc_workspace.create(Path("own"))
    monkeypatch.chdir(project / "own")
    with pytest.raises(InputError, match="must be run in the project's folder, got the workspace"):
        dvc_workspace.create(Path("own"))


def test_a_workspace_needs_a_project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"must be run in the project's folder, got .* without aebench"):
        dvc_workspace.create(Path("own"))
    assert not Path("own").exists()


def test_make_runs_a_selection_in_a_workspace_and_everything_else_in_the_project():
    def commands(*variables):
        # `-o` keeps make from installing; `-n` prints the commands.
        ready = ".venv/bin/.ready"
        done = subprocess.run(["make", "-n", "-o", ready, "reproduce", *variables], cwd=ROOT, capture_output=True, text=True)
        return [line for line in done.stdout.splitlines() if "aebench" in line and "install" not in line]

    assert commands() == ["cd . && aebench run "]
    selected = ["aebench workspace own", 'cd own && aebench select --models "pca ae"', "cd own && aebench run "]
    assert [" ".join(line.split()) for line in commands("MODELS=pca ae")] == [line.strip() for line in selected]
    assert not [line for line in commands("MODELS=pca", "FOLDER=.") if "workspace" in line or "own" in line]
