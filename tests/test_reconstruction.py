"""Tests of SSE, PSNR, FVU, SSIM, cross-entropy, and reconstructions from samples of q(z|x)."""

import math
from dataclasses import replace

import pytest
import torch
from family import KINDS, PIXELS
from representations import PERFECT, USELESS, representation, represented, trained, view
from skimage.metrics import structural_similarity

from aebench.evaluation.arrays.reconstruction import sampled_reconstructions
from aebench.evaluation.metrics import METRICS, PROFILES, reconstruction

LABELS = torch.arange(6) % 3


def representation_of(x, y, labels=LABELS, **parts):
    codes = torch.zeros(len(x), 1)
    return representation(codes, codes, labels, labels, x, y, **parts)


def score(name, r):
    return METRICS[name].measure(r)


# Squared error


def test_unrelated_images_score_twice_the_variance():
    assert score("mse", USELESS) == pytest.approx(2 / 12, rel=0.05)
    assert score("sse", USELESS) == pytest.approx(16 * 2 / 12, rel=0.05)
    assert score("psnr", USELESS) == pytest.approx(-10 * math.log10(1 / 6), abs=0.2)
    assert score("fvu", USELESS) == pytest.approx(2, rel=0.03)


@pytest.mark.parametrize("pixels", [4, 100])
def test_adversarial_one_wrong_pixel_has_sse_1_and_mse_1_over_pixels(pixels):
    """Errors are summed over pixels and averaged over images, not the other way round."""
    x = torch.zeros(6, pixels)
    y = x.clone()
    y[:, -1] = 1
    assert score("sse", representation_of(x, y)) == 1
    assert score("mse", representation_of(x, y)) == pytest.approx(1 / pixels)
    assert score("psnr", representation_of(x, y)) == pytest.approx(10 * math.log10(pixels))


def test_the_mean_image_has_fvu_1():
    mean = PERFECT.images.mean(0).expand_as(PERFECT.images)
    assert score("fvu", replace(PERFECT, reconstructions=mean)) == pytest.approx(1, rel=1e-6)


def test_fvu_is_nan_if_all_images_are_equal():
    assert math.isnan(score("fvu", representation_of(torch.full((6, 64), 0.1), torch.zeros(6, 64))))


def test_adversarial_variance_is_about_the_mean_image_not_the_mean_pixel():
    """The images differ little from a mean image with strong contrast."""
    x = (torch.arange(64) % 2).float() + 0.01 * torch.rand(6, 64, generator=torch.Generator().manual_seed(0))
    assert score("fvu", representation_of(x, x.mean().expand_as(x))) > 1000


def test_sse_by_class_averages_over_the_images_of_each_class():
    y = torch.zeros(6, 4)
    y[:, 0] = torch.tensor([1.0, 2, 3, 1, 2, 6]).sqrt()
    assert PROFILES["sse_by_class"].measure(representation_of(torch.zeros(6, 4), y)) == pytest.approx(
        {"0": 1, "1": 2, "2": 4.5}
    )


def test_adversarial_sse_weighs_images_not_classes():
    y = torch.zeros(6, 4)
    y[5] = 1
    r = representation_of(torch.zeros(6, 4), y, torch.tensor([0, 0, 0, 0, 0, 7]))
    assert PROFILES["sse_by_class"].measure(r) == {"0": 0, "7": 4}
    assert score("sse", r) == pytest.approx(4 / 6)


# Structural similarity


@pytest.mark.parametrize("shape", [(8, 8), (28, 28), (7, 12), (9, 8, 3)])
def test_ssim_agrees_with_scikit_image(shape, monkeypatch):
    monkeypatch.setattr(reconstruction, "BLOCK", 4)
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(6, math.prod(shape), generator=generator).square()
    r = representation_of(x, 0.7 * x + 0.4 * torch.rand(x.shape, generator=generator), shape=shape)
    pairs = zip(r.images.double().numpy(), r.reconstructions.double().numpy(), strict=True)
    channel = -1 if len(shape) == 3 else None
    expected = [structural_similarity(a.reshape(shape), b.reshape(shape), data_range=1, channel_axis=channel) for a, b in pairs]
    assert score("ssim", r) == pytest.approx(sum(expected) / len(expected), abs=1e-9)


def test_unrelated_noise_has_ssim_0():
    x, y = torch.rand(2, 500, 64, generator=torch.Generator().manual_seed(1))
    assert score("ssim", representation_of(x, y, torch.zeros(500).long(), shape=(8, 8))) == pytest.approx(0, abs=0.02)


def test_adversarial_a_flat_image_with_the_correct_mean_has_no_structure():
    """The luminance term is near 1, but its product with contrast and structure is near 0."""
    flat = PERFECT.images.mean(1, keepdim=True).expand(-1, 64)
    assert 0 < score("ssim", replace(PERFECT, reconstructions=flat)) < 0.01


def test_ssim_is_nan_for_images_smaller_than_a_window():
    assert math.isnan(score("ssim", representation_of(torch.zeros(6, 240), torch.zeros(6, 240), shape=(6, 40))))


# Bernoulli


def test_cross_entropy_agrees_with_torch():
    x, y = torch.rand(2, 6, 64, generator=torch.Generator().manual_seed(1)).clamp(0.01, 0.99)
    expected = torch.nn.functional.binary_cross_entropy(y.double(), x.double(), reduction="sum") / 6
    assert score("cross_entropy", representation_of(x, y)) == pytest.approx(float(expected), rel=1e-12)


def test_a_copy_costs_the_entropy_of_its_pixels_and_one_half_costs_log_2_per_pixel():
    grey = torch.full((6, 64), 0.25)
    assert score("cross_entropy", representation_of(grey, grey)) == pytest.approx(
        -64 * (0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    )
    half = torch.full_like(PERFECT.images, 0.5)
    assert score("cross_entropy", replace(PERFECT, reconstructions=half)) == pytest.approx(64 * math.log(2))


def test_adversarial_wrong_pixels_rounded_to_0_or_1_have_a_finite_cost():
    """In float32, 0 and 1 may be values of a sigmoid that were rounded by up to 2⁻²⁴."""
    assert score("cross_entropy", replace(PERFECT, reconstructions=1 - PERFECT.images)) == pytest.approx(64 * 24 * math.log(2))


@pytest.mark.parametrize("value", [-1e-3, 1.001, math.nan])
def test_cross_entropy_is_nan_outside_0_to_1(value):
    y = PERFECT.images.clone()
    y[3, 5] = value
    assert math.isnan(score("cross_entropy", replace(PERFECT, reconstructions=y)))


# Samples of q(z|x)


def test_one_sample_of_the_posterior_is_decoded_per_image():
    """The decoded code is z = μ + σ ε with the seed's ε, neither μ nor μ + σ² ε."""
    model, ensemble = trained("variational", seeds=(3,))
    replica, (r,) = next(ensemble.replicas()), represented(model)
    mean, log_variance = replica("posterior", r.images)
    epsilon = torch.randn(mean.shape, generator=view(replica, r.images, r.labels).generator(3))
    expected = replica("decode", mean + torch.sqrt(log_variance.exp()) * epsilon)
    torch.testing.assert_close(r.sampled_reconstructions, expected)
    assert score("sse_sampled", r) == pytest.approx(reconstruction.sum_of_squares(r.images, expected))
    assert not torch.allclose(r.sampled_reconstructions, r.reconstructions, atol=1e-3)


def test_equal_images_in_several_blocks_get_different_samples(monkeypatch):
    _, ensemble = trained("variational", seeds=(3,))
    monkeypatch.setattr("aebench.evaluation.arrays.reconstruction.BLOCK", 4)
    samples = sampled_reconstructions(view(next(ensemble.replicas()), torch.full((10, PIXELS), 0.5), torch.zeros(10).long()))
    assert len(samples.unique(dim=0)) == 10


@pytest.mark.parametrize("kind", KINDS)
def test_only_models_with_a_posterior_are_sampled(kind):
    (r,) = represented(trained(kind, seeds=(3,))[0])
    assert (r.sampled_reconstructions is not None) == kind.startswith("variational")
    assert math.isnan(score("sse_sampled", r)) != kind.startswith("variational")
