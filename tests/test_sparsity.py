"""Activation, population and lifetime sparsity, Hoyer's sparseness, dead units and exact zeros."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from family import KINDS
from representations import PERFECT, USELESS, represented, trained

from aebench.evaluation.metrics import sparsity

MEASURES = (sparsity.population_sparsity, sparsity.lifetime_sparsity, sparsity.hoyer)


def representation_of(codes):
    return replace(PERFECT, codes=torch.as_tensor(codes, dtype=torch.float32))


def test_activation_of_inactive_active_and_random_codes():
    assert sparsity.activation(representation_of(torch.zeros(9, 3))) == 0
    assert sparsity.activation(representation_of(torch.ones(9, 3))) == 1
    assert sparsity.activation(USELESS) == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("measure", MEASURES)
def test_one_active_unit_per_image_is_maximally_sparse(measure):
    assert measure(representation_of(torch.eye(6))) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("measure", MEASURES)
def test_codes_of_equal_absolute_value_are_not_sparse(measure):
    signs = torch.randint(2, (50, 7), generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert measure(representation_of(3 * signs)) == pytest.approx(0, abs=1e-12)


def test_gaussian_codes_have_sparsity_1_minus_2_over_pi():
    """(E|h|)² / E h² is 2/π in the limit of many images and units."""
    wide = torch.randn(2000, 2000, generator=torch.Generator().manual_seed(0))
    for measure in (sparsity.population_sparsity, sparsity.lifetime_sparsity):
        assert measure(representation_of(wide)) == pytest.approx(1 - 2 / math.pi, abs=2e-3)
    assert sparsity.lifetime_sparsity(USELESS) == pytest.approx(1 - 2 / math.pi, abs=0.03)


def test_adversarial_a_unit_that_is_always_active_is_sparse_over_units_but_not_over_images():
    """A mean over the wrong axis would give both metrics the same value. The activation is the same for both codes."""
    unit, image = torch.zeros(8, 4), torch.zeros(8, 4)
    unit[:, 0] = 1
    image[:2] = 1
    assert sparsity.population_sparsity(representation_of(unit)) == sparsity.hoyer(representation_of(unit)) == 1
    assert sparsity.lifetime_sparsity(representation_of(unit)) == 0
    assert sparsity.activation(representation_of(unit)) == sparsity.activation(representation_of(image)) == 0.25
    image[1] = 0
    assert sparsity.population_sparsity(representation_of(image)) == sparsity.hoyer(representation_of(image)) == 0
    assert sparsity.lifetime_sparsity(representation_of(image)) == 1


def test_adversarial_images_and_units_have_equal_weight_whatever_their_scale():
    codes = torch.rand(20, 5, generator=torch.Generator().manual_seed(0))
    images, units = 2.0 ** torch.arange(20), 2.0 ** torch.arange(5)
    for measure in (sparsity.population_sparsity, sparsity.hoyer):
        assert measure(representation_of(codes * images[:, None])) == pytest.approx(measure(representation_of(codes)), abs=1e-6)
        assert measure(representation_of(codes * units)) != pytest.approx(measure(representation_of(codes)), abs=0.1)
    assert sparsity.lifetime_sparsity(representation_of(codes * units)) == pytest.approx(
        sparsity.lifetime_sparsity(representation_of(codes)), abs=1e-6
    )


def test_sparsity_agrees_with_the_published_formulas():
    codes = np.random.default_rng(0).gamma(0.5, size=(9, 6)).astype("f4").astype("f8")
    treves = [(1 - (sum(h) / 6) ** 2 / (sum(h**2) / 6)) / (1 - 1 / 6) for h in codes]
    hoyer = [(6**0.5 - sum(h) / sum(h**2) ** 0.5) / (6**0.5 - 1) for h in codes]
    assert sparsity.population_sparsity(representation_of(codes)) == pytest.approx(np.mean(treves), abs=1e-9)
    assert sparsity.hoyer(representation_of(codes)) == pytest.approx(np.mean(hoyer), abs=1e-9)


def test_images_and_units_that_are_always_0_are_left_out_of_the_mean():
    codes = torch.zeros(5, 4)
    codes[:4, :2] = 1
    codes[:2, 2] = 1
    assert sparsity.population_sparsity(representation_of(codes)) == pytest.approx(
        (2 * (1 - 3 / 4) + 2 * (1 - 2 / 4)) / 4 / (1 - 1 / 4)
    )
    assert sparsity.lifetime_sparsity(representation_of(codes)) == pytest.approx(
        (2 * (1 - 4 / 5) + (1 - 2 / 5)) / 3 / (1 - 1 / 5)
    )


@pytest.mark.parametrize("codes", [torch.zeros(6, 1), torch.zeros(6, 4)])
def test_a_code_of_zeros_has_no_sparsity_and_only_dead_units(codes):
    assert all(math.isnan(measure(representation_of(codes))) for measure in MEASURES)
    assert sparsity.dead_units(representation_of(codes)) == sparsity.exact_zeros(representation_of(codes)) == 100
    assert set(sparsity.activation_deciles(representation_of(codes)).values()) == {0}


def test_a_code_of_one_unit_has_only_lifetime_sparsity():
    one = representation_of([[1.0], [0], [0]])
    assert math.isnan(sparsity.population_sparsity(one)) and math.isnan(sparsity.hoyer(one))
    assert sparsity.lifetime_sparsity(one) == pytest.approx(1)


def test_units_that_hardly_vary_are_dead():
    """A dead unit is always 0, always 1 or nearly constant. A unit that is active for one image of 500 is not dead."""
    codes = torch.zeros(500, 5)
    codes[:, 1] = 1
    codes[:, 2] = torch.linspace(-0.004, 0.004, 500)
    codes[7, 3] = 0.9
    codes[:, 4] = torch.linspace(-0.5, 0.5, 500)
    assert sparsity.dead_units(representation_of(codes)) == sparsity.dead_units(representation_of(1000 * codes)) == 60
    assert sparsity.dead_units(PERFECT) == sparsity.dead_units(USELESS) == 0


def test_exact_zeros_do_not_include_small_numbers():
    assert sparsity.exact_zeros(representation_of([[0, 1e-30, 1], [-0.0, 2, -1]])) == pytest.approx(100 / 3)
    assert sparsity.exact_zeros(USELESS) == 0


def test_deciles_are_taken_over_the_means_of_units():
    codes = torch.randn(100, 11, generator=torch.Generator().manual_seed(0))
    codes += torch.arange(11.0) - codes.mean(0)
    deciles = sparsity.activation_deciles(
        representation_of(codes[:, torch.randperm(11, generator=torch.Generator().manual_seed(1))])
    )
    assert list(deciles) == [f"{share} %" for share in range(0, 101, 10)]
    assert list(deciles.values()) == pytest.approx(list(range(11)), abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_every_model_is_in_range(kind):
    (r,) = represented(trained(kind, seeds=(3,))[0])
    for measure in MEASURES:
        value = measure(r)
        assert 0 <= value <= 1 or (math.isnan(value) and (r.codes.shape[1] == 1 or not r.codes.any()))
    assert 0 <= sparsity.dead_units(r) <= 100
