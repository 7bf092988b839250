"""Binary images: drawn once or in every epoch, with the grey value as the probability, and only from training images."""

from math import log, pi
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from data_files import prepared
from family import PIXELS, make_ensemble, random_images, settings
from test_resume import kill_and_resume

from aebench import data, storage
from aebench.data.binarised import binarise
from aebench.models import Images
from aebench.papers import measures
from aebench.randomness import EVALUATION, Use
from aebench.storage import SPLITS, Split
from aebench.studies.anomalies import without
from aebench.studies.sweep import _of_each_seed
from aebench.training.ensemble import Ensemble
from aebench.training.minimise import minimise

GREY = np.tile(np.float32([0, 0.25, 0.5, 0.75, 1]), (4000, 1))
LABELS = np.arange(4000) % 3
GOLDEN_SUMS = [9984, 10033, 10044]
GOLDEN_PIXELS = [1, 1, 0, 0, 1, 0, 1, 0]


def grey():
    return {name: Split(GREY, LABELS) for name in SPLITS}


@pytest.mark.parametrize("how", ["static", "dynamic"])
def test_a_pixel_is_1_with_its_grey_value_as_the_probability(how):
    drawn = binarise(grey(), how, 0)
    for split in drawn.values():
        assert split.images.dtype == np.float32 and set(np.unique(split.images)) == {0, 1}
        np.testing.assert_allclose(split.images.mean(0), GREY[0], atol=0.03)
        assert split.images[:, 0].max() == 0 and split.images[:, 4].min() == 1
        np.testing.assert_array_equal(split.labels, LABELS)


def test_draws_depend_on_the_split_and_the_seed_alone():
    first, again, other = (binarise(grey(), "static", seed) for seed in (0, 0, 1))
    for name in SPLITS:
        np.testing.assert_array_equal(first[name].images, again[name].images)
        assert (first[name].images != other[name].images).any()
    assert (first["train"].images != first["test"].images).any()


def test_only_training_images_of_dynamic_keep_their_probabilities():
    static, dynamic = binarise(grey(), "static", 0), binarise(grey(), "dynamic", 0)
    assert all(split.probabilities is None for split in static.values())
    np.testing.assert_array_equal(dynamic["train"].probabilities, GREY)
    assert dynamic["validation"].probabilities is None and dynamic["test"].probabilities is None
    for name in SPLITS:
        np.testing.assert_array_equal(static[name].images, dynamic[name].images)


@pytest.mark.usefixtures("empty_folder")
@pytest.mark.parametrize("how", [None, "static", "dynamic"])
def test_a_prepared_data_set_has_what_its_settings_say(how):
    block = {"source": "digits", "test": 360, "validation": 180} | ({"binarised": how} if how else {})
    prepared(block, "digits")
    splits = {name: storage.load_split("digits", name) for name in SPLITS}
    binary = [set(np.unique(split.images)) <= {0, 1} for split in splits.values()]
    assert binary == [how is not None] * 3
    assert [split.probabilities is not None for split in splits.values()] == [how == "dynamic", False, False]
    images = Images.of(splits["train"], splits["validation"], torch.device("cpu"))
    assert (images.probabilities is not None) == (how == "dynamic")
    assert len(images.both) == 1257 + 180
    assert any("binary" in note for note in data.notes("digits")) == (how is not None)


def presented(monkeypatch, images, seeds, epochs):
    """The training images (epochs, S, n, d) that the loss of seed s was computed from, in the order of the images."""
    seen, original = [], Ensemble.terms

    def terms(ensemble, x, noise):
        if x.shape[1] == len(images.train):
            seen.append(x)
        return original(ensemble, x, noise)

    with monkeypatch.context() as patch:
        patch.setattr(Ensemble, "terms", terms)
        patch.setattr(torch, "randperm", lambda n, **options: torch.arange(n))
        minimise(make_ensemble("vanilla", seeds), images, settings(epochs=epochs, batch_size=len(images.train)))
    return torch.stack(seen)


def test_training_images_are_drawn_anew_in_every_epoch_and_for_every_seed(monkeypatch):
    probabilities, validation = random_images(64), random_images(48, seed=1).round()
    images = Images(probabilities.round(), validation, probabilities)
    seen = presented(monkeypatch, images, (0, 1), 200)
    assert set(seen.unique().tolist()) == {0, 1}
    assert len({epoch.numpy().tobytes() for by_seed in seen for epoch in by_seed}) == 400
    assert float((seen.mean((0, 1)) - probabilities).abs().max()) < 0.13, "five standard errors"
    without_probabilities = presented(monkeypatch, images._replace(probabilities=None), (0,), 2)
    assert torch.equal(without_probabilities, images.train.expand(2, 1, 64, PIXELS))


def test_training_images_are_not_drawn_with_the_noise_of_the_model(monkeypatch):
    streams, original = {}, Ensemble.generators

    def generators(ensemble, stream, step=0):
        made = original(ensemble, stream, step)
        streams.setdefault(stream, made)
        return made

    monkeypatch.setattr(Ensemble, "generators", generators)
    probabilities = random_images(64)
    images = Images(probabilities.round(), probabilities[:16].round(), probabilities)
    minimise(make_ensemble("denoising", (0,)), images, settings(epochs=1))
    states = {generator.initial_seed() for (generator,) in streams.values()}
    assert {"batches", "noise", "presentation"} <= streams.keys() and len(states) == len(streams)


@pytest.mark.usefixtures("empty_folder")
def test_a_prepared_data_set_is_drawn_with_the_seed_of_its_split():
    block = {"source": "digits", "test": 360, "validation": 180, "split_seed": 5}
    grey_images = prepared(block, "grey")
    expected = binarise(grey_images, "static", 5)
    drawn = prepared(block | {"binarised": "static"}, "binary")
    for name in SPLITS:
        np.testing.assert_array_equal(drawn[name].images, expected[name].images)
    assert (drawn["test"].images != binarise(grey_images, "static", 0)["test"].images).any()


def test_the_draw_is_the_same_in_every_version():
    """The sum of the drawn images, and the first pixels of the first that are 1 by chance."""
    drawn = binarise(grey(), "static", 0)
    assert [int(drawn[name].images.sum()) for name in SPLITS] == GOLDEN_SUMS
    assert drawn["train"].images[:8, 2].astype(int).tolist() == GOLDEN_PIXELS


@pytest.mark.parametrize("kind", ["vanilla", "denoising", "variational"])
def test_a_seed_draws_the_same_images_alone_and_among_others(kind):
    probabilities = random_images(112)
    images = Images(probabilities.round(), probabilities[:16].round(), probabilities)
    together, alone = make_ensemble(kind, (3, 5)), make_ensemble(kind, (5,))
    for ensemble in (together, alone):
        minimise(ensemble, images, settings(epochs=2))
    assert all(torch.equal(together.state[name][1], alone.state[name][0]) for name in alone.state)


def test_an_interrupted_training_run_draws_the_same_images(tmp_path, monkeypatch):
    probabilities = random_images(112)
    images = Images(probabilities.round(), probabilities[:16].round(), probabilities)
    kill_and_resume("variational", images, 4, tmp_path, monkeypatch)


def test_a_selection_of_images_keeps_their_probabilities():
    split = binarise(grey(), "dynamic", 0)["train"]
    kept = without(split, "1")
    assert kept.images.shape == kept.probabilities.shape and len(kept.images) == (LABELS != 1).sum()
    images = Images.of(split, split, torch.device("cpu"))
    chosen = _of_each_seed(images, [[0, 5], [7, 2]])
    assert torch.equal(chosen.probabilities[1], images.probabilities[[7, 2]])
    assert torch.equal(chosen.train[0], images.train[[0, 5]]) and chosen.validation is images.validation


def view(replica, images):
    return SimpleNamespace(
        replica=replica,
        images=images,
        codes=replica("encode", images),
        generator=lambda use, device="cpu": EVALUATION.torch("evaluation", use, device),
    )


def test_the_nll_is_exact_where_codes_do_not_matter(monkeypatch):
    monkeypatch.setattr(measures, "SAMPLES", 7)
    (replica,) = make_ensemble("variational", (0,)).replicas()
    for value in replica.state.values():
        value.zero_()
    images = random_images(230).round()
    assert measures.nll(view(replica, images)) == pytest.approx(PIXELS * log(2), rel=1e-5)
    assert measures.active_units(view(replica, images)) == 0


def test_the_nll_is_the_mean_of_the_importance_weighted_bounds(monkeypatch):
    """The weights are computed again from the densities of torch.distributions."""
    monkeypatch.setattr(measures, "SAMPLES", 20)
    (replica,) = make_ensemble("variational", (2,)).replicas()
    images, generator = random_images(150).round(), EVALUATION.torch("evaluation", Use.DENSITY)
    total = 0.0
    for x in images:
        mean, log_variance = replica("posterior", x[None])
        q = torch.distributions.Normal(mean.double(), (log_variance.double() / 2).exp())
        z = q.loc + q.scale * torch.randn(20, mean.shape[1], generator=generator).double()
        prior = -z.square().sum(1) / 2 - mean.shape[1] * log(2 * pi) / 2
        p = torch.distributions.Bernoulli(probs=replica("decode", z.float()).double())
        weights = p.log_prob(x.double()).sum(1) + prior - q.log_prob(z).sum(1)
        total += float(weights.logsumexp(0)) - log(20)
    assert measures.nll(view(replica, images)) == pytest.approx(-total / 150, rel=1e-5)
