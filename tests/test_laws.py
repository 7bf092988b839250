"""The laws of the family, over every registered model. A new model inherits them all."""

import math

import pytest
import torch
from family import KINDS, PIXELS, block, draws, ensemble, fitted, images, pictures, settings

from aebench.models import MODELS, Images, build
from aebench.randomness import Streams
from aebench.training.minimise import VALIDATION_BLOCK, minimise

STOCHASTIC = [kind for kind in KINDS if MODELS[kind].stochastic]
DESCENDING = [kind for kind in STOCHASTIC if fitted(kind)[1].terms]


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_shapes_and_range_of_code_and_reconstruction(kind):
    family, _ = fitted(kind)
    (model,) = family.replicas()
    x = pictures(7)
    code = model("encode", x)
    assert code.shape == (7, family.model.code)
    assert model("decode", code).shape == x.shape


def test_terms_are_finite_scalars_and_none_is_negative(kind):
    family, _ = fitted(kind)
    terms = family.terms(pictures(20)[None], draws(family, 20))
    assert terms
    for name, value in terms.items():
        assert value.shape == (1,), name
        assert math.isfinite(value.item()) and value.item() >= 0, name


def test_terms_leave_their_input_alone(kind):
    family, _ = fitted(kind)
    x = pictures(20)
    before, noise = x.clone(), draws(family, 20)
    kept = [part.clone() for part in noise]
    family.terms(x[None], noise)
    assert torch.equal(x, before)
    assert all(torch.equal(a, b) for a, b in zip(noise, kept, strict=True))


def test_a_rows_code_does_not_depend_on_its_batch(kind):
    (model,) = fitted(kind)[0].replicas()
    x = pictures(101)
    together = model("encode", x)
    for i in (0, 50, 100):
        torch.testing.assert_close(model("encode", x[i : i + 1]), together[i : i + 1], rtol=1e-5, atol=1e-6)


def test_terms_are_means_over_images_so_a_doubled_batch_changes_nothing(kind):
    family, _ = fitted(kind)
    x, noise = pictures(20), draws(family, 20)
    once = family.terms(x[None], noise)
    twice = family.terms(torch.cat([x, x])[None], tuple(torch.cat([part, part], 1) for part in noise))
    for name in once:
        torch.testing.assert_close(once[name], twice[name])


def test_fitting_lowers_the_loss(kind):
    before = ensemble(kind)
    after, _ = fitted(kind)
    data = images().both
    loss = [sum(e.terms(data[None], draws(e, len(data))).values()).item() for e in (before, after)]
    assert loss[1] < loss[0] or kind == "raw_pixels"


@pytest.mark.parametrize("kind", STOCHASTIC)
def test_the_seed_decides_the_start(kind):
    assert equal(ensemble(kind, [3]).state, ensemble(kind, [3]).state)
    assert not equal(ensemble(kind, [3]).state, ensemble(kind, [4]).state)


def test_the_start_does_not_touch_the_global_generator(kind):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    ensemble(kind)
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("kind", DESCENDING)
def test_the_seed_decides_the_training_even_from_equal_starts(kind):
    results = []
    for seed in (3, 3, 4):
        family = ensemble(kind, [seed])
        family.become([seed], ensemble(kind, [0]).state)
        minimise(family, images(), settings())
        results.append(family.state)
    assert equal(results[0], results[1])
    assert not equal(results[0], results[2])


@pytest.mark.parametrize("kind", STOCHASTIC)
def test_seed_s_among_many_is_seed_s_alone_bit_for_bit(kind):
    many, told = fitted(kind, seeds=(5, 6, 7), training=settings(patience=1))
    for s, seed in enumerate(many.seeds):
        alone, story = fitted(kind, seeds=(seed,), training=settings(patience=1))
        assert equal({n: v[s] for n, v in many.state.items()}, {n: v[0] for n, v in alone.state.items()})
        for name, values in story.terms.items():
            epochs = len(values)
            assert (values[:, 0] == told.terms[name][:epochs, s]).all(), name


def test_a_model_without_randomness_does_not_depend_on_the_seed(kind):
    if MODELS[kind].stochastic:
        pytest.skip("has randomness")
    assert equal(fitted(kind, seeds=(0,))[0].state, fitted(kind, seeds=(9,))[0].state)


def test_streams_are_independent_of_each_other_and_named_once():
    streams = Streams(1)
    states = [streams.state(name, step) for name in ("init", "batches", "noise", "validation") for step in range(3)]
    assert len(set(states)) == len(states)
    assert streams.state("noise") != Streams(2).state("noise")


@pytest.mark.parametrize("kind", ["linear", "deep"])
def test_a_linear_autoencoder_spans_the_pca_subspace(kind):
    """Baldi & Hornik (1989): same error as PCA, and principal angles 0."""
    params = {"hidden": {"linear": [], "deep": [8]}[kind], "code": 2, "activation": "linear", "output": "linear"}
    x = 4 * (pictures() - pictures().mean(0))
    data = Images(x, x)
    training = settings(epochs=600, batch_size=112, learning_rate=0.02, schedule="cosine")
    auto, _ = fitted("vanilla", data=data, training=training, **params)
    pca, _ = fitted("pca", data=data, code=2)
    (a,), (p,) = auto.replicas(), pca.replicas()
    errors = [((m("decode", m("encode", data.train)) - data.train) ** 2).sum(1).mean().item() for m in (a, p)]
    assert errors[0] == pytest.approx(errors[1], rel=1e-3)
    basis = (a("decode", torch.eye(2)) - a("decode", torch.zeros(2, 2))).T
    cosines = torch.linalg.svdvals(torch.linalg.qr(basis).Q.T @ p.state["components"].T)
    assert cosines.min() > 0.9999


@pytest.mark.parametrize("noise", ["masking", "gaussian", "salt_and_pepper"])
def test_denoising_at_corruption_0_is_vanilla_bit_for_bit(noise):
    denoising, told = fitted("denoising", corruption=0.0, noise=noise)
    vanilla, story = fitted("vanilla")
    assert equal(denoising.state, vanilla.state)
    assert all((told.terms[name] == story.terms[name]).all() for name in story.terms)


def test_denoising_asks_for_the_clean_image_not_the_noisy_one():
    """A known defect of others: the target was x̃. With everything masked, the target still is x."""
    family = ensemble("denoising", corruption=1.0)
    (model,) = family.replicas()
    x = pictures(20)
    blank = model("decode", model("encode", torch.zeros_like(x)))
    expected = (x - blank).square().sum(1).mean()
    torch.testing.assert_close(family.terms(x[None], draws(family, 20))["reconstruction"][0], expected)


def test_equal_seeds_give_variants_equal_starts():
    assert equal(ensemble("vanilla", [2]).state, ensemble("denoising", [2]).state)
    wide, narrow = (ensemble("vanilla", [2], code=code).state["encoder.layers.0.weight"] for code in (5, 2))
    assert torch.equal(wide, narrow)


def test_a_tied_decoder_is_the_transposed_encoder():
    family = ensemble("vanilla", hidden=[], code=3, tied=True, output="linear")
    (model,) = family.replicas()
    weight = model.state["encoder.layers.0.weight"]
    torch.testing.assert_close(model("decode", torch.eye(3)), weight)
    assert sum("weight" in name for name in family.state) == 1


def test_a_deep_tied_decoder_mirrors_its_encoder():
    family = ensemble("vanilla", hidden=[8, 4], code=2, tied=True, output="linear", activation="linear")
    (model,) = family.replicas()
    first, second, third = (model.state[f"encoder.layers.{i}.weight"] for i in range(3))
    torch.testing.assert_close(model("decode", torch.eye(2)), third @ second @ first)


def test_validation_uses_the_same_noise_at_every_epoch():
    _, told = fitted("denoising", training=settings(epochs=3, learning_rate=1e-30))
    assert len(set(told.terms["validation.loss"][:, 0].tolist())) == 1
    assert len(set(told.terms["train.loss"][:, 0].tolist())) == 3


def test_bernoulli_reconstruction_is_a_probability():
    (model,) = ensemble("vanilla", loss="bernoulli", output="linear").replicas()
    reconstruction = model("decode", model("encode", pictures(9)))
    assert reconstruction.min() > 0 and reconstruction.max() < 1


def test_pca_keeps_the_error_of_the_discarded_eigenvalues():
    family, _ = fitted("pca", code=4)
    (model,) = family.replicas()
    x = images().both.double()
    spectrum = torch.linalg.svdvals(x - x.mean(0)) ** 2
    error = (model("decode", model("encode", x.float())) - x).square().sum()
    assert error.item() == pytest.approx(spectrum[4:].sum().item(), rel=1e-4)


def test_the_random_encoder_is_not_trained_and_its_decoder_is_least_squares():
    start, (family, _) = ensemble("random_encoder"), fitted("random_encoder")
    assert torch.equal(start.state["encoder.layers.0.weight"], family.state["encoder.layers.0.weight"])
    (model,) = family.replicas()
    x = images().both
    h = model("encode", x)
    residual = x - model("decode", h)
    torch.testing.assert_close(residual.T @ h, torch.zeros(PIXELS, 4), atol=1e-3, rtol=0)
    torch.testing.assert_close(residual.mean(0), torch.zeros(PIXELS), atol=1e-5, rtol=0)


def test_the_mean_image_is_the_best_constant():
    family, _ = fitted("mean_image")
    torch.testing.assert_close(family.state["mean"][0], images().both.mean(0))


def test_ragged_batches_and_validation_blocks_count_by_their_size():
    """The history is the mean over images; a mean of batch means would weigh the last, small batch too much."""
    family = ensemble("vanilla")
    data = images()
    frozen = settings(epochs=1, batch_size=32, learning_rate=1e-30)
    expected = family.terms(data.train[None], ())["reconstruction"].item()
    validation = type(data)(data.train, pictures(VALIDATION_BLOCK + 3))
    expected_validation = family.terms(validation.validation[None], ())["reconstruction"].item()
    told = minimise(family, validation, frozen)
    assert told.terms["train.loss"][0, 0] == pytest.approx(expected, rel=1e-5)
    assert told.terms["validation.loss"][0, 0] == pytest.approx(expected_validation, rel=1e-5)


def test_every_image_is_seen_once_an_epoch():
    family, seen = ensemble("vanilla", [0, 1]), []
    terms = family.terms
    family.terms = lambda x, noise: (seen.append(x.detach()), terms(x, noise))[1]
    data = Images(pictures(112), pictures(31))
    minimise(family, data, settings(epochs=1))
    train = torch.cat([x for x in seen if x.shape[1] != 31], 1)
    for s in range(2):
        assert torch.equal(train[s].sort(0).values, data.train.sort(0).values)
    assert not torch.equal(train[0], train[1])


def test_the_best_epoch_on_validation_is_kept_and_patience_stops_each_seed_alone():
    data = images()
    family, told = fitted("vanilla", seeds=(0, 1, 2), data=data, training=settings(epochs=40, learning_rate=0.3, patience=3))
    losses = told.terms["validation.loss"]
    stopped = (~torch.tensor(losses).isnan()).sum(0)
    assert len(set(stopped.tolist())) > 1
    for s in range(3):
        column = losses[: stopped[s], s]
        assert told.best[s] == column.argmin() + 1
        assert stopped[s] in (told.best[s] + 3, 40)
        assert told.updates[s] == 4 * stopped[s]
    kept = family.terms(data.validation.expand(3, -1, -1), ())["reconstruction"]
    torch.testing.assert_close(kept.detach().double(), torch.tensor(losses).nan_to_num(math.inf).min(0).values)


def test_every_block_of_the_tests_is_valid(kind):
    assert build(block(kind), PIXELS).code >= 1
