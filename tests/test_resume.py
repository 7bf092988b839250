"""A training run that is killed at any moment is resumed bit for bit, and only from its own checkpoint."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
import torch
from family import images, make_ensemble, random_images, settings
from project import ROOT

from aebench.models import Images
from aebench.training.checkpoint import Checkpoint
from aebench.training.minimise import TrainingLoop, minimise

SETTINGS = settings(epochs=12, learning_rate=0.1, patience=3, schedule="cosine")


def outcome(ensemble, history):
    return ensemble.state, {name: torch.tensor(values) for name, values in history.terms.items()}, history.best.tolist()


def same(a, b):
    return (
        all(
            x.keys() == y.keys() and all(torch.equal(x[n].nan_to_num(-1), y[n].nan_to_num(-1)) for n in x)
            for x, y in zip(a[:2], b[:2], strict=True)
        )
        and list(a[1]) == list(b[1])
        and a[2:] == b[2:]
    )


class Killed(Exception):
    pass


@pytest.mark.parametrize("kind", ["vanilla", "denoising", "contractive/hutchinson", "variational", "stacked"])
@pytest.mark.parametrize("epoch", [1, 4, 7])
def test_a_resumed_training_run_equals_an_uninterrupted_one_bit_for_bit(kind, epoch, tmp_path, monkeypatch):
    kill_and_resume(kind, images(), epoch, tmp_path, monkeypatch)


def test_resume_with_images_by_seed_and_no_validation_images(tmp_path, monkeypatch):
    own = torch.stack([random_images(112, seed=10 + seed) for seed in range(3)])
    kill_and_resume("denoising", Images(own, own[:, :0]), 4, tmp_path, monkeypatch)


@pytest.mark.parametrize("kind", ["vanilla", "denoising"])
def test_resume_after_some_seeds_have_stopped(kind, tmp_path, monkeypatch):
    assert 0 < len(kill_and_resume(kind, images(), 10, tmp_path, monkeypatch)) < 3


def test_resume_with_images_by_seed_after_some_seeds_have_stopped(tmp_path, monkeypatch):
    own, others = (torch.stack([random_images(n, seed=10 + seed) for seed in range(3)]) for n in (112, 32))
    stopped = kill_and_resume("vanilla", Images(own, others), 9, tmp_path, monkeypatch)
    assert 0 < len(stopped) < 3


def test_resume_with_another_number_of_threads(tmp_path, monkeypatch):
    kill_and_resume("denoising", images(), 4, tmp_path, monkeypatch, threads=(2, 3))
    kill_and_resume("denoising", images(), 10, tmp_path, monkeypatch, threads=(3, 1))


def kill_and_resume(kind, data, epoch, tmp_path, monkeypatch, threads=(1, 1)):
    """Kill a training run before `epoch`, resume it and compare it with an uninterrupted run.

    Returns the seeds that have stopped before `epoch`.
    """
    uninterrupted = make_ensemble(kind, (0, 1, 2))
    history = minimise(uninterrupted, data, SETTINGS)
    expected, stopped = outcome(uninterrupted, history), (history.updates < 4 * (epoch + 1)).nonzero()[0]

    path = tmp_path / "checkpoint.safetensors"
    run_epoch = TrainingLoop.run_epoch

    def die(self):
        if self.epoch == epoch:
            raise Killed
        run_epoch(self)

    monkeypatch.setattr(TrainingLoop, "run_epoch", die)
    with pytest.raises(Killed):
        before = SETTINGS.model_copy(update={"threads": threads[0]})
        minimise(make_ensemble(kind, (0, 1, 2)), data, before, Checkpoint(path, "this", seconds=0))
    monkeypatch.setattr(TrainingLoop, "run_epoch", run_epoch)
    assert path.exists()

    epochs = []
    monkeypatch.setattr(TrainingLoop, "run_epoch", lambda self: (epochs.append(self.epoch), run_epoch(self)))
    resumed = make_ensemble(kind, (0, 1, 2))
    after = SETTINGS.model_copy(update={"threads": threads[1]})
    history = minimise(resumed, data, after, Checkpoint(path, "this", seconds=0))
    assert epochs[0] == epoch
    assert same(outcome(resumed, history), expected)
    assert not path.exists()
    return stopped


def test_a_checkpoint_of_another_training_run_is_not_resumed(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.safetensors"
    loop = TrainingLoop(make_ensemble("vanilla"), images(), SETTINGS)
    loop.run_epoch()
    Checkpoint(path, {"learning_rate": 1}, seconds=0).save_if_due(loop)
    fresh = TrainingLoop(make_ensemble("vanilla"), images(), SETTINGS)
    Checkpoint(path, {"learning_rate": 2}).restore(fresh)
    assert fresh.epoch == 0
    Checkpoint(path, {"learning_rate": 1}).restore(fresh)
    assert fresh.epoch == 1


def test_the_seconds_of_interrupted_processes_are_counted(tmp_path, monkeypatch):
    path, clock = tmp_path / "checkpoint.safetensors", [100.0]
    monkeypatch.setattr("aebench.training.checkpoint.time.monotonic", lambda: clock[0])
    for spent in (7.0, 5.0):
        ensemble = make_ensemble("vanilla")
        loop, saved = TrainingLoop(ensemble, images(), SETTINGS), Checkpoint(path, "this", seconds=0)
        saved.restore(loop)
        loop.run_epoch()
        clock[0] += spent
        saved.save_if_due(loop)
    assert minimise(make_ensemble("vanilla"), images(), SETTINGS, Checkpoint(path, "this")).earlier == 12.0
    assert minimise(make_ensemble("vanilla"), images(), SETTINGS, Checkpoint(path, "this")).earlier == 0.0


def test_only_the_checkpoints_of_a_task_and_its_parts_are_removed(tmp_path):
    one, other = (Checkpoint(tmp_path / f"s-ae={value}.safetensors", "x") for value in ("1", "1.5"))
    parts = [one.part([5]), other.part([5])]
    for each in (one, other, *parts):
        each.path.touch()
    one.remove()
    assert set(tmp_path.iterdir()) == {other.path, parts[1].path}


def test_checkpoints_are_saved_at_most_every_n_seconds(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    loop = TrainingLoop(make_ensemble("vanilla"), images(), SETTINGS)
    loop.run_epoch()
    Checkpoint(path, "this", seconds=1000).save_if_due(loop)
    assert not path.exists()


def test_resume_after_sigkill(tmp_path):
    """A process killed while it trains, and a second one that resumes, give the result of an uninterrupted process."""
    program = textwrap.dedent("""
        import sys, torch
        from pathlib import Path
        from family import images, make_ensemble, settings
        from aebench.training.checkpoint import Checkpoint
        from aebench.training.minimise import minimise
        torch.set_num_threads(1)
        ensemble = make_ensemble("denoising", (0, 1))
        minimise(ensemble, images(), settings(epochs=int(sys.argv[2])), Checkpoint(Path(sys.argv[1]), "x", seconds=0))
        print(sum(value.double().abs().sum().item() for value in ensemble.state.values()).hex())
    """)
    env = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (ROOT / "tests", ROOT)))}

    def start(name, epochs):
        command = [sys.executable, "-c", program, str(tmp_path / name), str(epochs)]
        errors = (tmp_path / "errors").open("a")
        return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=errors, text=True)

    expected = start("uninterrupted", 200).communicate()[0]
    victim = start("killed", 200)
    while not (tmp_path / "killed").exists():
        assert victim.poll() is None, (tmp_path / "errors").read_text()  # it has not finished unnoticed
        time.sleep(0.01)
    time.sleep(0.2)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    assert victim.stdout.read() == ""
    assert (tmp_path / "killed").exists()
    assert start("killed", 200).communicate()[0] == expected != ""


def test_seeds_are_part_of_the_identity_of_a_training_run(monkeypatch):
    """A defect of other implementations: a run with another seed was resumed."""
    from aebench import config, storage
    from aebench.training.run import TrainingRun

    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(storage, "load_dimensions", lambda dataset: ((), 0))
    monkeypatch.setattr(storage, "sha256", lambda file: "equal")
    origins = []
    for seeds in ([0, 1], [0, 2]):
        suite = config.Suite(datasets=["smoke"], models=["ae"], seeds=seeds)
        monkeypatch.setattr(config, "suite", lambda suite=suite: suite)
        origins.append(TrainingRun("smoke", "ae").origin)
    assert origins[0] != origins[1]
