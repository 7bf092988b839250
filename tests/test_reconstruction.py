"""How much of the image comes back: structure against scikit-image, likelihood against torch, samples and classes by hand."""

import math
from dataclasses import replace

import pytest
import torch
from family import KINDS, PIXELS
from representations import PERFECT, USELESS, representation, seen, trained, view
from skimage.metrics import structural_similarity

from aebench.metrics import METRICS, PROFILES, reconstruction
from aebench.representation.sampled import sampled_reconstructions

LABELS = torch.arange(6) % 3


def pair(shape, n=6, seed=0, **parts):
    """Images that are smooth in places and reconstructions that are a little off, beyond [0, 1] too."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(n, math.prod(shape), generator=generator).square()
    y = 0.7 * x + 0.4 * torch.rand(x.shape, generator=generator)
    return representation(LABELS[:, None].float(), LABELS[:, None].float(), LABELS, LABELS, x, y, shape=shape, **parts)


def measured(name, r):
    return METRICS[name].measure(r)


# Structural similarity


@pytest.mark.parametrize("shape", [(8, 8), (28, 28), (7, 12), (9, 8, 3)])
def test_structural_similarity_agrees_with_scikit_image(shape, monkeypatch):
    monkeypatch.setattr(reconstruction, "BLOCK", 4)
    r = pair(shape)
    channel = -1 if len(shape) == 3 else None
    couples = zip(r.images.double().numpy(), r.reconstructions.double().numpy(), strict=True)
    expected = [
        structural_similarity(x.reshape(shape), y.reshape(shape), data_range=1, channel_axis=channel) for x, y in couples
    ]
    assert measured("ssim", r) == pytest.approx(sum(expected) / len(expected), abs=1e-9)


def test_noise_has_no_structure_in_common_with_noise():
    x, y = torch.rand(2, 500, 64, generator=torch.Generator().manual_seed(1))
    labels = torch.zeros(500).long()
    assert measured("ssim", representation(x, x, labels, labels, x, y, shape=(8, 8))) == pytest.approx(0, abs=0.02)


def test_adversarial_similarity_a_flat_grey_image_has_the_means_and_no_structure():
    """Each window's own mean would score 1 on luminance; what counts is the product with contrast, here near 0."""
    flat = PERFECT.images.mean(1, keepdim=True).expand(-1, 64)
    assert 0 < measured("ssim", replace(PERFECT, reconstructions=flat)) < 0.01


def test_images_smaller_than_a_window_have_no_structural_similarity():
    assert math.isnan(measured("ssim", pair((6, 40))))


# Bernoulli


def test_cross_entropy_agrees_with_torch_where_it_is_defined():
    x, y = torch.rand(2, 6, 64, generator=torch.Generator().manual_seed(1)).clamp(0.01, 0.99)
    r = representation(x, x, LABELS, LABELS, x, y)
    expected = torch.nn.functional.binary_cross_entropy(y.double(), x.double(), reduction="sum") / 6
    assert measured("bernoulli", r) == pytest.approx(float(expected), rel=1e-12)


def test_a_copy_costs_the_entropy_of_its_pixels_and_one_half_costs_a_bit_each():
    grey = torch.full((6, 64), 0.25)
    entropy = -64 * (0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    assert measured("bernoulli", replace(PERFECT, images=grey, reconstructions=grey)) == pytest.approx(entropy)
    half = torch.full_like(PERFECT.images, 0.5)
    assert measured("bernoulli", replace(PERFECT, reconstructions=half)) == pytest.approx(64 * math.log(2))


def test_adversarial_cross_entropy_surely_wrong_pixels_cost_what_float32_can_tell_and_stay_finite():
    """Rounded to 0 and 1 in float32, a sigmoid may still be 2⁻²⁴ away: no pixel costs more, none an infinity."""
    assert measured("bernoulli", replace(PERFECT, reconstructions=1 - PERFECT.images)) == pytest.approx(64 * 24 * math.log(2))


@pytest.mark.parametrize("value", [-1e-3, 1.001, math.nan])
def test_what_is_no_probability_has_no_likelihood(value):
    y = PERFECT.images.clone()
    y[3, 5] = value
    assert math.isnan(measured("bernoulli", replace(PERFECT, reconstructions=y)))


# Shares, classes, samples


def test_the_mean_image_leaves_all_of_the_variance_and_noise_leaves_twice():
    mean = PERFECT.images.mean(0).expand_as(PERFECT.images)
    assert measured("fvu", replace(PERFECT, reconstructions=mean)) == pytest.approx(1, rel=1e-6)
    assert measured("fvu", USELESS) == pytest.approx(2, rel=0.03)
    assert math.isnan(measured("fvu", replace(PERFECT, images=torch.full((9, 64), 0.1), reconstructions=PERFECT.images[:9])))


def test_adversarial_variance_is_about_the_mean_image_not_about_the_mean_pixel():
    """Images that hardly differ, with bright and dark pixels: their mean image is close, one grey is far."""
    x = (torch.arange(64) % 2).float() + 0.01 * torch.rand(50, 64, generator=torch.Generator().manual_seed(0))
    assert measured("fvu", replace(PERFECT, images=x, reconstructions=x.mean().expand_as(x))) > 1000


def test_each_class_has_the_error_of_its_own_images():
    errors = torch.tensor([1.0, 2, 3, 1, 2, 6])
    x, y = torch.zeros(2, 6, 4)
    y[:, 0] = errors.sqrt()
    r = representation(x, x, LABELS, LABELS, x, y)
    assert PROFILES["sse_by_class"].measure(r) == pytest.approx({"0": 1, "1": 2, "2": 4.5})


def test_adversarial_classes_of_unequal_size_are_not_weighed_alike_in_sse():
    labels = torch.tensor([0, 0, 0, 0, 0, 7])
    y = torch.zeros(6, 4)
    y[5] = 1
    r = representation(y, y, labels, labels, torch.zeros(6, 4), y)
    assert PROFILES["sse_by_class"].measure(r) == {"0": 0, "7": 4}
    assert measured("sse", r) == pytest.approx(4 / 6)


def test_a_sample_of_the_posterior_is_decoded_for_each_image():
    """By hand: z = μ + σ ε with the seed's own ε; not μ, and not exp(log σ²) ε."""
    model, family = trained("variational", seeds=(3,))
    replica, (r,) = next(family.replicas()), seen(model)
    mean, log_variance = replica("posterior", r.images)
    epsilon = torch.randn(mean.shape, generator=view(replica, r.images, r.labels).generator(3))
    expected = replica("decode", mean + torch.sqrt(log_variance.exp()) * epsilon)
    torch.testing.assert_close(r.sampled_reconstructions, expected)
    assert measured("sse_sampled", r) == pytest.approx(reconstruction.sum_of_squares(r.images, expected))
    assert not torch.allclose(r.sampled_reconstructions, r.reconstructions, atol=1e-3)


def test_samples_are_drawn_on_through_the_blocks(monkeypatch):
    """Different noise for each image, the same images or not."""
    _, family = trained("variational", seeds=(3,))
    monkeypatch.setattr("aebench.representation.sampled.BLOCK", 4)
    made = sampled_reconstructions(view(next(family.replicas()), torch.full((10, PIXELS), 0.5), torch.zeros(10).long()))
    assert len(made.unique(dim=0)) == 10


@pytest.mark.parametrize("kind", KINDS)
def test_only_a_model_with_a_posterior_is_sampled(kind):
    (r,) = seen(trained(kind, seeds=(3,))[0])
    assert (r.sampled_reconstructions is not None) == kind.startswith("variational")
    assert math.isnan(measured("sse_sampled", r)) != kind.startswith("variational")
