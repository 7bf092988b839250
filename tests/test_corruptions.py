"""Corruptions of images: the identity, their streams, and the fraction of pixels that they change."""

import pytest
import torch

from aebench.corruptions import CORRUPTIONS, corrupt
from aebench.randomness import Streams

X = torch.rand(5, 7, generator=torch.Generator().manual_seed(0))


def draw(name, level, n=200, d=500, seed=0):
    return CORRUPTIONS[name](n, d, level, Streams(seed).torch("noise"))


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_at_level_0_a_corruption_is_the_identity_bit_for_bit(name):
    assert torch.equal(corrupt(X, draw(name, 0.0, 5, 7)), X)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corruption_is_determined_by_its_stream(name):
    x = torch.rand(200, 500)
    assert torch.equal(corrupt(x, draw(name, 0.3)), corrupt(x, draw(name, 0.3)))
    assert not torch.equal(corrupt(x, draw(name, 0.3)), corrupt(x, draw(name, 0.3, seed=1)))


def test_masking_zeroes_its_fraction_and_keeps_the_rest():
    x = torch.rand(200, 500) + 0.1
    y = corrupt(x, draw("masking", 0.3))
    assert (y == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert torch.equal(y[y != 0], x[y != 0])
    assert (corrupt(x, draw("masking", 1.0)) == 0).all()


@pytest.mark.parametrize(("level", "zeroes"), [(0.3, 3), (0.25, 2), (0.38, 4), (1.0, 10)])
def test_subset_masking_zeroes_the_same_number_of_pixels_in_every_image(level, zeroes):
    """In each image round(10 level) of 10 pixels are zeroed, and each pixel equally often."""
    (kept,) = draw("subset_masking", level, 4000, 10)
    assert set(kept.unique().tolist()) <= {0.0, 1.0}
    assert (kept.sum(1) == 10 - zeroes).all()
    torch.testing.assert_close(kept.mean(0), torch.full((10,), 1 - zeroes / 10), atol=0.04, rtol=0)


def test_dropout_is_masking_rescaled_to_keep_the_mean():
    x = torch.rand(200, 500)
    dropped, masked = corrupt(x, draw("dropout", 0.3)), corrupt(x, draw("masking", 0.3))
    torch.testing.assert_close(dropped, masked / 0.7)
    assert dropped.mean().item() == pytest.approx(x.mean().item(), abs=0.01)
    assert masked.mean().item() == pytest.approx(0.7 * x.mean().item(), abs=0.01)


def test_gaussian_noise_has_its_standard_deviation_and_mean_0():
    noise = corrupt(torch.zeros(200, 500), draw("gaussian", 0.3))
    assert noise.std().item() == pytest.approx(0.3, abs=0.005)
    assert noise.mean().item() == pytest.approx(0, abs=0.005)


def test_salt_and_pepper_are_equally_frequent():
    y = corrupt(torch.full((200, 500), 0.5), draw("salt_and_pepper", 0.3))
    for value in (0, 1):
        assert (y == value).float().mean().item() == pytest.approx(0.15, abs=0.01)
    assert (y == 0.5).float().mean().item() == pytest.approx(0.7, abs=0.01)
