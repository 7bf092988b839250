"""Models in the limits where they equal other models or where the result is known, and properties of single models."""

import math

import pytest
import torch
from family import PIXELS, descend, draws, fitted, images, make_ensemble, random_images, settings, small_settings
from torch.distributions import Bernoulli, MultivariateNormal, Normal, kl_divergence
from torch.func import jacrev, vmap
from torch.nn.functional import cross_entropy

from aebench.corruptions import CORRUPTIONS
from aebench.errors import InputError
from aebench.evaluation.metrics.reconstruction import sum_of_squares
from aebench.models import Images, build
from aebench.models.activations import ACTIVATIONS, DERIVATIVES
from aebench.models.classifier import Classifier
from aebench.models.layers import Dense
from aebench.models.stacked import PRETRAINERS
from aebench.randomness import Streams

X = random_images(20).double()


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def same(a, b):
    """Whether two fitted ensembles have the same weights and histories, bit for bit."""
    return equal(a[0].state, b[0].state) and all((a[1].terms[n] == b[1].terms[n]).all() for n in b[1].terms)


def model(kind, **changes):
    """One replica in float64, with random changes to its initial weights and biases."""
    with Streams(0).initialising():
        replica = build(small_settings(kind, **changes), PIXELS).double()
        with torch.no_grad():
            for weight in replica.parameters():
                weight += 0.3 * torch.randn_like(weight)
    return replica


def noise(net, n=20, progress=1.0):
    return tuple(part.double() for part in net.draw(n, Streams(0).torch("noise"), progress))


def assign(replica, **weights):
    """Set parameters of a model by name (dots as in its state), all others to 0."""
    with torch.no_grad():
        for name, weight in replica.named_parameters():
            weight.copy_(torch.as_tensor(weights.get(name.replace(".", "_"), 0.0)).expand_as(weight))


# Baselines and PCA


def test_the_mean_image_is_the_mean_of_training_and_validation_images():
    ensemble, _ = fitted("mean_image")
    torch.testing.assert_close(ensemble.state["mean"][0], images().both.mean(0))


def test_the_random_encoder_is_untrained_with_a_least_squares_decoder():
    start, (ensemble, _) = make_ensemble("random_encoder"), fitted("random_encoder")
    assert torch.equal(start.state["encoder.layers.0.weight"], ensemble.state["encoder.layers.0.weight"])
    (model,) = ensemble.replicas()
    x = images().both
    h = model("encode", x)
    residual = x - model("decode", h)
    torch.testing.assert_close(residual.T @ h, torch.zeros(PIXELS, 4), atol=1e-3, rtol=0)
    torch.testing.assert_close(residual.mean(0), torch.zeros(PIXELS), atol=1e-5, rtol=0)


def test_the_error_of_pca_is_the_sum_of_the_discarded_eigenvalues():
    ensemble, _ = fitted("pca", latent_dim=4)
    (model,) = ensemble.replicas()
    x = images().both.double()
    spectrum = torch.linalg.svdvals(x - x.mean(0)) ** 2
    error = (model("decode", model("encode", x.float())) - x).square().sum()
    assert error.item() == pytest.approx(spectrum[4:].sum().item(), rel=1e-4)


@pytest.mark.parametrize("kind", ["linear", "deep"])
def test_a_linear_autoencoder_spans_the_pca_subspace(kind):
    """The error equals that of PCA, and all principal angles are 0 (Baldi & Hornik 1989)."""
    params = {"hidden": {"linear": [], "deep": [8]}[kind], "latent_dim": 2, "activation": "linear", "output": "linear"}
    x = 4 * (random_images() - random_images().mean(0))
    data = Images(x, x)
    training = settings(epochs=600, batch_size=112, learning_rate=0.02, schedule="cosine")
    auto, _ = fitted("vanilla", data=data, training=training, **params)
    pca, _ = fitted("pca", data=data, latent_dim=2)
    (a,), (p,) = auto.replicas(), pca.replicas()
    errors = [((m("decode", m("encode", data.train)) - data.train) ** 2).sum(1).mean().item() for m in (a, p)]
    assert errors[0] == pytest.approx(errors[1], rel=1e-3)
    basis = (a("decode", torch.eye(2)) - a("decode", torch.zeros(2, 2))).T
    cosines = torch.linalg.svdvals(torch.linalg.qr(basis).Q.T @ p.state["components"].T)
    assert cosines.min() > 0.9999


# Vanilla


def test_equal_seeds_give_models_equal_initial_weights():
    assert equal(make_ensemble("vanilla", [2]).state, make_ensemble("denoising", [2]).state)
    wide, narrow = (make_ensemble("vanilla", [2], latent_dim=k).state["encoder.layers.0.weight"] for k in (5, 2))
    assert torch.equal(wide, narrow)


def test_a_tied_decoder_is_the_transposed_encoder():
    ensemble = make_ensemble("vanilla", hidden=[], latent_dim=3, tied=True, output="linear")
    (model,) = ensemble.replicas()
    weight = model.state["encoder.layers.0.weight"]
    torch.testing.assert_close(model("decode", torch.eye(3)), weight)
    assert sum("weight" in name for name in ensemble.state) == 1


def test_a_deep_tied_decoder_mirrors_its_encoder():
    ensemble = make_ensemble("vanilla", hidden=[8, 4], latent_dim=2, tied=True, output="linear", activation="linear")
    (model,) = ensemble.replicas()
    first, second, third = (model.state[f"encoder.layers.{i}.weight"] for i in range(3))
    torch.testing.assert_close(model("decode", torch.eye(2)), third @ second @ first)


def test_a_bernoulli_reconstruction_is_a_probability():
    (model,) = make_ensemble("vanilla", loss="bernoulli", output="linear").replicas()
    reconstruction = model("decode", model("encode", random_images(9)))
    assert reconstruction.min() > 0 and reconstruction.max() < 1


def test_the_identity_of_an_overcomplete_vanilla_autoencoder_has_no_loss():
    ensemble = make_ensemble("vanilla", hidden=[], latent_dim=2 * PIXELS, output="linear")
    identity = torch.eye(2 * PIXELS, PIXELS)
    ensemble.load({"encoder.layers.0.weight": identity, "decoder.layers.0.weight": identity.T})
    assert {name: value.item() for name, value in ensemble.terms(X.float()[None], ()).items()} == {"reconstruction": 0}


def test_logistic_pca_is_a_linear_code_with_a_logistic_output():
    """The model `logistic_pca` (Hinton & Salakhutdinov 2006) is vanilla without hidden layers and with a Bernoulli loss."""
    pca = model("vanilla", hidden=[], latent_dim=4, loss="bernoulli")
    down, up = pca.encoder.layers[0], pca.decoder.layers[0]
    probability = torch.sigmoid((X @ down.weight.T + down.bias) @ up.weight.T + up.bias)
    expected = -(X * probability.log() + (1 - X) * (1 - probability).log()).sum(1).mean()
    torch.testing.assert_close(pca.terms(X, ())["reconstruction"], expected)
    torch.testing.assert_close(pca.decode(pca.encode(X)), probability)


def test_uniform_initialisation_has_its_range_in_encoder_and_decoder():
    """Weights are from U[-1/sqrt(fan_in), 1/sqrt(fan_in)] (Erhan et al. 2009), with variance 1 / (3 fan_in); biases are 0."""
    state = make_ensemble("vanilla", hidden=[64], latent_dim=100, start="uniform", activation="sigmoid").state
    for name, value in state.items():
        if name.endswith("bias"):
            assert (value == 0).all(), name
        else:
            edge = value.shape[2] ** -0.5
            assert 0.97 * edge < value.abs().max() <= edge, name
            assert value.var().item() == pytest.approx(edge**2 / 3, rel=0.1), name


def test_scaled_initialisation_has_glorots_variance_doubled_before_a_relu():
    state = make_ensemble("vanilla", hidden=[64], latent_dim=100).state
    for name, gain in (("encoder.layers.0", 2), ("encoder.layers.1", 1), ("decoder.layers.0", 2), ("decoder.layers.1", 1)):
        weight = state[f"{name}.weight"]
        assert weight.var().item() == pytest.approx(gain * 2 / sum(weight.shape[1:]), rel=0.1), name


# Denoising


@pytest.mark.parametrize("noise", CORRUPTIONS)
def test_denoising_at_corruption_0_is_vanilla_bit_for_bit(noise):
    denoising, denoising_history = fitted("denoising", corruption=0.0, noise=noise)
    vanilla, vanilla_history = fitted("vanilla")
    assert equal(denoising.state, vanilla.state)
    assert all((denoising_history.terms[name] == vanilla_history.terms[name]).all() for name in vanilla_history.terms)


def test_the_denoising_target_is_the_clean_image():
    """A defect of other implementations: the target was x̃. The target is x even if all pixels are masked."""
    ensemble = make_ensemble("denoising", corruption=1.0)
    (model,) = ensemble.replicas()
    x = random_images(20)
    blank = model("decode", model("encode", torch.zeros_like(x)))
    expected = (x - blank).square().sum(1).mean()
    torch.testing.assert_close(ensemble.terms(x[None], draws(ensemble, 20))["reconstruction"][0], expected)


def test_denoising_with_dropout_is_vanilla_with_a_dropout_layer_on_the_input():
    """For the same draw, torch's dropout layer and the corruption give the same terms and the same gradients."""
    denoising, vanilla = model("denoising", noise="dropout", corruption=0.4), model("vanilla")
    vanilla.load_state_dict(denoising.state_dict())
    torch.manual_seed(3)
    keep = torch.nn.Dropout(0.4)(torch.ones_like(X))
    ours = denoising.terms(X, (keep, torch.zeros_like(X)))["reconstruction"]
    torch.manual_seed(3)
    expected_loss = vanilla.reconstruction(X, vanilla.encode(torch.nn.Dropout(0.4)(X)))
    torch.testing.assert_close(ours, expected_loss)
    gradients = [torch.autograd.grad(loss, net.parameters()) for loss, net in ((ours, denoising), (expected_loss, vanilla))]
    torch.testing.assert_close(*gradients)
    drawn = denoising.draw(2000, Streams(0).torch("noise"))[0]
    assert sorted(drawn.unique().tolist()) == sorted(keep.float().unique().tolist())
    assert (drawn == 0).float().mean().item() == pytest.approx(0.4, abs=0.01)


def test_dropout_is_masking_rescaled_to_the_brightness_of_clean_images():
    """The same pixels are masked for the same stream; masking scales the brightness by 1 - p, dropout keeps it."""
    drop, mask = (make_ensemble("denoising", noise=noise, corruption=0.4) for noise in ("dropout", "masking"))
    dropped, masked = draws(drop, 2000)[0], draws(mask, 2000)[0]
    torch.testing.assert_close(0.6 * dropped, masked)
    assert dropped.mean().item() == pytest.approx(1, abs=0.01) and masked.mean().item() == pytest.approx(0.6, abs=0.01)


def test_dropout_of_all_pixels_is_an_error():
    for changes in ({"corruption": 1.0}, {"corruption": 0.1, "initial_corruption": 1.0}):
        with pytest.raises(InputError, match=r"corruption must be less than 1 for dropout, got 1\.0"):
            make_ensemble("denoising", noise="dropout", **changes)


@pytest.mark.parametrize(("progress", "level"), [(0.0, 0.8), (0.5, 0.5), (1.0, 0.2)])
def test_corruption_changes_linearly_from_the_initial_to_the_final_level(progress, level):
    keep, _ = draws(make_ensemble("denoising", initial_corruption=0.8, corruption=0.2), 2000, progress=progress)
    assert (keep == 0).float().mean().item() == pytest.approx(level, abs=0.01)
    keep, _ = draws(make_ensemble("denoising", corruption=0.2), 2000, progress=progress)
    assert (keep == 0).float().mean().item() == pytest.approx(0.2, abs=0.01)


def test_validation_uses_the_final_corruption():
    """If corruption decreases from 1 to 0, the validation loss is that of clean images from the first epoch on."""
    _, history = fitted("denoising", initial_corruption=1.0, corruption=0.0, training=settings(learning_rate=1e-30))
    clean = make_ensemble("vanilla").terms(images().validation[None], ())["reconstruction"].item()
    assert history.terms["validation.loss"][:, 0] == pytest.approx([clean] * 3, rel=1e-6)
    assert abs(history.terms["train.loss"][0, 0] - clean) > 0.01


# Sparse


@pytest.mark.parametrize("kind", ["sparse", "sparse/l1"])
def test_sparse_with_weight_0_is_vanilla_bit_for_bit(kind):
    ensemble = fitted(kind, weight=0.0)
    shape = {key: small_settings(kind)[key] for key in ("latent_dim", "tied", "code_activation") if key in small_settings(kind)}
    vanilla = fitted("vanilla", **{"hidden": [], "code_activation": "sigmoid"} | shape)
    assert same(ensemble, vanilla)
    assert (ensemble[1].terms["train.sparsity"] == 0).all()


def test_the_sparsity_penalty_is_0_only_at_the_target():
    """If all weights are 0, every unit is sigmoid(bias) for every image."""
    for activation, free in ((0.05, True), (0.04, False), (0.06, False)):
        sparse = model("sparse", weight=1.0, target=0.05)
        assign(sparse, encoder_layers_0_bias=math.log(activation / (1 - activation)))
        sparsity = sparse.terms(X, ())["sparsity"].item()
        assert (sparsity == pytest.approx(0, abs=1e-9)) if free else sparsity > 1e-3


def test_sparsity_is_weighted_and_added_to_the_vanilla_reconstruction():
    h = model("sparse").encode(X)
    target = torch.full_like(h[0], 0.05)
    divergence = kl_divergence(Bernoulli(target), Bernoulli(h.mean(0))).sum()
    terms = model("sparse", weight=0.7).terms(X, ())
    torch.testing.assert_close(terms["sparsity"], 0.7 * divergence)
    vanilla = model("vanilla", hidden=[], latent_dim=32, code_activation="sigmoid")
    torch.testing.assert_close(terms["reconstruction"], vanilla.terms(X, ())["reconstruction"])
    l1 = model("sparse/l1", weight=0.7)
    torch.testing.assert_close(l1.terms(X, ())["sparsity"], 0.7 * l1.encode(X).abs().sum() / 20)


def test_training_brings_mean_activations_to_the_target():
    for target in (0.1, 0.3):
        ensemble, _ = fitted("sparse", weight=10.0, target=target, training=settings(epochs=60))
        torch.testing.assert_close(ensemble.codes(images().train).mean((0, 1)), torch.full((32,), target), atol=0.02, rtol=0)


def test_a_penalty_requires_a_suitable_activation():
    with pytest.raises(InputError, match=r"models\.code_activation must be sigmoid for penalty kl, got 'relu'"):
        make_ensemble("sparse", code_activation="relu")
    with pytest.raises(InputError, match="code_activation must be relu or softplus for penalty l1, got 'tanh'"):
        make_ensemble("sparse", penalty="l1", code_activation="tanh")


# Contractive


def jacobian(encoder, x):
    """Jacobian dh/dx (n, k, d) by autograd."""
    return vmap(jacrev(lambda row: encoder(row[None])[0]))(x)


def contraction(net, x, *noise):
    """‖J‖²_F (n,) at each image, from the model's term."""
    images = (net.terms(x[i : i + 1], tuple(part[i : i + 1] for part in noise)) for i in range(len(x)))
    return torch.stack([terms["contraction"] for terms in images]) / net.settings.weight


def test_contractive_with_weight_0_is_the_tied_vanilla_autoencoder_bit_for_bit():
    ensemble = fitted("contractive", weight=0.0)
    assert same(ensemble, fitted("vanilla", hidden=[], latent_dim=32, tied=True, code_activation="sigmoid"))
    assert (ensemble[1].terms["train.contraction"] == 0).all()


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_slopes_equal_autograd(activation):
    z = torch.linspace(-30, 30, 1201, dtype=torch.float64)[torch.arange(1201) != 600].requires_grad_()
    (gradient,) = torch.autograd.grad(ACTIVATIONS[activation](z).sum(), z)
    torch.testing.assert_close(
        DERIVATIVES[activation](z).detach(), gradient, rtol=1e-8, atol=1e-15
    )  # torch's softplus is z for z > 20


@pytest.mark.parametrize("last", ACTIVATIONS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_pullback_through_a_deep_encoder_equals_autograd(activation, last):
    deep = model("vanilla", hidden=[11, 7], latent_dim=5, activation=activation, code_activation=last)
    rows = torch.randn(20, 3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    expected = rows @ jacobian(deep.encode, X)
    torch.testing.assert_close(deep.encoder.pullback(X, rows, last), expected, rtol=1e-9, atol=1e-12)


def test_the_jacobian_of_the_lecture_and_its_inverse():
    """For x = [z1 + z2, 2 z1], J = [[1, 1], [2, 0]]; the inverse is z = [x2 / 2, x1 - x2 / 2]."""
    there, back = torch.tensor([[1.0, 1.0], [2.0, 0.0]]), torch.tensor([[0.0, 0.5], [1.0, -0.5]])
    identity, z = torch.eye(2)[None], torch.tensor([[3.0, -2.0]])
    for layers, expected in (([there], there), ([back], back), ([there, back], torch.eye(2)), ([back, there], torch.eye(2))):
        net = Dense([2] * (len(layers) + 1), "linear")
        assign(net, **{f"layers_{i}_weight": weight for i, weight in enumerate(layers)})
        assert torch.equal(net.pullback(z, identity, "linear")[0], expected)
    net = Dense([2, 2], "linear")
    assign(net, layers_0_weight=there)
    assert net(z).tolist() == [[3.0 - 2.0, 2 * 3.0]]


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "softplus", "linear"])
def test_closed_form_and_exact_contraction_equal_autograd(activation):
    """The penalties of all images agree with autograd to 1e-7 in float64."""
    shape = {"hidden": [], "latent_dim": 9, "code_activation": activation}
    expected = jacobian(model("contractive", **shape).encode, X).square().sum((1, 2))
    for method in ("closed_form", "exact"):
        norm = contraction(model("contractive", jacobian=method, **shape), X)
        torch.testing.assert_close(norm, expected, rtol=0, atol=1e-7)
        torch.testing.assert_close(norm, expected)


def test_the_contraction_is_the_weighted_mean_squared_norm_of_the_jacobian():
    for kind in ("contractive", "contractive/exact"):
        net = model(kind, weight=0.7)
        expected = 0.7 * jacobian(net.encode, X).square().sum((1, 2)).mean()
        torch.testing.assert_close(net.terms(X, ())["contraction"], expected)


@pytest.mark.parametrize("method", ["closed_form", "exact"])
def test_the_contraction_is_not_the_squared_gradient_of_the_summed_code(method):
    """A defect of other implementations: the penalty was (d sum_j h_j / dx)², which is 0 for two opposite units."""
    net = model("contractive", hidden=[], latent_dim=2, code_activation="linear", jacobian=method)
    weight = torch.linspace(1, 2, PIXELS, dtype=torch.float64)
    assign(net, encoder_layers_0_weight=torch.stack([weight, -weight]))
    expected = 2 * weight.square().sum()
    torch.testing.assert_close(contraction(net, X), expected.expand(20))


@pytest.mark.parametrize("kind", ["contractive", "contractive/exact", "contractive/hutchinson"])
def test_the_contraction_has_a_gradient_and_training_contracts(kind):
    """A defect of other implementations: integer division made the gradient 0 while a plausible norm was printed."""
    net = model(kind)
    penalty = net.terms(X, noise(net))["contraction"]
    (gradient,) = torch.autograd.grad(penalty, net.encoder.layers[0].weight)
    assert gradient.norm() > 0.01 * penalty
    norms = []
    for weight in (0.0, 3.0):
        ensemble, _ = fitted(kind, weight=weight, training=settings(epochs=10))
        net.load_state_dict({name: value[0] for name, value in ensemble.state.items()})
        norms.append(jacobian(net.encode, X).square().sum((1, 2)).mean())
    assert norms[1] < 0.8 * norms[0]


def signs(k):
    """All 2^k vectors of -1 and 1."""
    return 2.0 * torch.cartesian_prod(*[torch.arange(2, dtype=torch.float64)] * k) - 1


def test_hutchinsons_estimate_is_unbiased_over_all_probes():
    net = model("contractive/hutchinson", probes=16)
    norm = contraction(model("contractive/hutchinson", jacobian="exact"), X)
    torch.testing.assert_close(contraction(net, X, signs(4).expand(20, 16, 4)), norm)


@pytest.mark.parametrize("probes", [1, 2])
def test_hutchinsons_estimate_has_the_documented_variance(probes):
    """The variance is 2/p sum_{i≠j} (J Jᵀ)²_ij over all choices of p of the 2^k probes."""
    net = model("contractive/hutchinson", probes=probes)
    choices = torch.cartesian_prod(*[torch.arange(16)] * probes).view(-1, probes)
    estimates = torch.stack([contraction(net, X[:3], signs(4)[choice].expand(3, -1, -1)) for choice in choices])
    product = jacobian(net.encode, X[:3])
    product = product @ product.mT
    off = product - torch.diag_embed(product.diagonal(dim1=1, dim2=2))
    torch.testing.assert_close(estimates.var(0, correction=0), 2 / probes * off.square().sum((1, 2)))


def test_hutchinsons_probes_are_random_signs_for_every_image():
    (probes,) = make_ensemble("contractive/hutchinson", probes=3).model.draw(500, Streams(0).torch("noise"))
    assert probes.shape == (500, 3, 4) and set(probes.unique().tolist()) == {-1.0, 1.0}
    assert probes.mean().item() == pytest.approx(0, abs=0.05)
    assert len(probes[:, 0].unique(dim=0)) == 16


def test_a_free_decoder_can_defeat_the_penalty_and_a_tied_one_cannot():
    """With W halved and the decoder doubled, a linear model has the same reconstruction and a quarter of the penalty."""
    shape = {"hidden": [], "latent_dim": 5, "code_activation": "linear", "output": "linear", "weight": 1.0}
    assert "decoder.layers.0.weight" not in make_ensemble("contractive").state
    free = model("contractive", tied=False, **shape)
    before = free.terms(X, ())
    with torch.no_grad():
        for weight in free.encoder.parameters():
            weight /= 2
        free.decoder.layers[0].weight *= 2
    after = free.terms(X, ())
    torch.testing.assert_close(after["reconstruction"], before["reconstruction"])
    torch.testing.assert_close(after["contraction"], before["contraction"] / 4)


def test_the_closed_form_with_hidden_layers_is_an_error():
    with pytest.raises(InputError, match="jacobian must be exact or hutchinson for an encoder with hidden layers"):
        make_ensemble("contractive", hidden=[8])


# Stacked


LAYERS = {
    "ae": {"pretrainer": "ae", "latent_dim": 16},
    "dae": {"pretrainer": "dae", "latent_dim": 16, "corruption": 0.3},
    "sae": {"pretrainer": "sae", "latent_dim": 16, "weight": 0.1},
    "cae": {"pretrainer": "cae", "latent_dim": 16, "weight": 0.1},
}


def recorded(layers, seeds=(0, 1)):
    """A fitted stack and, for each training run: images, weights before and after, history, changed settings."""
    ensemble, trainings = make_ensemble("stacked", seeds, layers=layers), []
    train = descend(settings())

    def minimise(part, data, changes=None):
        before = {name: value.clone() for name, value in part.state.items()}
        history = train(part, data, changes)
        trainings.append((data, before, {name: value.clone() for name, value in part.state.items()}, history, changes))
        return history

    assert ensemble.model.fit(ensemble, images(), minimise) is trainings[-1][3]
    return ensemble, trainings


def test_every_pretrainer_is_tested():
    assert LAYERS.keys() == PRETRAINERS.keys()


@pytest.mark.parametrize("pretrainer", LAYERS)
def test_pretraining_one_layer_equals_training_that_model_bit_for_bit(pretrainer):
    layer = LAYERS[pretrainer]
    _, trainings = recorded([layer])
    kind = {"ae": "vanilla", "dae": "denoising", "sae": "sparse", "cae": "contractive"}[pretrainer]
    rest = {key: value for key, value in layer.items() if key != "pretrainer"}
    alone, history = fitted(kind, (0, 1), **{"hidden": []} | rest)
    assert same((type("Trained", (), {"state": trainings[0][2]}), trainings[0][3]), (alone, history))
    (net,), (stack,) = (
        make_ensemble(kind, **{"hidden": []} | rest).replicas(),
        make_ensemble("stacked", layers=[layer]).replicas(),
    )
    assert torch.equal(stack("encode", random_images(9)), net("encode", random_images(9)))
    h = net("encode", random_images(9))
    assert torch.equal(stack("decode", h), net("decode", h))


def test_each_seed_passes_its_own_clean_codes_to_the_next_layer():
    _, trainings = recorded([LAYERS["dae"] | {"code_activation": "sigmoid"}, {"pretrainer": "ae", "latent_dim": 4}])
    (below, _, trained, _, _), (above, *_), _ = trainings
    assert torch.equal(below.train, images().train)
    for part in ("train", "validation"):
        x, codes = getattr(images(), part), getattr(above, part)
        assert codes.shape == (2, len(x), 16)
        for s in range(2):
            clean = torch.sigmoid(x @ trained["encoder.layers.0.weight"][s].T + trained["encoder.layers.0.bias"][s])
            torch.testing.assert_close(codes[s], clean)


def test_pretraining_leaves_lower_layers_unchanged_and_fine_tuning_starts_from_all():
    ensemble, trainings = recorded([LAYERS["dae"], LAYERS["sae"] | {"latent_dim": 8}, {"pretrainer": "ae", "latent_dim": 4}])
    assert len(trainings) == 4
    pretrained = {f"layers.{i}.{name}": value for i in range(3) for name, value in trainings[i][2].items()}
    assert equal(trainings[3][1], {name: pretrained[name] for name in trainings[3][1]})
    start = make_ensemble("stacked", (0, 1), layers=ensemble.model.settings.layers).state
    for i in range(3):
        assert equal(trainings[i][1], {name: start[f"layers.{i}.{name}"] for name in trainings[i][1]})
    assert not any(torch.equal(ensemble.state[name], pretrained[name]) for name in pretrained if name.endswith("weight"))


def test_the_training_settings_of_a_layer_do_not_apply_to_fine_tuning():
    _, trainings = recorded([LAYERS["ae"] | {"training": {"epochs": 5}}, {"pretrainer": "ae", "latent_dim": 4}])
    assert [len(history.terms["train.loss"]) for *_, history, _ in trainings] == [5, 3, 3]
    assert [changes for *_, changes in trainings] == [{"epochs": 5}, {}, None]


def test_fine_tuning_uses_the_image_error_through_all_layers_in_order():
    """The layers are f1, f2, f3, g3, g2, g1; all widths are equal, so that only the values depend on the order."""
    layer = {"pretrainer": "ae", "latent_dim": PIXELS, "output": "linear"}
    stack = model("stacked", layers=[layer] * 3)
    f, g = ([getattr(net, part).layers[0] for net in stack.layers] for part in ("encoder", "decoder"))
    torch.testing.assert_close(stack.encode(X), f[2](f[1](f[0](X))))
    unrolled = g[0](g[1](g[2](f[2](f[1](f[0](X))))))
    torch.testing.assert_close(stack.decode(stack.encode(X)), unrolled)
    torch.testing.assert_close(stack.decode(stack.encode(X), down_to=2), g[2](f[2](f[1](f[0](X)))))
    torch.testing.assert_close(stack.terms(X, ())["reconstruction"], (X - unrolled).square().sum(1).mean())


def test_fine_tuning_uses_the_first_layers_likelihood():
    stack = model(
        "stacked", layers=[{"pretrainer": "ae", "latent_dim": 8, "loss": "bernoulli"}, {"pretrainer": "ae", "latent_dim": 4}]
    )
    expected = -Bernoulli(stack.decode(stack.encode(X)), validate_args=False).log_prob(X).sum(1).mean()
    torch.testing.assert_close(stack.terms(X, ())["reconstruction"], expected)


def test_fine_tuning_has_no_corruption_and_no_penalty():
    ensemble = make_ensemble("stacked", layers=[LAYERS["dae"], LAYERS["cae"]])
    assert draws(ensemble, 5) == ()
    assert set(ensemble.terms(X.float()[None], ())) == {"reconstruction"}


# Variational


def halves(net, x):
    """μ and log σ² of q(z|x)."""
    return net.encoder(x).chunk(2, -1)


def decoded_from(net, x, draw):
    """Codes z (n, K, k) that `terms` decodes."""
    inputs = []
    handle = net.decoder.register_forward_pre_hook(lambda _, arguments: inputs.append(arguments[0]))
    net.terms(x, draw)
    handle.remove()
    (z,) = inputs
    return z


def test_samples_are_from_q_and_the_code_is_its_mean():
    """z = μ + σ ε for the drawn ε, so samples have mean μ and variance σ²; `encode` does not sample."""
    net = model("variational", samples=4000, latent_dim=3)
    draw, (mean, log_variance) = noise(net, 6), halves(net, X[:6])
    z = decoded_from(net, X[:6], draw).detach()
    torch.testing.assert_close(z, (mean[:, None] + log_variance.exp().sqrt()[:, None] * draw[0]).detach())
    spread = log_variance.exp().sqrt().detach()
    assert ((z.mean(1) - mean.detach()).abs() < 4 * spread / 4000**0.5).all()
    assert ((z.std(1) / spread - 1).abs() < 0.06).all()
    assert torch.equal(net.encode(X), halves(net, X)[0])


def test_samples_differ_by_image_by_k_and_by_seed():
    ensemble = make_ensemble("variational", (0, 1), samples=3)
    epsilon, _ = draws(ensemble, 50)
    assert epsilon.shape == (2, 50, 3, 4) and len(epsilon.unique()) == epsilon.numel()
    assert epsilon.mean().item() == pytest.approx(0, abs=0.1) and epsilon.std().item() == pytest.approx(1, abs=0.1)
    generated = [ensemble.model.prior(50, Streams(seed).torch("evaluation")) for seed in (0, 0, 1)]
    assert torch.equal(generated[0], generated[1]) and not torch.equal(generated[0], generated[2])
    assert generated[0].shape == (50, 4) and generated[0].std().item() == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("observation", ["bernoulli", "gaussian"])
def test_reconstruction_is_the_negative_log_likelihood_averaged_over_samples(observation):
    net = model("variational", observation=observation, variance=0.2, samples=3)
    draw = noise(net)
    decoded = net.decode(decoded_from(net, X, draw))
    density = {"bernoulli": lambda p: Bernoulli(p, validate_args=False), "gaussian": lambda m: Normal(m, 0.2**0.5)}
    expected = -density[observation](decoded).log_prob(X[:, None]).sum(2).mean()
    torch.testing.assert_close(net.terms(X, draw)["reconstruction"], expected)


def test_terms_of_k_samples_are_the_mean_of_k_single_samples():
    many, one = model("variational", samples=3), model("variational")
    epsilon, beta = noise(many)
    singles = [one.terms(X, (epsilon[:, k : k + 1], beta)) for k in range(3)]
    for name, value in many.terms(X, (epsilon, beta)).items():
        torch.testing.assert_close(value, sum(single[name] for single in singles) / 3)


def test_the_squared_error_of_a_vae_is_not_halved():
    """A defect of other implementations: SSE / 2 of one model was compared with SSE of another. Here d/2 log π is added."""
    net = model("variational", observation="gaussian")
    draw = noise(net)
    decoded = net.decode(decoded_from(net, X, draw))[:, 0]
    constant = PIXELS / 2 * math.log(math.pi)
    assert net.terms(X, draw)["reconstruction"].item() == pytest.approx(sum_of_squares(X, decoded.detach()) + constant)
    vanilla = model("vanilla")
    error = sum_of_squares(X, vanilla.decode(vanilla.encode(X)).detach())
    assert vanilla.terms(X, ())["reconstruction"].item() == pytest.approx(error)


@pytest.mark.parametrize("beta", [1.0, 0.25, 4.0])
def test_the_effective_beta_is_the_reported_one(beta):
    """A defect of other implementations: the KL was averaged over units, an effective β / k."""
    net = model("variational", beta=beta, warm_up=0.0)
    mean, log_variance = halves(net, X)
    divergence = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum(1).mean()
    assert net.terms(X, noise(net))["divergence"].item() / divergence.item() == pytest.approx(beta)
    assert net.facts["effective beta"] == beta


def test_beta_weights_only_the_divergence():
    one, four = (model("variational", beta=beta) for beta in (1.0, 4.0))
    a, b = one.terms(X, noise(one)), four.terms(X, noise(four))
    assert torch.equal(a["reconstruction"], b["reconstruction"])
    torch.testing.assert_close(b["divergence"], 4 * a["divergence"])


def test_the_divergence_is_positive_and_its_gradient_leads_to_the_prior():
    """Defects of other implementations: clamp(KL, 0, capacity) with capacity 0 was always 0; the KL had the wrong sign."""
    net = model("variational")
    before = net.terms(X, noise(net))["divergence"]
    assert before.item() > 0.1
    with torch.no_grad():
        gradients = torch.autograd.grad(before, net.encoder.parameters())
        for weight, gradient in zip(net.encoder.parameters(), gradients, strict=True):
            weight -= 1e-3 * gradient
    assert net.terms(X, noise(net))["divergence"].item() < before.item() - 1e-4


def test_the_divergence_is_0_if_q_is_the_prior():
    net = model("variational")
    assign(net)
    assert net.terms(X, noise(net))["divergence"].item() == 0


@pytest.mark.parametrize(("progress", "beta"), [(0.0, 0.0), (0.25, 1.0), (0.5, 2.0), (1.0, 2.0)])
def test_beta_increases_linearly_from_0_during_warm_up(progress, beta):
    net = model("variational", beta=2.0, warm_up=0.5)
    assert (noise(net, progress=progress)[1] == beta).all()
    assert (noise(model("variational", beta=2.0, warm_up=0.0), progress=progress)[1] == 2).all()


def test_validation_uses_the_final_beta():
    """A defect of other implementations: training and validation used different weights of the KL."""
    frozen = settings(epochs=4, learning_rate=1e-30)
    ensemble, history = fitted(
        "variational", data=Images(random_images(112), random_images(112)), training=frozen, beta=3.0, warm_up=0.5
    )
    (replica,) = ensemble.replicas()
    mean, log_variance = replica("encoder", random_images(112)).chunk(2, -1)
    full = 3 * kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum(1).mean().item()
    assert history.terms["validation.divergence"][:, 0] == pytest.approx([full] * 4, rel=1e-4)
    assert history.terms["train.divergence"][:, 0] == pytest.approx([0, full / 2, full, full], rel=1e-4, abs=1e-9)


def test_the_optimal_learnt_variance_is_the_mean_squared_error():
    """The gradient is 0 at the optimum, negative below and positive above, and training converges to the optimum."""
    net = model("variational/gaussian")
    draw = noise(net)
    error = (net.decode(decoded_from(net, X, draw)) - X[:, None]).square().mean().item()
    for factor, sign in ((0.5, -1), (1.0, 0), (2.0, 1)):
        with torch.no_grad():
            net.log_variance.fill_(math.log(factor * error))
        (gradient,) = torch.autograd.grad(net.terms(X, draw)["reconstruction"], net.log_variance)
        assert gradient.item() == pytest.approx(0, abs=1e-9) if sign == 0 else gradient.item() * sign > 0.1
    ensemble, _ = fitted(
        "variational/gaussian", training=settings(epochs=150), data=Images(random_images(112), random_images(112))
    )
    (replica,) = ensemble.replicas()
    learnt, x = replica.state["log_variance"].exp().item(), random_images(112)
    error = sum_of_squares(x, replica("decode", replica("encode", x))) / PIXELS
    assert error < learnt < 1.5 * error


def test_a_fixed_variance_is_not_a_parameter():
    assert "log_variance" in make_ensemble("variational/gaussian").state
    assert "log_variance" not in make_ensemble("variational", observation="gaussian", variance=0.1).state


def test_the_iwae_bound_of_one_sample_is_the_elbo_in_expectation():
    """For the same draws the likelihoods are equal, and the sampled divergence is an unbiased estimate of the exact one."""
    elbo, iwae = (model("variational", bound=bound, beta=beta, latent_dim=2) for bound, beta in (("elbo", 0.7), ("iwae", 0.7)))
    x = X[:1].expand(40000, -1)
    draw = noise(elbo, 40000)
    losses = [sum(net.terms(x, draw).values()).item() for net in (elbo, iwae)]
    assert losses[1] == pytest.approx(losses[0], abs=0.02)
    assert set(iwae.terms(x, draw)) == {"bound"}


def linear_gaussian(posterior_variance=1.0, **changes):
    """A variational model with the weights of probabilistic PCA, and images near ½, where the sigmoid is linear.

    p(x|z) = N(½ + W z, s²) with orthogonal columns, so that the posterior is diagonal and a linear encoder can be exact;
    `posterior_variance` is a factor that makes q wrong. Returns model, images (20, d), log p(x), D[q ‖ p(z|x)].
    """
    variance = 1e-4
    columns = torch.linalg.qr(torch.randn(PIXELS, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(2))).Q
    weight = columns * torch.tensor([0.02, 0.01], dtype=torch.float64)
    spread = 1 / (1 + weight.square().sum(0) / variance)
    up = spread[:, None] * weight.T / variance
    net = model("variational", hidden=[], latent_dim=2, observation="gaussian", variance=variance, warm_up=0.0, **changes)
    assign(
        net,
        encoder_layers_0_weight=torch.cat([up, torch.zeros_like(up)]),
        encoder_layers_0_bias=torch.cat([-0.5 * up.sum(1), (posterior_variance * spread).log()]),
        decoder_layers_0_weight=4 * weight,
    )
    identity = torch.eye(PIXELS, dtype=torch.float64)
    density = MultivariateNormal(identity[0] * 0 + 0.5, weight @ weight.T + variance * identity)
    x = 0.5 + torch.randn(20, PIXELS, dtype=torch.float64, generator=torch.Generator().manual_seed(3)) @ density.scale_tril.T
    gap = kl_divergence(Normal(0.0, (posterior_variance * spread).sqrt()), Normal(0.0, spread.sqrt())).sum()
    return net, x, density.log_prob(x).mean().item(), gap.item()


def bound_of(net, x, repeats=1):
    with torch.no_grad():
        return -sum(net.terms(x.repeat(repeats, 1), noise(net, repeats * len(x))).values()).item()


@pytest.mark.parametrize("bound", ["elbo", "iwae"])
def test_the_bound_of_a_linear_gaussian_vae_equals_probabilistic_pca(bound):
    """If q is the true posterior, both bounds are log p(x), to within 0.05 nat."""
    net, x, evidence, _ = linear_gaussian(bound=bound, samples=5)
    assert bound_of(net, x, 50) == pytest.approx(evidence, abs=0.05)


def test_elbo_is_below_iwae_and_iwae_below_the_evidence():
    """If q is four times too wide, the ELBO is lower by the divergence of q, and IWAE approaches log p(x) as K increases."""
    net, x, evidence, gap = linear_gaussian(4.0)
    elbo = bound_of(net, x, 4000)
    assert gap > 1 and elbo == pytest.approx(evidence - gap, abs=0.05)
    iwae = [bound_of(linear_gaussian(4.0, bound="iwae", samples=k)[0], x, 6400 // k) for k in (1, 4, 64)]
    assert iwae[0] == pytest.approx(elbo, abs=0.05)
    assert iwae[0] < iwae[1] - 0.1 < iwae[2] - 0.2 and iwae[2] < evidence + 0.05
    assert iwae[2] == pytest.approx(evidence, abs=0.05)


# Classifier


def classifier(classes=3):
    with Streams(0).initialising():
        return Classifier(build(small_settings("vanilla"), PIXELS), classes).double()


def labelled(classes=3):
    labels = torch.arange(len(X)) % classes
    return torch.cat([X, torch.eye(classes, dtype=torch.float64)[labels]], 1), labels


@pytest.mark.parametrize("classes", [2, 10])
def test_an_untrained_classifier_gives_equal_probabilities(classes):
    images, _ = labelled(classes)
    net = classifier(classes)
    torch.testing.assert_close(torch.softmax(net.encode(X), 1), torch.full((20, classes), 1 / classes).double())
    assert net.terms(images, ())["cross_entropy"].item() == pytest.approx(math.log(classes))


def test_the_cross_entropy_equals_torch():
    images, labels = labelled()
    net = classifier()
    with torch.no_grad():
        net.head.weight.normal_(generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(net.terms(images, ())["cross_entropy"], cross_entropy(net.encode(X), labels))


def test_a_classifier_trains_the_encoder_but_not_the_decoder():
    """The head is initialised with 0, so the gradient of the encoder is 0 in the first step and not later."""
    images, _ = labelled()
    net = classifier()
    for step in range(2):
        gradients = torch.autograd.grad(net.terms(images, ())["cross_entropy"], net.parameters(), allow_unused=True)
        named = {name: g for (name, _), g in zip(net.named_parameters(), gradients, strict=True)}
        assert (named["encoder.encoder.layers.0.weight"].norm() > 1e-4) == (step == 1)
        assert all(g is None for name, g in named.items() if "decoder" in name)
        with torch.no_grad():
            net.head.weight -= named["head.weight"]
