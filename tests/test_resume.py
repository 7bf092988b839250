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
from family import ensemble, images, settings

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
        and a[2:] == b[2:]
    )


class Killed(Exception):
    pass


@pytest.mark.parametrize("kind", ["vanilla", "denoising"])
@pytest.mark.parametrize("epoch", [1, 4, 7])
def test_interrupted_and_resumed_is_bit_for_bit_uninterrupted(kind, epoch, tmp_path, monkeypatch):
    whole = ensemble(kind, (0, 1, 2))
    expected = outcome(whole, minimise(whole, images(), SETTINGS))

    path = tmp_path / "checkpoint.safetensors"
    run_epoch = Descent.run_epoch

    def die(self):
        if self.epoch == epoch:
            raise Killed
        run_epoch(self)

    monkeypatch.setattr(Descent, "run_epoch", die)
    with pytest.raises(Killed):
        minimise(ensemble(kind, (0, 1, 2)), images(), SETTINGS, Checkpoint(path, "this", seconds=0))
    monkeypatch.setattr(Descent, "run_epoch", run_epoch)
    assert path.exists()

    epochs = []
    monkeypatch.setattr(Descent, "run_epoch", lambda self: (epochs.append(self.epoch), run_epoch(self)))
    resumed = ensemble(kind, (0, 1, 2))
    history = minimise(resumed, images(), SETTINGS, Checkpoint(path, "this", seconds=0))
    assert epochs[0] == epoch
    assert same(outcome(resumed, history), expected)
    assert not path.exists()


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
