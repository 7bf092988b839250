"""dvc.lock: what it says of a run, and how it tells of the suite's data sets alone."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from aebench.errors import InputError
from aebench.lock import LOCK, Lock, beside, settle
from aebench.params import read_yaml


def said(command, **outs):
    return {
        "cmd": f"python -m stages.{command}",
        "deps": [{"path": "data/x.npz", "hash": "md5", "md5": "d", "size": 1}],
        "params": {"params.yaml": {"suite.seeds": [0, 1]}},
        "outs": [{"path": path.replace("__", "/").replace("_dot_", "."), "md5": md5} for path, md5 in outs.items()],
    }


STAGES = {
    "check": said("check", runs__code="c"),
    "prepare@digits": said("prepare digits", data__digits="p"),
    "train@digits-ae": said("train digits ae", digits__w="a1", digits__cost_dot_json="a2"),
    "report@digits": said("report digits", reports__digits="r"),
    "prepare@digits-small": said("prepare digits-small", data__small="q"),
    "train@digits-small-ae": said("train digits-small ae", small__w="b"),
    "train@mnist-ae": said("train mnist ae", mnist__w="m"),
    "index": said("index", reports__index_dot_html="i"),
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


def test_dvc_lock_tells_of_the_suites_data_sets_and_the_rest_lies_beside_its_reports(project):
    settle(["digits"])
    assert names() == {"check", "prepare@digits", "train@digits-ae", "report@digits", "index"}
    assert names(beside("digits-small")) == {"prepare@digits-small", "train@digits-small-ae"}
    assert names(beside("mnist")) == {"train@mnist-ae"}
    assert Lock.read().stages == STAGES
    assert set(Lock.read(["mnist"]).stages) == names() | {"train@mnist-ae"}


def test_a_data_set_that_is_named_again_comes_back(project):
    settle(["digits"])
    settle(["mnist", "digits-small"])
    assert names() == {"check", "index", "prepare@digits-small", "train@digits-small-ae", "train@mnist-ae"}
    assert Lock.read().stages == STAGES
    settle(["digits", "digits-small", "mnist"])
    assert read_yaml(LOCK)["stages"] == STAGES
    assert not list(Path("reports").rglob("dvc.lock*"))


def test_what_dvc_lock_says_is_later(project):
    settle(["digits"])
    again = {"train@mnist-ae": said("train mnist ae", mnist__w="again")}
    write({name: read_yaml(LOCK)["stages"][name] for name in names()} | again)  # `dvc repro` after an edit of params.yaml
    assert Lock.read().written["mnist/w"] == ("train", "again")
    settle(["mnist"])
    assert read_yaml(LOCK)["stages"]["train@mnist-ae"] == again["train@mnist-ae"]
    settle(["digits"])
    assert read_yaml(beside("mnist"))["stages"] == again


def test_rows_that_lie_beside_a_report_stay_when_others_join_them(project):
    settle(["digits"])
    write({"train@mnist-vae": said("train mnist vae", mnist__v="v")})
    settle(["digits"])
    assert names(beside("mnist")) == {"train@mnist-ae", "train@mnist-vae"}


def test_nothing_is_written_where_nothing_moves(project):
    settle(["digits"])
    before = LOCK.stat().st_mtime_ns
    settle(["digits"])
    assert LOCK.stat().st_mtime_ns == before


def test_outside_dvc_nothing_is_known_and_nothing_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settle(["digits"])
    assert Lock.read().stages == {} and Lock.read().fingerprint("digits") == "no lock"
    assert not list(tmp_path.iterdir())


def test_it_is_written_as_dvc_writes_it(project):
    """So that DVC, which rewrites it after a stage, changes only the lines of that stage."""
    serialize = pytest.importorskip("dvc.utils.serialize")
    settle(["digits"])
    before = LOCK.read_text()
    with serialize.modify_yaml(str(LOCK)):
        pass
    assert LOCK.read_text() == before


def test_a_lock_without_stages_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("dvc.lock").write_text("schema: '2.0'\n")
    with pytest.raises(InputError, match=r"dvc\.lock must have stages, got none"):
        Lock.read()


def test_the_fingerprint_changes_with_results_not_with_seconds(project):
    first = Lock.read().fingerprint("digits")

    def fingerprint(**outs):
        write(STAGES | {"train@digits-ae": said("train digits ae", **outs)})
        return Lock.read().fingerprint("digits")

    assert fingerprint(digits__w="a1", digits__cost_dot_json="later") == first
    assert fingerprint(digits__w="a1", digits__cost_dot_json="a2", digits__layers="later") == first
    assert fingerprint(digits__w="other", digits__cost_dot_json="a2") != first
    assert Lock.read().fingerprint("mnist") != first and Lock.read().fingerprint("other") == "no lock"


def test_the_entries_of_a_stage_that_is_gone_are_not_current(project):
    write({"probe@digits-ae": said("probe digits ae", digits__w="old")} | STAGES)
    assert [entry.stage for entry in Lock.read().current("digits", ["ae"])] == ["prepare", "train", "report"]
    assert [entry.stage for entry in Lock.read().current("digits")] == ["prepare", "report"]
    assert [entry.stage for entry in Lock.read().current("")] == ["check", "index"]
