"""How codes move: spectra of Jacobians on the data and off it, ranks and saturation."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from family import KINDS, PIXELS
from representations import PERFECT, contraction, seen, trained, view

from aebench.metrics import contraction as metrics
from aebench.representation import Evaluation, jacobian

X = torch.rand(7, 12, generator=torch.Generator().manual_seed(2))


def of(jacobians, off=None, pixels=None):
    """What metrics see of Jacobians (m, k, d)."""
    images = torch.rand(len(jacobians), pixels or jacobians.shape[2])
    return replace(PERFECT, images=images, contraction=contraction(jacobians, off))


def sigmoid_layer(units, scale=1.0, bias=0.0):
    weight = scale * torch.randn(units, 12, generator=torch.Generator().manual_seed(1))
    return lambda x: torch.sigmoid(x @ weight.T + bias)


# The part


@pytest.mark.parametrize("units", [5, 12, 40])
def test_spectra_are_those_of_autograds_jacobians_in_any_blocks(units, monkeypatch):
    """Fewer units than pixels, as many and more; sizes divide neither images nor units."""
    encode = sigmoid_layer(units)
    whole = [torch.autograd.functional.jacobian(lambda x: encode(x[None])[0], row).double() for row in X]
    for name, value in (("AT_ONCE", 3), ("IMAGES", 4), ("WHOLE", 2)):
        monkeypatch.setattr(jacobian, name, value)
    found = jacobian.spectra(encode, X)
    torch.testing.assert_close(found, torch.linalg.svdvals(torch.stack(whole)), rtol=1e-5, atol=1e-6)
    norms, slopes = jacobian.norms(encode, X)
    torch.testing.assert_close(slopes.double(), torch.stack(whole).norm(dim=2), rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(norms.double(), found.square().sum(1).sqrt(), rtol=1e-5, atol=1e-7)


def test_noise_is_uniform_the_same_for_every_model_and_another_for_every_seed():
    seen_by = []

    class Spy:
        """A model that remembers the images it was differentiated at."""

        def function(self, method):
            return lambda x: (seen_by.append(x.detach()), x[:, :3])[1]

    for seed in (3, 3, 4):
        jacobian.contraction(view(Spy(), torch.zeros(40, 16), torch.arange(40) % 3, seed, Evaluation(spectra=30)))
    noise = [torch.cat([x for x in seen_by if x.any()][start : start + 3]) for start in (0, 3, 6)]
    assert torch.equal(noise[0], noise[1]) and not torch.equal(noise[0], noise[2])
    assert noise[0].shape == (30, 16) and noise[0].min() >= 0 and noise[0].max() <= 1
    assert float(noise[0].mean()) == pytest.approx(0.5, abs=0.03) and float(noise[0].var()) == pytest.approx(1 / 12, rel=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_every_model_has_a_spectrum_that_adds_up_to_its_norm(kind):
    model, _ = trained(kind, seeds=(3,))
    (r,) = seen(model, jacobian_images=6, spectra=4)
    part, k = r.contraction, r.codes.shape[1]
    assert part.spectra.shape == part.noise_spectra.shape == (4, min(k, PIXELS)) and part.slopes.shape == (6, k)
    torch.testing.assert_close(part.spectra.square().sum(1).sqrt(), part.norms[:4].double(), rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(part.slopes.square().sum(1).sqrt(), part.norms, rtol=1e-5, atol=1e-7)
    moves = bool(part.norms.any())
    assert math.isnan(metrics.jacobian_rank(r)) != moves and math.isnan(metrics.saturation(r)) != moves
    assert not moves or 1 <= metrics.jacobian_rank(r) <= min(k, PIXELS) + 1e-9


# Effective rank


@pytest.mark.parametrize("rank", [1, 3, 6])
def test_effective_rank_counts_directions_of_one_length(rank):
    rows = torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(0))).Q[:rank]
    mixed = torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(1))).Q[:, :rank] @ rows
    assert metrics.jacobian_rank(of(5 * mixed[None])) == pytest.approx(rank, abs=1e-4)


def test_effective_rank_is_roy_and_vetterlis_of_singular_values_not_of_their_squares():
    shares = np.array([3, 1]) / 4
    expected = math.exp(-(shares * np.log(shares)).sum())
    assert metrics.jacobian_rank(of(torch.diag(torch.tensor([3.0, 1.0]))[None])) == pytest.approx(expected, abs=1e-7)


def test_adversarial_one_direction_an_image_is_rank_1_however_many_they_are_together():
    """The rank of the mean spectrum or of all images' Jacobians would be 4."""
    one_each = torch.stack([torch.outer(row, row) for row in torch.eye(4)])
    assert metrics.jacobian_rank(of(one_each)) == pytest.approx(1)
    uneven = torch.stack([torch.diag(torch.tensor([1.0, 0, 0, 0])), 100 * torch.eye(4), torch.zeros(4, 4)])
    assert metrics.jacobian_rank(of(uneven)) == pytest.approx(2.5)


# On and off the data


def test_a_linear_code_moves_off_the_data_as_on_it_and_nothing_is_saturated():
    weight = torch.randn(5, PIXELS, generator=torch.Generator().manual_seed(0))

    class Linear:
        def function(self, method):
            return lambda x: x @ weight.T

    part = jacobian.contraction(view(Linear(), torch.rand(9, PIXELS), torch.arange(9) % 3))
    r = replace(PERFECT, contraction=part)
    assert metrics.jacobian_on_off(r) == pytest.approx(1, abs=1e-12)
    assert metrics.saturation(r) == 0


def test_the_ratio_is_of_mean_norms_on_by_off():
    on = torch.stack([torch.eye(3), 3 * torch.eye(3)])
    assert metrics.jacobian_on_off(of(on, 4 * on)) == pytest.approx(1 / 4)
    assert metrics.jacobian_on_off(of(on, torch.stack([torch.eye(3), torch.zeros(3, 3)]))) == pytest.approx(4)
    assert math.isnan(metrics.jacobian_on_off(of(on, 0 * on)))
    assert metrics.jacobian_on_off(of(0 * on, on)) == 0


# Saturation


@pytest.mark.parametrize("scale", [1, 5, 20])
def test_of_a_sigmoid_layer_saturation_is_rifais_share_below_5_or_above_95_percent(scale):
    """A batch with an image at which every unit is 1/2: 0, without biases."""
    encode, x = sigmoid_layer(30, scale), torch.cat([X - 0.5, torch.zeros(1, 12)])
    slopes = jacobian.norms(encode, x)[1]
    h = encode(x)
    expected = 100 * float(((h < 0.05) | (h > 0.95)).double().mean())
    assert metrics.saturation(replace(PERFECT, contraction=replace(PERFECT.contraction, slopes=slopes))) == expected
    assert (expected > 50) == (scale == 20) and (expected == 0) == (scale == 1)


def test_adversarial_saturation_is_of_each_unit_against_itself():
    """A unit of a hundredth of the scale is not saturated; one that never moves is not counted."""
    slopes = torch.tensor([[1.0, 0.01, 0], [0.1, 0.01, 0], [0.2, 0.01, 0], [1.0, 0.001, 0]])
    part = replace(PERFECT.contraction, slopes=slopes)
    assert metrics.saturation(replace(PERFECT, contraction=part)) == pytest.approx(100 * 2 / 8)


def test_a_code_that_never_moves_has_no_ratio_rank_or_saturation():
    for measure in (metrics.jacobian_on_off, metrics.jacobian_rank, metrics.saturation):
        assert math.isnan(measure(PERFECT))
    assert metrics.jacobian(PERFECT) == 0
    assert set(list(metrics.singular_values(PERFECT).values())[:4]) == {0}


# Profiles


def test_singular_values_stand_at_their_places_mean_over_images():
    values = torch.tensor([9.0, 7, 5, 4, 2])
    on = torch.stack([torch.diag(values.flip(0)), torch.diag(3 * values)])
    r = of(on, 2 * on)
    assert metrics.singular_values(r) == pytest.approx({"1": 18, "2": 14, "3": 10, "5": 4})
    assert metrics.singular_values_off(r) == pytest.approx({"1": 36, "2": 28, "3": 20, "5": 8})


def test_places_are_the_images_whatever_the_code_and_none_where_it_has_no_unit():
    places = ["1", "2", "3", "5", "10", "20", "30", "50", "100", "200", "300", "500"]
    for units in (1, 2, 30, 40):
        found = metrics.singular_values(of(torch.ones(2, units, 45), pixels=784))
        assert list(found) == places
        assert [place for place, value in found.items() if not math.isnan(value)] == [p for p in places if int(p) <= units]
