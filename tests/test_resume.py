"""A training killed at any moment goes on bit for bit; another training's checkpoint is not taken for one's own."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import torch
from family import ensemble, images, pictures, settings

from aebench.models import Images
from aebench.training.checkpoint import Checkpoint
from aebench.training.minimise import Descent, minimise

SETTINGS = settings(epochs=12, learning_rate=0.1, patience=3, schedule="cosine")


def outcome(family, history):
    return family.state, {name: torch.tensor(values) for name, values in history.terms.items()}, history.best.tolist()


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
def test_interrupted_and_resumed_is_bit_for_bit_uninterrupted(kind, epoch, tmp_path, monkeypatch):
    kill_and_resume(kind, images(), epoch, tmp_path, monkeypatch)


def test_also_with_images_of_each_seeds_own_and_none_to_validate_by(tmp_path, monkeypatch):
    own = torch.stack([pictures(112, seed=10 + seed) for seed in range(3)])
    kill_and_resume("denoising", Images(own, own[:, :0]), 4, tmp_path, monkeypatch)


@pytest.mark.parametrize("kind", ["vanilla", "denoising"])
def test_also_after_some_seeds_have_stopped(kind, tmp_path, monkeypatch):
    assert 0 < len(kill_and_resume(kind, images(), 10, tmp_path, monkeypatch)) < 3


def test_also_with_images_of_each_seeds_own_after_some_have_stopped(tmp_path, monkeypatch):
    own, others = (torch.stack([pictures(n, seed=10 + seed) for seed in range(3)]) for n in (112, 32))
    stopped = kill_and_resume("vanilla", Images(own, others), 9, tmp_path, monkeypatch)
    assert 0 < len(stopped) < 3


def kill_and_resume(kind, data, epoch, tmp_path, monkeypatch):
    """Kill a training before `epoch`, go on, and compare with one that was not killed; the seeds that had stopped by then."""
    whole = ensemble(kind, (0, 1, 2))
    history = minimise(whole, data, SETTINGS)
    expected, stopped = outcome(whole, history), (history.updates < 4 * (epoch + 1)).nonzero()[0]

    path = tmp_path / "checkpoint.safetensors"
    run_epoch = Descent.run_epoch

    def die(self):
        if self.epoch == epoch:
            raise Killed
        run_epoch(self)

    monkeypatch.setattr(Descent, "run_epoch", die)
    with pytest.raises(Killed):
        minimise(ensemble(kind, (0, 1, 2)), data, SETTINGS, Checkpoint(path, "this", seconds=0))
    monkeypatch.setattr(Descent, "run_epoch", run_epoch)
    assert path.exists()

    epochs = []
    monkeypatch.setattr(Descent, "run_epoch", lambda self: (epochs.append(self.epoch), run_epoch(self)))
    resumed = ensemble(kind, (0, 1, 2))
    history = minimise(resumed, data, SETTINGS, Checkpoint(path, "this", seconds=0))
    assert epochs[0] == epoch
    assert same(outcome(resumed, history), expected)
    assert not path.exists()
    return stopped


def test_a_checkpoint_of_another_training_is_not_resumed(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.safetensors"
    descent = Descent(ensemble("vanilla"), images(), SETTINGS)
    descent.run_epoch()
    Checkpoint(path, {"learning_rate": 1}, seconds=0).save_if_due(descent)
    fresh = Descent(ensemble("vanilla"), images(), SETTINGS)
    Checkpoint(path, {"learning_rate": 2}).restore(fresh)
    assert fresh.epoch == 0
    Checkpoint(path, {"learning_rate": 1}).restore(fresh)
    assert fresh.epoch == 1


def test_the_seconds_of_killed_processes_are_counted(tmp_path, monkeypatch):
    path, clock = tmp_path / "checkpoint.safetensors", [100.0]
    monkeypatch.setattr("aebench.training.checkpoint.time.monotonic", lambda: clock[0])
    for spent in (7.0, 5.0):
        family = ensemble("vanilla")
        descent, saved = Descent(family, images(), SETTINGS), Checkpoint(path, "this", seconds=0)
        saved.restore(descent)
        descent.run_epoch()
        clock[0] += spent
        saved.save_if_due(descent)
    assert minimise(ensemble("vanilla"), images(), SETTINGS, Checkpoint(path, "this")).earlier == 12.0
    assert minimise(ensemble("vanilla"), images(), SETTINGS, Checkpoint(path, "this")).earlier == 0.0


def test_saves_wait_their_time(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    descent = Descent(ensemble("vanilla"), images(), SETTINGS)
    descent.run_epoch()
    Checkpoint(path, "this", seconds=1000).save_if_due(descent)
    assert not path.exists()


def test_killed_by_the_system_and_started_again(tmp_path):
    """SIGKILL a real process while it trains; the second process ends as one that was never killed."""
    program = textwrap.dedent("""
        import sys, torch
        from pathlib import Path
        from family import ensemble, images, settings
        from aebench.training.checkpoint import Checkpoint
        from aebench.training.minimise import minimise
        torch.set_num_threads(1)
        family = ensemble("denoising", (0, 1))
        minimise(family, images(), settings(epochs=int(sys.argv[2])), Checkpoint(Path(sys.argv[1]), "x", seconds=0))
        print(sum(value.double().abs().sum().item() for value in family.state.values()).hex())
    """)
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}

    def start(name, epochs):
        command = [sys.executable, "-c", program, str(tmp_path / name), str(epochs)]
        return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    expected = start("whole", 200).communicate()[0]
    victim = start("killed", 200)
    while not (tmp_path / "killed").exists():
        time.sleep(0.01)
    time.sleep(0.2)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    assert victim.stdout.read() == ""
    assert (tmp_path / "killed").exists()
    assert start("killed", 200).communicate()[0] == expected != ""


def test_another_seed_is_another_training(monkeypatch):
    """A known defect of others: a resume that ignores the seed."""
    from project import ROOT

    from aebench import experiment, params, runs

    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(runs, "load_about", lambda dataset: None)
    monkeypatch.setattr(runs, "sha256", lambda file: "equal")
    origins = []
    for seeds in ([0, 1], [0, 2]):
        wanted = params.Suite(datasets=["smoke"], models=["ae"], seeds=seeds)
        monkeypatch.setattr(params, "suite", lambda wanted=wanted: wanted)
        origins.append(experiment.Experiment("smoke", "ae").origin)
    assert origins[0] != origins[1]
