"""The sparse autoencoder: its penalties, and the vanilla autoencoder as its limit."""

import math

import pytest
import torch
from family import X, assign, fitted, images, make_ensemble, model, same, settings, small_settings
from torch.distributions import Bernoulli, kl_divergence

from aebench.errors import InputError


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


def test_method_2_of_the_lecture():
    """Hidden ReLU, reconstruction softplus, L = MSE + λ ‖a‖₁, by hand from the weights."""
    settings = {"penalty": "l1", "code_activation": "relu", "output": "softplus", "tied": False, "weight": 0.3, "latent_dim": 8}
    ensemble = make_ensemble("sparse", **settings)
    (model,), x = ensemble.replicas(), X.float()
    w, b = (model.state[f"encoder.layers.0.{name}"] for name in ("weight", "bias"))
    v, c = (model.state[f"decoder.layers.0.{name}"] for name in ("weight", "bias"))
    a = (x @ w + b).clamp(min=0)
    y = (a @ v + c).exp().log1p()
    terms = model("terms", x, ())
    torch.testing.assert_close(terms["reconstruction"], (x - y).square().sum(1).mean())
    torch.testing.assert_close(terms["sparsity"], 0.3 * a.sum(1).mean())
    assert (model("decode", a) > 0).all()
