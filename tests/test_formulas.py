"""Every formula by hand, against a library's other way of writing it, against autograd and in a limit, in float64."""

import math

import pytest
import torch
from torch.nn.functional import binary_cross_entropy

from aebench.corruptions import CORRUPTIONS, corrupt
from aebench.objectives import bernoulli_nll, squared_error
from aebench.randomness import Streams

X = torch.rand(5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
Z = torch.randn(5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()


def test_squared_error_by_hand():
    """Two images of two pixels: (0.25 + 1) and 0, mean 0.625: summed over pixels, averaged over images."""
    x = torch.tensor([[0.5, 1.0], [0.0, 1.0]], dtype=torch.float64)
    y = torch.tensor([[0.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    assert squared_error(x, y).item() == 0.625
    assert squared_error(x, x).item() == 0


def test_squared_errors_gradient_is_twice_the_difference_over_n():
    (gradient,) = torch.autograd.grad(squared_error(X, Z), Z)
    torch.testing.assert_close(gradient, 2 * (Z.detach() - X) / 5)


def test_bernoulli_by_hand():
    """One pixel at p = sigmoid(log 3) = 3/4: -log(3/4) for a 1, -log(1/4) for a 0."""
    logit = torch.tensor([[math.log(3.0)]], dtype=torch.float64)
    assert bernoulli_nll(torch.ones(1, 1), logit).item() == pytest.approx(-math.log(3 / 4))
    assert bernoulli_nll(torch.zeros(1, 1), logit).item() == pytest.approx(-math.log(1 / 4))


def test_bernoulli_against_the_library_written_with_probabilities():
    expected = binary_cross_entropy(torch.sigmoid(Z), X, reduction="sum") / 5
    torch.testing.assert_close(bernoulli_nll(X, Z), expected)


def test_bernoullis_gradient_is_probability_minus_pixel_over_n():
    (gradient,) = torch.autograd.grad(bernoulli_nll(X, Z), Z)
    torch.testing.assert_close(gradient, (torch.sigmoid(Z.detach()) - X) / 5)


def test_bernoulli_in_the_limit_of_certainty():
    """Right and sure costs nothing, wrong and sure costs the logit, and neither is infinite or NaN."""
    logit = torch.tensor([[800.0]], dtype=torch.float64)
    assert bernoulli_nll(torch.ones(1, 1), logit).item() == 0
    assert bernoulli_nll(torch.zeros(1, 1), logit).item() == 800


@pytest.mark.parametrize("loss", [squared_error, bernoulli_nll])
def test_gradients_against_finite_differences(loss):
    assert torch.autograd.gradcheck(lambda z: loss(X, z), (Z,))


def draw(name, level, n=200, d=500, seed=0):
    return CORRUPTIONS[name](n, d, level, Streams(seed).torch("noise"))


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_at_level_0_a_corruption_is_the_identity_bit_for_bit(name):
    x = X.float()
    assert torch.equal(corrupt(x, draw(name, 0.0, 5, 7)), x)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corruption_is_its_draw_and_nothing_else(name):
    x = torch.rand(200, 500)
    assert torch.equal(corrupt(x, draw(name, 0.3)), corrupt(x, draw(name, 0.3)))
    assert not torch.equal(corrupt(x, draw(name, 0.3)), corrupt(x, draw(name, 0.3, seed=1)))


def test_masking_zeroes_its_share_and_leaves_the_rest():
    x = torch.rand(200, 500) + 0.1
    y = corrupt(x, draw("masking", 0.3))
    assert (y == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert torch.equal(y[y != 0], x[y != 0])
    assert (corrupt(x, draw("masking", 1.0)) == 0).all()


def test_gaussian_adds_its_standard_deviation_and_no_mean():
    noise = corrupt(torch.zeros(200, 500), draw("gaussian", 0.3))
    assert noise.std().item() == pytest.approx(0.3, abs=0.005)
    assert noise.mean().item() == pytest.approx(0, abs=0.005)


def test_salt_and_pepper_share_evenly():
    y = corrupt(torch.full((200, 500), 0.5), draw("salt_and_pepper", 0.3))
    for value in (0, 1):
        assert (y == value).float().mean().item() == pytest.approx(0.15, abs=0.01)
    assert (y == 0.5).float().mean().item() == pytest.approx(0.7, abs=0.01)
