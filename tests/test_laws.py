"""Properties of all registered models and variants, including new ones, and of the training engine."""

import math

import pytest
import torch
from family import (
    KINDS,
    PIXELS,
    VARIANTS,
    X,
    draws,
    equal,
    fitted,
    images,
    make_ensemble,
    model,
    model_class,
    random_images,
    settings,
    small_settings,
)

from aebench.models import Images, build
from aebench.models.activations import ACTIVATIONS
from aebench.models.classifier import Classifier
from aebench.randomness import Streams
from aebench.training.ensemble import Ensemble
from aebench.training.minimise import minimise
from aebench.training.seed_group import VALIDATION_BATCH

CASES = KINDS + VARIANTS
STOCHASTIC = [kind for kind in CASES if model_class(kind).stochastic]


@pytest.fixture(params=CASES)
def kind(request):
    return request.param


def test_codes_and_reconstructions_have_the_right_shapes(kind):
    ensemble, _ = fitted(kind)
    (model,) = ensemble.replicas()
    x = random_images(7)
    code = model("encode", x)
    assert code.shape == (7, ensemble.model.latent_dim)
    assert model("decode", code).shape == x.shape


def test_terms_are_finite_scalars_and_nonnegative_unless_signed(kind):
    ensemble, _ = fitted(kind)
    terms = ensemble.terms(random_images(20)[None], draws(ensemble, 20))
    assert terms
    for name, value in terms.items():
        assert value.shape == (1,), name
        assert math.isfinite(value.item()), name
        assert value.item() >= 0 or name in model_class(kind).signed, name


def test_terms_do_not_modify_their_input(kind):
    """The images have pixels of exactly 0 and 1, which a limit inside [0, 1] would change."""
    ensemble, _ = fitted(kind)
    x = random_images(20)
    x[:, 0], x[:, 1] = 0.0, 1.0
    before, noise = x.clone(), draws(ensemble, 20)
    kept = [part.clone() for part in noise]
    ensemble.terms(x[None], noise)
    assert torch.equal(x, before)
    assert all(torch.equal(a, b) for a, b in zip(noise, kept, strict=True))


def test_the_code_of_an_image_does_not_depend_on_the_batch(kind):
    (model,) = fitted(kind)[0].replicas()
    x = random_images(101)
    together = model("encode", x)
    for i in (0, 50, 100):
        torch.testing.assert_close(model("encode", x[i : i + 1]), together[i : i + 1], rtol=1e-5, atol=1e-6)


def test_terms_are_means_over_images(kind):
    """The model is not trained, since a trained penalty may be 0, for which the test would always pass."""
    ensemble = make_ensemble(kind)
    x, noise = random_images(20), draws(ensemble, 20)
    once = ensemble.terms(x[None], noise)
    twice = ensemble.terms(torch.cat([x, x])[None], tuple(torch.cat([part, part], 1) for part in noise))
    for name in once:
        torch.testing.assert_close(once[name], twice[name])
        assert once[name].item() != 0 or kind == "raw_pixels", name


def test_fitting_lowers_the_loss(kind):
    before = make_ensemble(kind)
    after, _ = fitted(kind)
    data = images().both
    loss = [sum(e.terms(data[None], draws(e, len(data))).values()).item() for e in (before, after)]
    assert loss[1] < loss[0] or kind == "raw_pixels"


@pytest.mark.parametrize("kind", STOCHASTIC)
def test_the_seed_determines_the_initial_weights(kind):
    assert equal(make_ensemble(kind, [3]).state, make_ensemble(kind, [3]).state)
    assert not equal(make_ensemble(kind, [3]).state, make_ensemble(kind, [4]).state)


def test_initialisation_does_not_change_the_global_generator(kind):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    make_ensemble(kind)
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("kind", STOCHASTIC)
def test_the_seed_determines_the_training_from_equal_weights(kind):
    if not fitted(kind)[1].terms:
        pytest.skip("does not descend")
    results = []
    for seed in (3, 3, 4):
        ensemble = make_ensemble(kind, [seed])
        ensemble.set_state([seed], make_ensemble(kind, [0]).state)
        minimise(ensemble, images(), settings())
        results.append(ensemble.state)
    assert equal(results[0], results[1])
    assert not equal(results[0], results[2])


@pytest.mark.parametrize("kind", STOCHASTIC)
def test_a_seed_in_an_ensemble_equals_the_seed_alone_bit_for_bit(kind):
    many, together = fitted(kind, seeds=(5, 6, 7), training=settings(patience=1))
    for s, seed in enumerate(many.seeds):
        alone, history = fitted(kind, seeds=(seed,), training=settings(patience=1))
        assert equal({n: v[s] for n, v in many.state.items()}, {n: v[0] for n, v in alone.state.items()})
        for name, values in history.terms.items():
            epochs = len(values)
            assert (values[:, 0] == together.terms[name][:epochs, s]).all(), name


@pytest.mark.parametrize("threads", [2, 3, 4])
def test_training_does_not_depend_on_the_number_of_threads(kind, threads):
    """Each thread trains its own seeds; some seeds stop early, so that the seeds are divided again."""
    one, expected = fitted(kind, seeds=(5, 6, 7), training=settings(patience=1))
    many, history = fitted(kind, seeds=(5, 6, 7), training=settings(patience=1, threads=threads))
    assert equal(one.state, many.state)
    for name, values in expected.terms.items():
        assert torch.equal(torch.tensor(values).nan_to_num(-1), torch.tensor(history.terms[name]).nan_to_num(-1)), name
    assert expected.best.tolist() == history.best.tolist() and expected.updates.tolist() == history.updates.tolist()


def test_every_tensor_of_a_replica_is_aligned_to_a_vector_register():
    """Alignment makes a weight's position in a register independent of the number of seeds."""
    ensemble = make_ensemble("variational/gaussian", (0, 1, 2))
    assert ensemble.weights["log_variance"].shape == (3, 16) and ensemble.weights["decoder.layers.0.bias"].shape == (3, 16)
    assert all(rows.shape[1] % 16 == 0 and rows.is_contiguous() for rows in ensemble.weights.values())


def test_a_model_without_randomness_does_not_depend_on_the_seed(kind):
    if model_class(kind).stochastic:
        pytest.skip("has randomness")
    assert equal(fitted(kind, seeds=(0,))[0].state, fitted(kind, seeds=(9,))[0].state)


def test_the_test_settings_of_every_kind_are_valid(kind):
    assert build(small_settings(kind), PIXELS).latent_dim >= 1


@pytest.mark.parametrize("kind", STOCHASTIC)
def test_every_term_has_a_gradient(kind):
    """An integer division or a detached graph gives a plausible value without a gradient."""
    ensemble, _ = fitted(kind)
    if not ensemble.weights:
        pytest.skip("nothing to descend")
    terms = ensemble.terms(random_images(20)[None], draws(ensemble, 20))
    if not any(value.requires_grad for value in terms.values()):
        pytest.skip("does not descend")
    for name, value in terms.items():
        weights = list(ensemble.weights.values())
        gradients = torch.autograd.grad(value.sum(), weights, retain_graph=True, allow_unused=True, materialize_grads=True)
        gradient = torch.cat([part.flatten() for part in gradients])
        assert gradient.isfinite().all() and gradient.norm() > 1e-6, name


def linearisation_errors(net, t):
    """‖f(x + t u) - f(x) - t J u‖ (20,) for unit vectors u, in float64."""
    u = torch.nn.functional.normalize(torch.randn(X.shape, dtype=X.dtype, generator=torch.Generator().manual_seed(6)))
    code, slope = torch.func.jvp(net.encode, (X,), (u,))
    return (net.encode(X + t * u) - code - t * slope).norm(dim=1).detach()


def test_the_error_of_the_linearisation_falls_fourfold_when_the_step_is_halved(kind):
    """A code that is linear, or piecewise linear with ReLU, has no error but for rounding, except for images near a kink."""
    far, near = (linearisation_errors(model(kind), t).median().item() for t in (1e-3, 5e-4))
    assert far < 1e-14 or near == pytest.approx(far / 4, rel=0.01)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_only_piecewise_linear_encoders_equal_their_linearisation_near_an_image(activation):
    net = model("vanilla", activation=activation, code_activation=activation)
    error = linearisation_errors(net, 1e-3)
    assert (error.median() < 1e-14) == (activation in ("linear", "relu"))
    assert (error < 1e-2).all()


@pytest.mark.parametrize("kind", STOCHASTIC)
def test_noise_differs_between_seeds_and_repeats_within_a_seed(kind):
    ensemble = make_ensemble(kind, (0, 1))
    for part, again, width in zip(draws(ensemble, 20), draws(ensemble, 20), draws(ensemble, 7), strict=True):
        assert part.shape[:2] == (2, 20) and width.shape[:2] == (2, 7)
        assert torch.equal(part, again)
        assert not torch.equal(part[0], part[1]) or len(part.unique()) == 1


def test_streams_differ_by_name_step_and_seed():
    streams = Streams(1)
    states = [streams.state(name, step) for name in ("init", "batches", "noise", "validation") for step in range(3)]
    assert len(set(states)) == len(states)
    assert streams.state("noise") != Streams(2).state("noise")


def test_validation_uses_the_same_noise_at_every_epoch():
    _, history = fitted("denoising", training=settings(epochs=3, learning_rate=1e-30))
    assert len(set(history.terms["validation.loss"][:, 0].tolist())) == 1
    assert len(set(history.terms["train.loss"][:, 0].tolist())) == 3


def test_epoch_means_are_weighted_by_batch_size():
    """A mean of batch means would give the smaller last batch too much weight."""
    ensemble = make_ensemble("vanilla")
    data = images()
    frozen = settings(epochs=1, batch_size=32, learning_rate=1e-30)
    expected = ensemble.terms(data.train[None], ())["reconstruction"].item()
    validation = type(data)(data.train, random_images(VALIDATION_BATCH + 3))
    expected_validation = ensemble.terms(validation.validation[None], ())["reconstruction"].item()
    history = minimise(ensemble, validation, frozen)
    assert history.terms["train.loss"][0, 0] == pytest.approx(expected, rel=1e-5)
    assert history.terms["validation.loss"][0, 0] == pytest.approx(expected_validation, rel=1e-5)


def test_every_image_is_used_once_per_epoch():
    ensemble, batches = make_ensemble("vanilla", [0, 1]), []
    terms = ensemble.terms
    ensemble.terms = lambda x, noise: (batches.append(x.detach()), terms(x, noise))[1]
    data = Images(random_images(112), random_images(31))
    minimise(ensemble, data, settings(epochs=1))
    train = torch.cat([x for x in batches if x.shape[1] != 31], 1)
    for s in range(2):
        assert torch.equal(train[s].sort(0).values, data.train.sort(0).values)
    assert not torch.equal(train[0], train[1])


def test_each_seed_keeps_its_best_epoch_and_stops_by_its_own_patience():
    data = images()
    ensemble, history = fitted(
        "vanilla", seeds=(0, 1, 2), data=data, training=settings(epochs=40, learning_rate=0.3, patience=3)
    )
    losses = history.terms["validation.loss"]
    stopped = (~torch.tensor(losses).isnan()).sum(0)
    assert len(set(stopped.tolist())) > 1
    for s in range(3):
        column = losses[: stopped[s], s]
        assert history.best[s] == column.argmin() + 1
        assert stopped[s] in (history.best[s] + 3, 40)
        assert history.updates[s] == 4 * stopped[s]
    kept = ensemble.terms(data.validation.expand(3, -1, -1), ())["reconstruction"]
    torch.testing.assert_close(kept.detach().double(), torch.tensor(losses).nan_to_num(math.inf).min(0).values)


def test_without_validation_images_the_last_epoch_is_kept():
    """The last epoch is kept even if an earlier one was better, whatever the patience."""
    x = random_images(112)
    history = minimise(make_ensemble("vanilla", (0, 1)), Images(x, x[:0]), settings(epochs=8, learning_rate=1.0, patience=2))
    assert history.best.tolist() == [8, 8] and history.updates.tolist() == [32, 32]
    assert not any(name.startswith("validation") for name in history.terms)
    assert (history.terms["train.loss"].argmin(0) < 7).any()


def test_validation_images_do_not_change_the_weights():
    x = random_images(112)
    without, with_ = make_ensemble("vanilla"), make_ensemble("vanilla")
    training = settings(epochs=4)
    minimise(without, Images(x, x[:0]), training)
    history = minimise(with_, Images(x, x), training)
    assert history.best.tolist() == [4]
    assert equal(without.state, with_.state)


def images_by_seed(seeds, n=112):
    return torch.stack([random_images(n, seed=10 + seed) for seed in seeds])


@pytest.mark.parametrize("threads", [1, 2])
def test_seeds_with_their_own_images_keep_them_after_another_seed_stops(threads):
    training, seeds = settings(epochs=40, learning_rate=0.3, patience=3, threads=threads), (2, 1, 0)
    ensemble = make_ensemble("denoising", seeds)
    together = minimise(ensemble, Images(images_by_seed(seeds), images_by_seed(seeds, 32)), training)
    assert together.updates[0] < together.updates[1] < together.updates[2]  # the first stops first, so positions change
    for s, seed in enumerate(seeds):
        alone = make_ensemble("denoising", (seed,))
        history = minimise(alone, Images(random_images(112, seed=10 + seed), random_images(32, seed=10 + seed)), training)
        assert equal({n: v[s] for n, v in ensemble.state.items()}, {n: v[0] for n, v in alone.state.items()})
        for name, values in history.terms.items():
            assert (values[:, 0] == together.terms[name][: len(values), s]).all(), name


def test_codes_are_computed_on_one_thread_and_the_setting_is_restored(monkeypatch):
    ensemble, used = make_ensemble("vanilla", (0, 1)), []
    encode = type(ensemble.model).encode
    monkeypatch.setattr(
        type(ensemble.model), "encode", lambda self, x: (used.append(torch.get_num_threads()), encode(self, x))[1]
    )
    torch.set_num_threads(2)
    ensemble.codes(random_images(20))
    assert set(used) == {1} and torch.get_num_threads() == 2


def test_codes_of_shared_images_and_of_images_by_seed():
    ensemble = make_ensemble("vanilla", (0, 1))
    shared, own = random_images(20), images_by_seed((0, 1), 20)
    for s, replica in enumerate(ensemble.replicas()):
        torch.testing.assert_close(ensemble.codes(shared, batch=7)[s], replica("encode", shared))
        torch.testing.assert_close(ensemble.codes(own, batch=7)[s], replica("encode", own[s]))


def test_a_submodule_is_a_copy_until_it_is_loaded():
    ensemble = make_ensemble("stacked", (0, 1))
    before = {name: value.clone() for name, value in ensemble.state.items()}
    part = ensemble.submodule("layers.0.")
    assert part.state.keys() == {n.removeprefix("layers.0.") for n in before if n.startswith("layers.0.")}
    minimise(part, images(), settings(epochs=1))
    assert equal(ensemble.state, before)
    ensemble.load(part.state, "layers.0.")
    assert equal(ensemble.submodule("layers.0.").state, part.state)
    assert equal(ensemble.submodule("layers.1.").state, {n[9:]: v for n, v in before.items() if n.startswith("layers.1.")})


def test_noise_is_drawn_at_the_epochs_progress_and_at_1_for_validation():
    ensemble, calls = make_ensemble("denoising"), []
    draw = ensemble.model.draw
    object.__setattr__(
        ensemble.model, "draw", lambda n, g, progress=1.0: (calls.append((n, progress)), draw(n, g, progress))[1]
    )
    minimise(ensemble, Images(random_images(32), random_images(31)), settings(epochs=4))
    (_, *calls) = calls  # the first draw measures the memory of a batch
    assert calls == [(32, 0.0), (31, 1.0), (32, 0.25), (31, 1.0), (32, 0.5), (31, 1.0), (32, 0.75), (31, 1.0)]


def test_classifiers_learn_from_labelled_images_by_seed():
    """A labelled image consists of its pixels and a one-hot label."""
    x = images_by_seed((0, 1))
    labels = (x[..., 0] > x[..., 1]).long()
    rows = torch.cat([x, torch.nn.functional.one_hot(labels, 2)], 2)
    ensemble = Ensemble(lambda: Classifier(build(small_settings("vanilla"), PIXELS), 2), (0, 1))
    before = ensemble.submodule("encoder.").state["encoder.layers.0.weight"].clone()
    history = minimise(ensemble, Images(rows, rows[:, :0]), settings(epochs=60))
    assert (ensemble.codes(x).argmax(2) == labels).double().mean() > 0.9
    assert (history.terms["train.cross_entropy"][-1] < history.terms["train.cross_entropy"][0] / 2).all()
    assert not torch.equal(ensemble.submodule("encoder.").state["encoder.layers.0.weight"], before)


def test_training_reads_no_test_image(monkeypatch):
    """A defect of other implementations: the best test accuracy over epochs was reported."""
    from project import ROOT

    from aebench import config, storage
    from aebench.training.run import TrainingRun

    def load_split(dataset, part):
        assert part in ("train", "validation")
        return storage.Split(random_images(8).numpy(), random_images(8)[:, 0].numpy())

    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(config, "suite", lambda: config.Suite(datasets=["smoke"], models=["ae"], seeds=[0]))
    monkeypatch.setattr(storage, "load_dimensions", lambda dataset: ((), 0))
    monkeypatch.setattr(storage, "load_split", load_split)
    assert TrainingRun("smoke", "ae").images.both.shape == (16, PIXELS)
