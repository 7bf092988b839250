"""A full disk and a place that may only be read: one line, and the last good state stays."""

import errno
import os
import re
import resource
import shutil
import subprocess
import sys

import pytest
from project import clone
from test_runner import PROGRAM, Pipeline, layers, stage

from aebench import cli

pytestmark = pytest.mark.skipif(os.name == "nt", reason="file systems of Unix")
PADS = (0, 16, 100, 300, 2000)
"""Free kilobytes with which the project is run on a full disk."""
TEMPORARY = re.compile(r"(.*/)?\.[\w-]{22}\.tmp")
"""An empty file that DVC leaves beside an output if it cannot copy this output for lack of space."""


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own, in memory; mounting one needs root."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", folder], capture_output=True, check=False).returncode:
        pytest.skip("may not mount a file system")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(disk, left):
    """Fill a disk up to `left` kilobytes; returns the file that does so."""
    pad = disk / "pad"
    pad.write_bytes(bytes(max(0, shutil.disk_usage(disk).free - 1024 * left)))
    return pad


def errors(output):
    return [line for line in output.splitlines() if line.startswith("error: ")]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EFBIG])
def test_an_error_of_the_disk_is_one_line(monkeypatch, capsys, code):
    def fail(arguments):
        raise OSError(code, os.strerror(code), "runs/a.csv")

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as exited:
        cli.main()
    constraint = "readable, writable and on a disk with free space"
    assert exited.value.code == 1
    assert capsys.readouterr().err == f"error: runs/a.csv must be {constraint}, got: {os.strerror(code)}\n"


def test_other_errors_of_the_system_keep_their_traceback(monkeypatch):
    def fail(arguments):
        raise OSError(errno.EIO, "I/O error")

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(OSError, match="I/O error"):
        cli.main()


@pytest.mark.parametrize(
    "left", [pytest.param(0, marks=pytest.mark.reliability), pytest.param(8, marks=pytest.mark.slow)], ids=lambda n: f"{n} KB"
)
def test_a_full_disk_leaves_the_last_good_state(small_disk, tmp_path, left):
    disturbed, undisturbed = (Pipeline(folder / "p", layers(3, 3)) for folder in (small_disk, tmp_path))
    for pipeline in (disturbed, undisturbed):
        pipeline.run()
        (pipeline.folder / "source").write_text("other\n")
    undisturbed.run()
    pad = fill(small_disk, left)
    output = disturbed.run(status=None)
    assert "Traceback" not in output and (errors(output) or left > 0), output
    pad.unlink()
    disturbed.run()
    (files, lock), (expected, expected_lock) = disturbed.results(), undisturbed.results()
    files = {name: content for name, content in files.items() if content or not TEMPORARY.fullmatch(name)}
    assert {name: files.get(name) for name in files.keys() | expected if files.get(name) != expected.get(name)} == {}
    assert lock == expected_lock and disturbed.is_up_to_date()


@pytest.mark.reliability
def test_a_stage_whose_file_is_too_large_fails_in_one_line_and_its_output_is_not_kept(tmp_path):
    """A limit on the size of files, for systems that do not permit mounting."""
    pipeline = Pipeline(tmp_path / "p", stage("a") | stage("b", "a", command="head -c 9000000 /dev/zero > b"))
    command = [sys.executable, "-c", PROGRAM, "2"]
    limit = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2**22, 2**22))}
    done = subprocess.run(
        command, cwd=pipeline.folder, env=pipeline.environment, capture_output=True, text=True, check=False, **limit
    )
    output = done.stdout + done.stderr
    assert done.returncode == 1 and "Traceback" not in output
    assert len(errors(output)) == 1 and errors(output)[0].startswith("error: b: ")
    assert "1 unchanged" in pipeline.run() and pipeline.is_up_to_date()


READING = (["table"], ["verify"], ["list"], ["compare", "smoke/ae", "smoke/pca"], ["table", "smoke", "--models", "pca ae"])
WRITING = (["run"], ["select", "--seeds", "0 1 2"], ["tune", "smoke"], ["new-model", "mine"], ["export", "smoke/ae", "out"])


@pytest.mark.reliability
def test_the_project_on_a_full_and_on_a_read_only_disk(small_disk, tried):
    project = clone(small_disk / "p", models="pca ae")
    project.aebench("run")
    settings = project.folder / "conf/smoke.yaml"
    for i, left in enumerate(PADS):
        settings.write_text(settings.read_text().replace(f"epochs: {2 + i}\n", f"epochs: {3 + i}\n"))
        pad = fill(small_disk, left)
        output = project.aebench("run", status=None)
        assert "Traceback" not in output and (errors(output) or "report: " in output), output
        pad.unlink()
        assert "Traceback" not in project.aebench("verify", status=None)
        project.aebench("run")
        assert project.dvc_json("status", "--json") == {} and "verified" in project.aebench("verify")
    before = {path: path.read_bytes() for path in project.folder.rglob("*") if path.is_file() and ".git" not in path.parts}
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    quiet = {"PYTHONDONTWRITEBYTECODE": "1"}
    for command in READING:
        project.aebench(*command, **quiet)
    for command in WRITING:
        output = project.aebench(*command, status=1, **quiet)
        assert "Traceback" not in output and len(errors(output)) == 1 and "Read-only file system" in output, output
    assert all(path.read_bytes() == content for path, content in before.items())
    tried(
        "runs on a disk with 0 to 2,000 KB left",
        len(PADS),
        "one line each; the next run gave the results of an undisturbed one",
    )
    tried("commands on a read-only disk", len(READING) + len(WRITING), "reading works, writing fails with a one-line error")


PLACES = ("a b", "Größe 数据 données", "it's", "(x) & [y]", "100%", "$HOME", "-x", "a;b", "#1", "ünï'\"q")


@pytest.mark.reliability
def test_folders_with_spaces_and_other_alphabets(tmp_path, tried):
    for name in PLACES:
        project = clone(tmp_path / name / "p", models="pca", seeds="0")
        assert "report: " in project.aebench("run") and project.dvc_json("status", "--json") == {}
        assert "verified" in project.aebench("verify")
        shutil.rmtree(tmp_path / name)
    tried("projects in folders with spaces, quotes, signs of shells and other alphabets", len(PLACES), "all ran and verified")


@pytest.mark.reliability
def test_a_pipeline_in_a_folder_with_spaces_and_other_alphabets(tmp_path):
    pipeline = Pipeline(tmp_path / "Größe 数据 'a b' $HOME;x%" / "p", layers(2, 2))
    pipeline.run()
    assert pipeline.is_up_to_date()


def test_data_in_a_folder_with_spaces_and_other_alphabets(empty_folder):
    from data_files import HELD, as_csv, as_folder, as_npz, prepared

    expected = prepared(as_npz() | HELD, "expected")["train"].images
    for name in PLACES[1::3]:
        (empty_folder / name).mkdir()
        for settings in (as_npz(), as_csv()):
            shutil.move(settings["path"], empty_folder / name)
            split = prepared(HELD | settings | {"path": f"{name}/{settings['path']}"})["train"]
            assert (split.images == expected).all()
        folder = as_folder(name=f"{name}/pictures")
        assert (prepared(HELD | folder)["train"].images == expected).all()
