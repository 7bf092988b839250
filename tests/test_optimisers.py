"""Optimisers and schedules: the same updates as torch.optim makes in float64, and what seeds, checkpoints and epochs need."""

import math

import numpy as np
import pytest
import torch
from family import PIXELS, equal, images, make_ensemble, random_images, settings
from test_resume import kill_and_resume

from aebench import config
from aebench.config import Training
from aebench.errors import InputError
from aebench.models import Images, build
from aebench.models.classifier import Classifier, labelled
from aebench.randomness import Streams
from aebench.training.ensemble import Ensemble
from aebench.training.minimise import minimise
from aebench.training.schedules import factor, one_cycle

SGD = [
    {"optimiser": "sgd", "learning_rate": 0.02},
    {"optimiser": "sgd", "learning_rate": 0.02, "momentum": 0.9},
    {"optimiser": "nesterov", "learning_rate": 0.02, "momentum": 0.9},
    {"optimiser": "sgd", "learning_rate": 0.02, "momentum": 0.5, "weight_decay": 0.3},
    {"weight_decay": 0.3},
    {"schedule": "one_cycle"},
]
"""Training settings that differ from the defaults."""


def torch_optimiser(training, model):
    """The optimiser of plain PyTorch, whose penalty is computed here and not by torch."""
    if training.optimiser == "adam":
        return torch.optim.Adam(model.parameters(), lr=training.learning_rate)
    nesterov = training.optimiser == "nesterov"
    return torch.optim.SGD(model.parameters(), lr=training.learning_rate, momentum=training.momentum, nesterov=nesterov)


@pytest.mark.parametrize("changes", SGD, ids=str)
def test_updates_are_those_of_torch_in_float64(changes):
    x, training = random_images(112).double(), settings(epochs=3, **changes)
    torch.set_default_dtype(torch.float64)
    try:
        ensemble = make_ensemble("vanilla", (4,))
        with Streams(4).initialising():
            alone = build({"kind": "vanilla", "hidden": [16], "latent_dim": 4}, PIXELS)
        minimise(ensemble, Images(x, x[:0]), training)
    finally:
        torch.set_default_dtype(torch.float32)
    optimiser = torch_optimiser(training, alone)
    schedule = None
    if training.schedule == "one_cycle":
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.01, total_steps=12, cycle_momentum=False)
    for epoch in range(3):
        order = torch.randperm(112, generator=Streams(4).torch("batches", epoch))
        for batch in order.split(32):
            optimiser.zero_grad()
            loss = sum(alone.terms(x[batch], ()).values())
            penalty = sum(p.square().sum() for p in alone.parameters() if p.ndim == 2)
            (loss + training.weight_decay / 2 * penalty).backward()
            optimiser.step()
            if schedule and optimiser.param_groups[0]["lr"] > 1e-7:
                schedule.step()
    for name, value in alone.named_parameters():
        torch.testing.assert_close(ensemble.state[name][0], value.data, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("changes", SGD, ids=str)
def test_a_seed_in_an_ensemble_equals_the_seed_alone_bit_for_bit(changes):
    training, seeds = settings(epochs=4, **changes), (5, 6, 7)
    many = make_ensemble("denoising", seeds)
    minimise(many, images(), training)
    for s, seed in enumerate(seeds):
        alone = make_ensemble("denoising", (seed,))
        minimise(alone, images(), training)
        assert equal({n: v[s] for n, v in many.state.items()}, {n: v[0] for n, v in alone.state.items()})


@pytest.mark.parametrize("changes", SGD, ids=str)
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(changes, tmp_path, monkeypatch):
    monkeypatch.setattr("test_resume.SETTINGS", settings(epochs=6, patience=3, **changes))
    kill_and_resume("denoising", images(), 3, tmp_path, monkeypatch)


def test_weights_decay_and_biases_do_not():
    """One update with the penalty differs from one without by -η λ W."""
    x, training = random_images(32), {"optimiser": "sgd", "epochs": 1, "learning_rate": 0.1}
    free, decayed, start = make_ensemble("vanilla"), make_ensemble("vanilla"), make_ensemble("vanilla").state
    minimise(free, Images(x, x[:0]), settings(**training))
    minimise(decayed, Images(x, x[:0]), settings(weight_decay=2.0, **training))
    for name, value in free.state.items():
        change = -0.1 * 2.0 * start[name] if name.endswith("weight") else torch.zeros_like(value)
        torch.testing.assert_close(decayed.state[name] - value, change, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("updates", [2, 3, 10, 47])
def test_one_cycle_is_that_of_torch(updates):
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1.0, total_steps=updates, cycle_momentum=False)
    for update in range(updates):
        assert one_cycle(update, updates) == pytest.approx(optimiser.param_groups[0]["lr"], rel=1e-12)
        optimiser.step()
        if update < updates - 1:
            schedule.step()


def test_one_cycle_rises_to_1_and_falls_to_almost_0():
    factors = [one_cycle(update, 1000) for update in range(1000)]
    assert factors[0] == pytest.approx(1 / 25) and max(factors) == factors[299] == 1 and factors[-1] == pytest.approx(4e-6)
    assert np.all(np.diff(factors[:300]) > 0) and np.all(np.diff(factors[299:]) < 0)


@pytest.mark.parametrize("epochs", [1, 7])
def test_constant_and_cosine_do_not_change_within_an_epoch(epochs):
    for epoch in range(epochs):
        for batch in range(5):
            assert factor(settings(epochs=epochs), epoch, batch, 5) == 1.0
            expected = (1 + math.cos(math.pi * epoch / epochs)) / 2
            assert factor(settings(epochs=epochs, schedule="cosine"), epoch, batch, 5) == expected


@pytest.mark.parametrize("schedule", ["cosine", "one_cycle"])
def test_the_learning_rate_of_every_update_follows_the_schedule_from_the_first_epoch(schedule, monkeypatch):
    """The rates with which the optimiser steps, in 3 epochs of 4 batches."""
    training, rates, step = settings(epochs=3, schedule=schedule, learning_rate=0.02), [], torch.optim.Adam.step

    def record(self, *args):
        rates.append(self.param_groups[0]["lr"])
        return step(self, *args)

    monkeypatch.setattr(torch.optim.Adam, "step", record)
    minimise(make_ensemble("vanilla"), images(), training)
    if schedule == "cosine":
        expected = [0.02 * (1 + math.cos(math.pi * epoch / 3)) / 2 for epoch in range(3) for _ in range(4)]
    else:
        expected = [0.02 * one_cycle(update, 12) for update in range(12)]
    assert rates == pytest.approx(expected, rel=1e-12)


def labelled_images():
    """Images whose class is whether the first pixel is above its median, and validation images."""
    x = random_images(144)
    every = labelled(x, (x[:, 0] > x[:, 0].median()).long(), 2)
    return Images(every[:112], every[112:])


def classifiers(seeds=(0, 1)):
    return Ensemble(lambda: Classifier(build({"kind": "vanilla", "latent_dim": 8}, PIXELS), 2), seeds)


def test_with_the_criterion_error_the_epoch_with_the_fewest_errors_is_kept():
    data, ensemble = labelled_images(), classifiers()
    training = settings(epochs=30, learning_rate=0.05, criterion="error")
    history = minimise(ensemble, data, training)
    errors, losses = history.terms["validation.error"], history.terms["validation.loss"]
    np.testing.assert_allclose(losses, history.terms["validation.cross_entropy"])
    assert (history.best == errors.argmin(0) + 1).all()
    assert (history.best != losses.argmin(0) + 1).any()
    for s, replica in enumerate(ensemble.replicas()):
        pixels, labels = data.validation[:, :PIXELS], data.validation[:, PIXELS:].argmax(1)
        by_hand = (replica("encode", pixels).argmax(1) != labels).double().mean()
        assert errors[:, s].min() == pytest.approx(float(by_hand))


def test_seeds_stop_when_the_error_does_not_fall():
    history = minimise(classifiers(), labelled_images(), settings(epochs=60, learning_rate=0.05, criterion="error", patience=4))
    epochs = np.isfinite(history.terms["validation.error"]).sum(0)
    assert (epochs == history.best + 4).any() and (epochs <= history.best + 4).all() and epochs.max() < 60


def test_the_criterion_error_needs_a_classifier():
    with pytest.raises(InputError, match=r"training\.criterion must be loss for a model that is not a classifier, got error"):
        minimise(make_ensemble("vanilla"), images(), settings(criterion="error"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimiser": "sdg"}, "t.optimiser must be one of adam, sgd, nesterov, got 'sdg' (did you mean 'sgd'?)"),
        ({"momentum": 0.9}, "t.momentum must be 0 for adam and above 0 for nesterov, got 0.9"),
        ({"optimiser": "nesterov"}, "t.momentum must be 0 for adam and above 0 for nesterov, got 0.0"),
        ({"optimiser": "sgd", "momentum": 1.0}, "t.momentum must be less than 1, got 1.0"),
        ({"weight_decay": -1.0}, "t.weight_decay must be greater than or equal to 0, got -1.0"),
        ({"criterion": "eror"}, "t.criterion must be one of loss, error, got 'eror' (did you mean 'error'?)"),
        ({"schedule": "onecycle"}, "t.schedule must be one of constant, cosine, one_cycle, got 'onecycle'"),
    ],
)
def test_invalid_settings_are_named(changes, message):
    with pytest.raises(InputError) as error:
        config.check(Training, {"epochs": 1, "batch_size": 1, "learning_rate": 0.1} | changes, "t")
    assert message in str(error.value)
