"""Tests of the reconstruction of out-of-distribution images: FVU of known reconstructions, and the images drawn."""

import math
from dataclasses import replace

import pytest
import torch
from family import KINDS, fitted, random_images
from representations import PERFECT, represented, trained, view

from aebench.evaluation.arrays.out_of_distribution import OutOfDistribution, out_of_distribution
from aebench.evaluation.metrics import METRICS
from aebench.evaluation.settings import Evaluation
from aebench.evaluation.view import evenly_spaced

NAMES = ["fvu_noise", "fvu_permuted"]


class Map:
    """A model whose reconstruction is a function of the image."""

    def __init__(self, function):
        self.function = function

    def __call__(self, method, x):
        return self.function(x) if method == "decode" else x


def arrays(function, n=300, images=2000, seed=3):
    settings = Evaluation(out_of_distribution={"images": images})
    return out_of_distribution(view(Map(function), random_images(n), torch.arange(n) % 3, seed=seed, settings=settings))


def scores(part):
    r = replace(PERFECT, out_of_distribution=part)
    return [METRICS[name].measure(r) for name in NAMES]


def test_the_identity_scores_0():
    assert scores(arrays(lambda x: x)) == [0, 0]


def test_the_best_constant_scores_1_and_other_constants_more():
    assert scores(arrays(lambda x: x.mean(0).expand_as(x))) == pytest.approx([1, 1], rel=1e-5)
    noise, permuted = scores(arrays(lambda x: torch.full_like(x, 0.9)))
    assert noise == pytest.approx(1 + 0.4**2 * 12, rel=0.02)
    assert permuted > 2


def test_a_projection_scores_the_fraction_of_the_pixels_it_drops():
    projection = arrays(lambda x: torch.cat([x[:, :4], torch.full_like(x[:, 4:], 0.5)], 1))
    assert scores(projection)[0] == pytest.approx(12 / 16, rel=0.01)


def test_adversarial_reconstructing_everything_as_training_images_scores_above_1():
    """Plausible reconstructions that are unrelated to the image score above 1."""
    noise, permuted = scores(arrays(lambda x: random_images(len(x), seed=5)))
    distance = float((random_images(2000, seed=5) - 0.5).square().sum(1).mean())
    assert noise == pytest.approx(1 + distance / (16 / 12), rel=0.01)
    assert permuted > 1.5


def test_adversarial_variance_is_about_the_mean_image_not_the_mean_pixel():
    """The images differ little from a mean image with strong contrast."""
    x = (torch.arange(64) % 2).float() + 0.01 * torch.rand(50, 64, generator=torch.Generator().manual_seed(0))
    noise, permuted = scores(OutOfDistribution(x, x.mean().expand_as(x), x, x.mean(0).expand_as(x)))
    assert noise > 1000
    assert permuted == pytest.approx(1, rel=1e-5)


def test_pca_reconstructs_images_like_its_training_data_only():
    ensemble, _ = fitted("pca", latent_dim=2)
    inputs = view(next(ensemble.replicas()), random_images(300), torch.arange(300) % 3)
    noise, permuted = scores(out_of_distribution(inputs))
    assert noise > 0.8 and permuted > 0.7
    assert METRICS["fvu"].measure(replace(PERFECT, images=inputs.images, reconstructions=inputs.decode(inputs.codes))) < 0.1


def test_noise_is_uniform_and_one_permutation_moves_the_pixels_of_all_images():
    part, images = arrays(lambda x: x), random_images(300)
    assert part.noise.shape == (2000, 16)
    assert float(part.noise.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(part.noise.var()) == pytest.approx(1 / 12, rel=0.02)
    permutation = [int((part.permuted == images[:, [j]]).all(0).nonzero()) for j in range(16)]
    assert sorted(permutation) == list(range(16)) and permutation != list(range(16))


def test_images_depend_only_on_their_number():
    first, another_model, another_seed = arrays(lambda x: x), arrays(torch.zeros_like), arrays(lambda x: x, seed=4)
    for other in (another_model, another_seed):
        assert torch.equal(first.noise, other.noise) and torch.equal(first.permuted, other.permuted)
    few = arrays(lambda x: x, images=100)
    assert len(few.noise) == len(few.permuted) == 100
    assert torch.equal(few.permuted, first.permuted[::3])


@pytest.mark.parametrize(
    ("n", "count", "rows"), [(10, 4, [0, 2, 5, 7]), (3, 5, [0, 1, 2]), (6, 6, list(range(6))), (5, 1, [0])]
)
def test_a_subset_is_evenly_spaced(n, count, rows):
    assert evenly_spaced(torch.arange(n), count).tolist() == rows


@pytest.mark.parametrize("kind", KINDS)
def test_every_model_has_finite_scores(kind):
    (r,) = represented(trained(kind, seeds=(3,))[0], out_of_distribution={"images": 20})
    values = [METRICS[name].measure(r) for name in NAMES]
    assert all(math.isfinite(value) and value >= 0 for value in values)
    assert kind != "raw_pixels" or values == [0, 0]


def test_scores_are_nan_without_out_of_distribution_images():
    assert all(map(math.isnan, scores(None)))
