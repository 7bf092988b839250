"""The vanilla autoencoder: its layers, tied weights, initial weights and losses."""

import pytest
import torch
from family import PIXELS, X, equal, make_ensemble, model, random_images


def test_equal_seeds_give_models_equal_initial_weights():
    assert equal(make_ensemble("vanilla", [2]).state, make_ensemble("denoising", [2]).state)
    wide, narrow = (make_ensemble("vanilla", [2], latent_dim=k).state["encoder.layers.0.weight"] for k in (5, 2))
    assert torch.equal(wide, narrow)


def test_a_tied_decoder_is_the_transposed_encoder():
    ensemble = make_ensemble("vanilla", hidden=[], latent_dim=3, tied=True, output="linear")
    (model,) = ensemble.replicas()
    weight = model.state["encoder.layers.0.weight"]
    torch.testing.assert_close(model("decode", torch.eye(3)), weight.T)
    assert sum("weight" in name for name in ensemble.state) == 1


def test_a_deep_tied_decoder_mirrors_its_encoder():
    ensemble = make_ensemble("vanilla", hidden=[8, 4], latent_dim=2, tied=True, output="linear", activation="linear")
    (model,) = ensemble.replicas()
    first, second, third = (model.state[f"encoder.layers.{i}.weight"] for i in range(3))
    torch.testing.assert_close(model("decode", torch.eye(2)), (first @ second @ third).T)


def test_a_bernoulli_reconstruction_is_a_probability():
    (model,) = make_ensemble("vanilla", loss="bernoulli", output="linear").replicas()
    reconstruction = model("decode", model("encode", random_images(9)))
    assert reconstruction.min() > 0 and reconstruction.max() < 1


def test_the_identity_of_an_overcomplete_vanilla_autoencoder_has_no_loss():
    ensemble = make_ensemble("vanilla", hidden=[], latent_dim=2 * PIXELS, output="linear")
    identity = torch.eye(PIXELS, 2 * PIXELS)
    ensemble.load({"encoder.layers.0.weight": identity, "decoder.layers.0.weight": identity.T})
    assert {name: value.item() for name, value in ensemble.terms(X.float()[None], ()).items()} == {"reconstruction": 0}


def test_logistic_pca_is_a_linear_code_with_a_logistic_output():
    """The model `logistic_pca` (Hinton & Salakhutdinov 2006) is vanilla without hidden layers and with a Bernoulli loss."""
    pca = model("vanilla", hidden=[], latent_dim=4, loss="bernoulli")
    down, up = pca.encoder.layers[0], pca.decoder.layers[0]
    probability = torch.sigmoid((X @ down.weight + down.bias) @ up.weight + up.bias)
    expected = -(X * probability.log() + (1 - X) * (1 - probability).log()).sum(1).mean()
    torch.testing.assert_close(pca.terms(X, ())["reconstruction"], expected)
    torch.testing.assert_close(pca.decode(pca.encode(X)), probability)


def test_uniform_initialisation_has_its_range_in_encoder_and_decoder():
    """Weights are from U[-1/sqrt(fan_in), 1/sqrt(fan_in)] (Erhan et al. 2009), with variance 1 / (3 fan_in); biases are 0."""
    state = make_ensemble("vanilla", hidden=[64], latent_dim=100, initialisation="uniform", activation="sigmoid").state
    for name, value in state.items():
        if name.endswith("bias"):
            assert (value == 0).all(), name
        else:
            edge = value.shape[1] ** -0.5
            assert 0.97 * edge < value.abs().max() <= edge, name
            assert value.var().item() == pytest.approx(edge**2 / 3, rel=0.1), name


@pytest.mark.parametrize("activation", ["relu", "silu", "gelu"])
def test_scaled_initialisation_has_glorots_variance_doubled_before_a_rectifier(activation):
    state = make_ensemble("vanilla", hidden=[64], latent_dim=100, activation=activation).state
    for name, gain in (("encoder.layers.0", 2), ("encoder.layers.1", 1), ("decoder.layers.0", 2), ("decoder.layers.1", 1)):
        weight = state[f"{name}.weight"]
        assert weight.var().item() == pytest.approx(gain * 2 / sum(weight.shape[1:]), rel=0.1), name
