"""Does the model copy whatever it is given? The identity, a constant, a projection, and the images that they are shown."""

import math
from dataclasses import replace

import pytest
import torch
from family import KINDS, fitted, pictures
from representations import PERFECT, seen, trained, view

from aebench.metrics import METRICS
from aebench.representation import Evaluation
from aebench.representation.settings import StrangeImages
from aebench.representation.strange import Strange, strange
from aebench.representation.view import spread

NAMES = ["fvu_noise", "fvu_permuted"]


class Map:
    """A model whose reconstruction is a function of the image."""

    def __init__(self, function):
        self.function = function

    def __call__(self, method, x):
        return self.function(x) if method == "decode" else x


def shown(function, n=300, images=2000, seed=3):
    settings = Evaluation(strange=StrangeImages(images=images))
    return strange(view(Map(function), pictures(n), torch.arange(n) % 3, seed=seed, settings=settings))


def scores(function):
    r = replace(PERFECT, strange=shown(function))
    return [METRICS[name].measure(r) for name in NAMES]


def test_the_identity_copies_everything():
    assert scores(lambda x: x) == [0, 0]
    assert [METRICS[name].measure(seen(trained("raw_pixels", seeds=(0,))[0])[0]) for name in NAMES] == [0, 0]


def test_the_best_constant_leaves_everything():
    """Of each set its own mean; any other constant is worse, however well it suits true images."""
    assert scores(lambda x: x.mean(0).expand_as(x)) == pytest.approx([1, 1], rel=1e-5)
    noise, permuted = scores(lambda x: torch.full_like(x, 0.9))
    assert noise == pytest.approx(1 + 0.4**2 * 12, rel=0.02)
    assert permuted > 2


def test_a_projection_leaves_the_share_of_the_pixels_it_drops():
    assert scores(lambda x: torch.cat([x[:, :4], torch.full_like(x[:, 4:], 0.5)], 1))[0] == pytest.approx(12 / 16, rel=0.01)


def test_adversarial_a_model_that_answers_all_with_true_images_does_worse_than_a_constant():
    """Sharp, plausible images that have nothing to do with what was shown: above 1, not cut off there."""
    noise, permuted = scores(lambda x: pictures(len(x), seed=5))
    distance = float((pictures(2000, seed=5) - 0.5).square().sum(1).mean())
    assert noise == pytest.approx(1 + distance / (16 / 12), rel=0.01)
    assert permuted > 1.5


def test_adversarial_the_mean_is_a_pixels_own_not_the_grey_of_all():
    """Images that differ little from a mean of strong contrast: only about their own mean is their variance small."""
    x = (torch.arange(64) % 2).float() + 0.01 * torch.rand(50, 64, generator=torch.Generator().manual_seed(0))
    r = replace(PERFECT, strange=Strange(x, x.mean().expand_as(x), x, x.mean(0).expand_as(x)))
    assert METRICS["fvu_noise"].measure(r) > 1000
    assert METRICS["fvu_permuted"].measure(r) == pytest.approx(1, rel=1e-5)


def test_a_subspace_learnt_from_images_returns_them_and_not_their_permutations():
    family, _ = fitted("pca", code=2)
    shown = view(next(family.replicas()), pictures(300), torch.arange(300) % 3)
    r = replace(PERFECT, strange=strange(shown))
    assert METRICS["fvu_noise"].measure(r) > 0.8
    assert METRICS["fvu_permuted"].measure(r) > 0.7
    true = replace(r, images=shown.images, reconstructions=shown.decode(shown.codes))
    assert METRICS["fvu"].measure(true) < 0.1


def test_noise_is_uniform_and_permuted_images_keep_their_numbers_and_lose_their_places():
    made, images = shown(lambda x: x), pictures(300)
    assert made.noise.shape == (2000, 16)
    assert float(made.noise.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(made.noise.var()) == pytest.approx(1 / 12, rel=0.02)
    assert torch.equal(made.permuted.sort(1).values, images.sort(1).values)
    moved = [int((made.permuted == images[:, [j]]).all(0).nonzero()) for j in range(16)]
    assert sorted(moved) == list(range(16)) and moved != list(range(16))


def test_strange_images_are_of_the_seed_whatever_the_model_and_their_count():
    first, again, other = shown(lambda x: x), shown(torch.zeros_like), shown(lambda x: x, seed=4)
    assert torch.equal(first.noise, again.noise) and torch.equal(first.permuted, again.permuted)
    assert not torch.equal(first.noise, other.noise) and not torch.equal(first.permuted, other.permuted)
    few = shown(lambda x: x, images=100)
    assert len(few.noise) == len(few.permuted) == 100
    assert torch.equal(few.permuted, first.permuted[::3])


@pytest.mark.parametrize(
    ("n", "count", "rows"), [(10, 4, [0, 2, 5, 7]), (3, 5, [0, 1, 2]), (6, 6, list(range(6))), (5, 1, [0])]
)
def test_a_subset_is_spread_over_all_rows(n, count, rows):
    assert spread(torch.arange(n), count).tolist() == rows


@pytest.mark.parametrize("kind", KINDS)
def test_every_model_has_both_shares(kind):
    (r,) = seen(trained(kind, seeds=(3,))[0], strange=StrangeImages(images=20))
    assert all(math.isfinite(METRICS[name].measure(r)) and METRICS[name].measure(r) >= 0 for name in NAMES)


def test_without_strange_images_there_is_no_number():
    assert all(math.isnan(METRICS[name].measure(PERFECT)) for name in NAMES)
