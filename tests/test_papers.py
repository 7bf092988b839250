"""Papers: runs in miniature on digits, and how an interrupted one is resumed."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_papers import PAPER, lines, write

from aebench import papers, storage
from aebench.papers import run as runs
from aebench.papers.run import run


def counted(monkeypatch):
    """The names of runs that are computed, in order."""
    names, original = [], runs.PaperRun.compute
    monkeypatch.setattr(runs.PaperRun, "compute", lambda job, identity: (names.append(job.name), original(job, identity))[1])
    return names


def test_a_paper_is_trained_with_its_own_settings_and_measured_on_test_images(small_paper, monkeypatch):
    trained = []
    original = runs.minimise
    monkeypatch.setattr(runs, "minimise", lambda *args, **kw: (original(*args, **kw), trained.append(args))[0])
    run("small")
    (ensemble, images, training, _) = trained[0]
    assert (training.epochs, training.batch_size, ensemble.seeds) == (3, 100, [3, 5])
    assert (len(images.train), len(images.validation)) == (997, 400)
    values = lines()
    assert set(values) == {("pca", m, 3) for m in ("sse", "knn_3_error")} | {
        ("ae", m, s) for m in ("sse", "linear_probe_error") for s in (3, 5)
    }
    read = runs.Data.read(papers.find("small"), "data")
    test = torch.from_numpy(read.splits["test"].images)
    for seed, replica in zip((3, 5), ensemble.replicas(), strict=True):
        by_hand = float((test - replica("decode", replica("encode", test))).square().sum(1).mean())
        np.testing.assert_allclose(values["ae", "sse", seed], by_hand, rtol=1e-5)


def test_seeds_trained_together_give_what_each_gives_alone(small_paper):
    run("small")
    together = lines()
    write(seeds=[5])
    run("small")
    assert lines()["ae", "sse", 5] == pytest.approx(together["ae", "sse", 5], rel=1e-6)


def test_runs_side_by_side_give_the_same_results(small_paper):
    run("small")
    alone = lines()
    for file in storage.CHECKPOINTS.rglob("*.json"):
        file.unlink()
    write(compute={"processes": 2})
    run("small")
    assert lines() == alone


def test_finished_runs_are_not_repeated_until_their_own_settings_change(small_paper, monkeypatch):
    computed = counted(monkeypatch)
    run("small")
    first = lines()
    run("small")
    assert computed == ["pca", "ae"] and lines() == first
    write(title="Another title", rows=PAPER["rows"][:1])
    run("small")
    assert computed == ["pca", "ae"]
    changed = json.loads(json.dumps(PAPER["runs"]))
    changed["ae"]["model"]["latent_dim"] = 5
    write(runs=changed)
    run("small")
    assert computed == ["pca", "ae", "ae"] and lines() != first


@pytest.mark.parametrize("changes", [{"seeds": [3]}, {"data": PAPER["data"] | {"split_seed": 1}}])
def test_other_seeds_or_data_repeat_all_runs(small_paper, monkeypatch, changes):
    computed = counted(monkeypatch)
    run("small")
    write(**changes)
    run("small")
    assert computed == ["pca", "ae"] * 2


def test_a_reproduction_that_is_killed_goes_on_with_the_same_results(small_paper, monkeypatch):
    """The process ends while the second run is measured: neither the first run nor the training of the second is repeated."""
    write("whole")
    run("whole")
    computed, measure = counted(monkeypatch), runs.PaperRun.measure

    def fail_once(job, trained):
        if job.name == "ae":
            monkeypatch.setattr(runs.PaperRun, "measure", measure)
            raise KeyboardInterrupt
        return measure(job, trained)

    monkeypatch.setattr(runs.PaperRun, "measure", fail_once)
    with pytest.raises(KeyboardInterrupt):
        run("small")
    assert not storage.paper_file("small").exists()
    monkeypatch.setattr("aebench.training.seed_group.SeedGroup._train", None)
    run("small")
    assert computed == ["pca", "ae", "ae"]
    assert lines("small") == lines("whole")
    assert not list(storage.CHECKPOINTS.rglob("*.safetensors"))


def test_the_identity_of_a_run_changes_with_settings_seeds_code_and_data(small_paper, monkeypatch):
    def identity(**changes):
        write(**changes)
        paper = papers.find("small")
        read = runs.Data.read(paper, "data")
        return runs.PaperRun(paper, "ae", paper.runs["ae"], read, Path("x"), "runs.ae.model").identity

    digits = PAPER["data"]
    changed = [
        identity(),
        identity(seeds=[3, 6]),
        identity(training=PAPER["training"] | {"epochs": 4}),
        identity(data=digits | {"split_seed": 7}),
        identity(data=digits | {"binarised": "static"}),
        identity(data=digits | {"binarised": "dynamic"}),
    ]
    with monkeypatch.context() as patch:
        patch.setattr(runs, "code_hashes", lambda *modules: {"aebench": "another"})
        changed.append(identity())
    assert len(set(changed)) == len(changed) and changed[0] == identity()


def test_the_hash_of_data_covers_images_labels_and_probabilities(small_paper, monkeypatch):
    paper, original = papers.find("small"), runs.divide

    def digest(change):
        with monkeypatch.context() as patch:
            patch.setattr(runs, "divide", lambda *args: {name: change(split) for name, split in original(*args).items()})
            return runs.Data.read(paper, "data").digest

    changes = [
        lambda split: split,
        lambda split: replace(split, images=split.images[:, ::-1].copy()),
        lambda split: replace(split, labels=split.labels[::-1].copy()),
        lambda split: replace(split, probabilities=split.images),
        lambda split: replace(split, probabilities=split.images / 2),
    ]
    assert len({digest(change) for change in changes}) == len(changes) and digest(changes[0]) == digest(changes[0])
