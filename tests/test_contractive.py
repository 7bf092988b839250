"""The contractive autoencoder: Jacobians, the penalty and its estimates, and the vanilla autoencoder as its limit."""

import pytest
import torch
from family import PIXELS, X, assign, fitted, make_ensemble, model, noise, same, settings
from torch.func import jacrev, vmap

from aebench.errors import InputError
from aebench.models.activations import ACTIVATIONS, DERIVATIVES
from aebench.models.layers import Dense
from aebench.randomness import Streams


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
        assign(net, **{f"layers_{i}_weight": weight.T for i, weight in enumerate(layers)})
        assert torch.equal(net.pullback(z, identity, "linear")[0], expected)
    net = Dense([2, 2], "linear")
    assign(net, layers_0_weight=there.T)
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
    assign(net, encoder_layers_0_weight=torch.stack([weight, -weight], 1))
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
