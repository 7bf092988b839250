"""The mean image, the random encoder and PCA give the known results, and a linear autoencoder is PCA."""

import pytest
import torch
from family import PIXELS, fitted, images, make_ensemble, random_images, settings

from aebench.evaluation.metrics.reconstruction import sum_of_squares
from aebench.models import Images


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


@pytest.mark.parametrize("hidden", [[], [24]])
def test_the_decoder_of_a_wide_random_code_generalises(hidden):
    """Codes with more units than pixels are collinear up to rounding, which must not be fitted."""
    ensemble, _ = fitted("random_encoder", seeds=range(5), hidden=hidden, latent_dim=64)
    assert ensemble.state["readout"].abs().max() < 100
    unseen = random_images(500, seed=3)
    for model in ensemble.replicas():
        assert sum_of_squares(unseen, model("decode", model("encode", unseen))) < 0.1


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
    cosines = torch.linalg.svdvals(torch.linalg.qr(basis).Q.T @ p.state["components"])
    assert cosines.min() > 0.9999
