"""dvc.lock: parsing, fingerprints, the archive of data sets outside the suite, and repair after an interruption."""

import os
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from aebench.errors import InputError
from aebench.pipeline import repair
from aebench.storage import read_yaml
from aebench.storage.lock import LOCK, Lock, archive, archive_other_datasets, checksum


def entry(command, **outs):
    return {
        "cmd": f"python -m stages.{command}",
        "deps": [{"path": "data/x.npz", "hash": "md5", "md5": "d", "size": 1}],
        "params": {"params.yaml": {"suite.seeds": [0, 1]}},
        "outs": [{"path": path.replace("__", "/").replace("_dot_", "."), "md5": md5} for path, md5 in outs.items()],
    }


STAGES = {
    "check": entry("check", runs__code="c"),
    "prepare@digits": entry("prepare digits", data__digits="p"),
    "train@digits-ae": entry("train digits ae", digits__w="a1", digits__cost_dot_json="a2"),
    "report@digits": entry("report digits", reports__digits="r"),
    "prepare@digits-small": entry("prepare digits-small", data__small="q"),
    "train@digits-small-ae": entry("train digits-small ae", small__w="b"),
    "train@mnist-ae": entry("train mnist ae", mnist__w="m"),
    "index": entry("index", reports__index_dot_html="i"),
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(STAGES)


def write(stages, file=LOCK):
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as stream:
        YAML().dump({"schema": "2.0", "stages": stages}, stream)


def names(file=LOCK):
    return set(read_yaml(file)["stages"])


# The archive


def test_data_sets_outside_the_suite_are_archived_beside_their_reports(project):
    archive_other_datasets(["digits"])
    assert names() == {"check", "prepare@digits", "train@digits-ae", "report@digits", "index"}
    assert names(archive("digits-small")) == {"prepare@digits-small", "train@digits-small-ae"}
    assert names(archive("mnist")) == {"train@mnist-ae"}
    assert Lock.read().stages == STAGES
    assert set(Lock.read(["mnist"]).stages) == names() | {"train@mnist-ae"}


def test_an_archived_data_set_is_restored_when_the_suite_names_it_again(project):
    archive_other_datasets(["digits"])
    archive_other_datasets(["mnist", "digits-small"])
    assert names() == {"check", "index", "prepare@digits-small", "train@digits-small-ae", "train@mnist-ae"}
    assert Lock.read().stages == STAGES
    archive_other_datasets(["digits", "digits-small", "mnist"])
    assert read_yaml(LOCK)["stages"] == STAGES
    assert not list(Path("reports").rglob("dvc.lock*"))


def test_an_entry_in_dvc_lock_replaces_the_archived_one(project):
    archive_other_datasets(["digits"])
    again = {"train@mnist-ae": entry("train mnist ae", mnist__w="again")}
    write({name: read_yaml(LOCK)["stages"][name] for name in names()} | again)  # `dvc repro` after an edit of params.yaml
    assert Lock.read().written["mnist/w"] == ("train", "again")
    archive_other_datasets(["mnist"])
    assert read_yaml(LOCK)["stages"]["train@mnist-ae"] == again["train@mnist-ae"]
    archive_other_datasets(["digits"])
    assert read_yaml(archive("mnist"))["stages"] == again


def test_archived_models_stay_when_others_join_them(project):
    archive_other_datasets(["digits"])
    write({"train@mnist-vae": entry("train mnist vae", mnist__v="v")})
    archive_other_datasets(["digits"])
    assert names(archive("mnist")) == {"train@mnist-ae", "train@mnist-vae"}


def test_dvc_lock_is_not_rewritten_without_need(project):
    archive_other_datasets(["digits"])
    before = LOCK.stat().st_mtime_ns
    archive_other_datasets(["digits"])
    assert LOCK.stat().st_mtime_ns == before


def test_without_dvc_there_are_no_stages_and_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    archive_other_datasets(["digits"])
    assert Lock.read().stages == {} and Lock.read().fingerprint("digits") == "no lock"
    assert not list(tmp_path.iterdir())


def test_the_format_is_that_of_dvc(project):
    """DVC rewrites the file after each stage; only the lines of that stage should change."""
    serialize = pytest.importorskip("dvc.utils.serialize")
    archive_other_datasets(["digits"])
    before = LOCK.read_text()
    with serialize.modify_yaml(str(LOCK)):
        pass
    assert LOCK.read_text() == before


# Entries


def test_a_lock_without_stages_is_an_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("dvc.lock").write_text("schema: '2.0'\n")
    with pytest.raises(InputError, match=r"dvc\.lock must have stages, got none"):
        Lock.read()


def test_the_fingerprint_changes_with_results_but_not_with_wall_times(project):
    first = Lock.read().fingerprint("digits")

    def fingerprint(**outs):
        write(STAGES | {"train@digits-ae": entry("train digits ae", **outs)})
        return Lock.read().fingerprint("digits")

    assert fingerprint(digits__w="a1", digits__cost_dot_json="later") == first
    assert fingerprint(digits__w="a1", digits__cost_dot_json="a2", digits__layers="later") == first
    assert fingerprint(digits__w="other", digits__cost_dot_json="a2") != first
    assert Lock.read().fingerprint("mnist") != first and Lock.read().fingerprint("other") == "no lock"


def test_entries_of_renamed_stages_are_not_current(project):
    write({"probe@digits-ae": entry("probe digits ae", digits__w="old")} | STAGES)
    assert [e.stage for e in Lock.read().current("digits", ["ae"])] == ["prepare", "train", "report"]
    assert [e.stage for e in Lock.read().current("digits")] == ["prepare", "report"]
    assert [e.stage for e in Lock.read().current("")] == ["check", "index"]


def test_checksums_are_those_of_dvc(tmp_path):
    build = pytest.importorskip("dvc_data.hashfile.build").build
    from dvc_data.hashfile.db import HashFileDB
    from dvc_objects.fs.local import LocalFileSystem

    folder = tmp_path / "folder"
    for name in ("a/2.txt", "a-b.txt", "a/1.txt", "b.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    files = LocalFileSystem()
    for path in (folder, folder / "b.txt"):
        assert checksum(path) == build(HashFileDB(files, str(tmp_path / "db")), str(path), files, "md5")[2].hash_info.value
    assert checksum(tmp_path / "missing") == ""


# Repair


@pytest.mark.parametrize("committed", [True, False])
def test_files_truncated_by_an_interrupted_run_are_repaired(project, committed):
    subprocess.run(["git", "init", "-q"], check=True)
    before = LOCK.read_text()
    if committed:
        subprocess.run("git add . && git -c user.name=a -c user.email=a@b commit -qm a", shell=True, check=True)
    assert repair.repair() == []
    repair.RWLOCK.parent.mkdir(parents=True)
    repair.RWLOCK.write_text("")
    LOCK.write_text(before[: len(before) // 2] + "\n  truncated: [")
    assert repair.repair() == [repair.RWLOCK, LOCK]
    assert not repair.RWLOCK.exists()
    assert (LOCK.read_text() if LOCK.exists() else "") == (before if committed else "")


def test_a_lock_with_conflicts_of_a_merge_is_kept(project):
    commit = "git -c user.name=a -c user.email=a@b commit -qam a"
    subprocess.run(f"git init -q && git add . && {commit} && git checkout -qb other", shell=True, check=True)
    write(STAGES | {"check": entry("check", runs__code="theirs")})
    subprocess.run(f"{commit} && git checkout -q -", shell=True, check=True)
    write(STAGES | {"check": entry("check", runs__code="ours")})
    subprocess.run(f"{commit} && ! git merge other", shell=True, check=True, capture_output=True)
    before = LOCK.read_text()
    with pytest.raises(InputError, match=r"dvc.lock must be of one revision, got conflicts of a merge: .* --ours dvc.lock"):
        repair.repair()
    assert LOCK.read_text() == before and "theirs" in before


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read every file")
def test_a_lock_that_may_not_be_read_is_kept(project):
    LOCK.chmod(0)
    with pytest.raises(PermissionError):
        repair.repair()
    assert LOCK.exists()
