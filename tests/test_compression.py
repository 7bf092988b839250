"""Tests of quantised codes: cells, values, code lengths, and the choice of levels on validation images."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from family import KINDS, random_images
from representations import PERFECT, represented, trained, view
from scipy.stats import entropy
from sklearn.preprocessing import KBinsDiscretizer

from aebench.evaluation.arrays import compression as arrays
from aebench.evaluation.arrays.compression import Coded, Quantised, Quantiser, compression
from aebench.evaluation.metrics import METRICS, PROFILES
from aebench.evaluation.settings import Evaluation

BITS = {"bits": [1, 2, 4]}
NAMES = ("sse_at_bits", "sse_quantised", "bits_quantised")


def noise(n, k, seed=0):
    return torch.randn(n, k, generator=torch.Generator().manual_seed(seed))


class Raw:
    """A model whose code is the image."""

    def __init__(self, decode=lambda h: h):
        self.decode = decode

    def __call__(self, method, x):
        return self.decode(x) if method == "decode" else x


def quantised(replica, images, settings=None, **changes):
    evaluation = Evaluation(compression={"bits": [1, 4, 8], "budgets": [8, 1000]} | (settings or {}))
    return compression(view(replica, images, torch.zeros(len(images)).long(), settings=evaluation, **changes))


def scores(part):
    """The metric bits_per_image and the three profiles of compression."""
    r = replace(PERFECT, compression=part)
    return METRICS["bits_per_image"].measure(r), *(PROFILES[name].measure(r) for name in NAMES)


# Quantiser


@pytest.mark.parametrize("bits", [1, 3, 6])
def test_cells_agree_with_scikit_learn(bits):
    codes = noise(500, 3) * torch.tensor([1.0, 10, 0.1]) + 5
    expected = KBinsDiscretizer(2**bits, encode="ordinal", strategy="uniform").fit_transform(codes.double().numpy())
    assert np.array_equal(Quantiser(codes, 8).cells(codes).numpy() >> (8 - bits), expected)
    assert torch.equal(Quantiser(codes, bits).cells(codes), Quantiser(codes, 8).cells(codes) >> (8 - bits))


def test_a_cell_decodes_to_the_mean_of_its_training_codes_or_its_midpoint():
    codes = torch.tensor([[0.0, -8], [0.1, 8], [0.2, 8], [4.0, 8]])
    values, _ = Quantiser(codes, 5).tables(2)
    torch.testing.assert_close(values, torch.tensor([[0.1, 1.5, 2.5, 4.0], [-8, -2, 2, 8]]).double())
    h, _ = Quantiser(codes, 5)(torch.tensor([[-99.0, 1], [99, -1]]), 2)
    torch.testing.assert_close(h, torch.tensor([[0.1, 2], [4, -2]]))


@pytest.mark.parametrize("bits", [0, 1, 3])
def test_lengths_are_the_entropy_of_training_codes_plus_the_cost_of_smoothing(bits):
    codes = noise(400, 3) ** 3
    quantiser = Quantiser(codes, 6)
    expected = 0
    for cells in (quantiser.cells(codes) >> (6 - bits)).T:
        counts = np.bincount(cells, minlength=2**bits)
        expected += entropy(counts, base=2) + entropy(counts, counts + 0.5, base=2)
    assert float(quantiser(codes, bits)[1].mean()) == pytest.approx(expected, abs=1e-9)


def test_a_uniform_unit_costs_all_its_bits_and_a_constant_unit_none():
    uniform = torch.arange(256.0).repeat(4)
    codes = torch.stack([uniform, torch.full_like(uniform, 0.1), -uniform], 1)
    for bits in (0, 1, 4, 8):
        h, lengths = Quantiser(codes, 8)(codes, bits)
        assert torch.equal(lengths, torch.full((1024,), 2.0 * bits, dtype=torch.float64))
        assert torch.equal(h[:, 1], codes[:, 1])
    assert torch.equal(h, codes)


def test_a_sparse_unit_costs_few_bits_at_a_fine_level():
    codes = torch.zeros(4000, 10)
    codes[:40] = torch.rand(40, 10, generator=torch.Generator().manual_seed(0))
    h, lengths = Quantiser(codes, 8)(codes, 8)
    assert float(lengths.mean()) < 10 * 0.3
    assert float((h - codes).abs().max()) < 1 / 256


def test_adversarial_equal_test_codes_cost_what_is_rare_in_training_not_their_own_entropy_of_0():
    codes = torch.cat([torch.zeros(99, 1), torch.ones(1, 1)])
    _, lengths = Quantiser(codes, 2)(torch.full((7, 1), 0.6), 2)
    assert lengths.tolist() == pytest.approx([math.log2((100 + 2) / 0.5)] * 7)


def test_a_unit_that_is_constant_in_training_is_constant_in_test_codes():
    h, lengths = Quantiser(torch.full((50, 1), 3.0), 4)(torch.tensor([[3.0], [-5], [7]]), 4)
    assert h.tolist() == [[3], [3], [3]] and lengths.tolist() == [0, 0, 0]


def test_nan_reconstructions_and_codes_give_nan_without_an_error():
    bits, at_rate, errors, _ = scores(quantised(Raw(lambda h: h * math.nan), random_images(40)))
    assert math.isnan(bits) and all(math.isnan(x) for x in [*at_rate.values(), *errors.values()])
    codes = torch.tensor([[math.nan], [1], [math.inf]])
    assert Quantiser(codes, 2).cells(codes).tolist() == [[0], [0], [0]]


def test_the_size_of_blocks_does_not_matter(monkeypatch):
    codes = noise(50, 3)
    expected = Quantiser(codes, 4).tables(2)
    monkeypatch.setattr(arrays, "BLOCK", 7)
    torch.testing.assert_close(Quantiser(codes, 4).tables(2), expected, rtol=1e-14, atol=0)


# Rate and distortion


def test_pixels_of_256_grey_levels_are_exact_at_8_bits():
    images = (torch.rand(600, 12, generator=torch.Generator().manual_seed(0)) * 255).round() / 255
    images[:2] = torch.tensor([[0.0], [1.0]])
    bits, at_rate, errors, lengths = scores(quantised(Raw(), images))
    assert errors["8"] == at_rate["1000"] == 0
    assert list(errors) == list(lengths) == ["0", "1", "4", "8"] and list(at_rate) == ["8", "1000"]
    assert errors["0"] == pytest.approx(float(images.var(0, correction=0).sum()), rel=1e-6)
    assert errors["1"] == pytest.approx(12 * 0.5**2 / 12, rel=0.05) and lengths["1"] == pytest.approx(12, rel=0.01)
    assert 0.95 * 96 < bits == lengths["8"] < 96


def test_a_useless_code_has_the_same_error_at_any_rate_and_needs_no_bits():
    """Every code is decoded to the same image."""
    bits, at_rate, errors, lengths = scores(quantised(Raw(lambda h: torch.full_like(h, 0.5)), random_images(300)))
    assert len({*errors.values(), *at_rate.values()}) == 1
    assert bits == 0 and lengths["8"] > 60


def test_adversarial_a_rescaled_code_has_the_same_rate_and_error():
    scale = 1000 * torch.arange(1, 17)

    class Scaled:
        def __call__(self, method, x):
            return (x - 7) / scale if method == "decode" else scale * x + 7

    plain, scaled = (scores(quantised(model, random_images(300)))[2:] for model in (Raw(), Scaled()))
    for a, b in zip(plain, scaled, strict=True):
        assert a == pytest.approx(b, rel=1e-2, abs=1e-4)


def coded(errors, lengths, exact=1.0):
    errors, lengths = (torch.tensor(x).double()[:, None] * torch.tensor([0.5, 1.5]) for x in (errors, lengths))
    return Coded(errors, lengths, torch.full((2,), exact))


def test_levels_are_chosen_on_validation_images_and_reported_on_test_images():
    """Test images would choose other levels."""
    validation = coded([9, 1.2, 1.1, 1.05], [0, 10, 20, 30])
    bits, at_rate, errors, lengths = scores(
        Quantised((0, 1, 2, 3), (5, 20, 29, 30), validation, coded([1, 2, 4, 3], [0, 11, 22, 31]))
    )
    assert bits == 22
    assert at_rate == {"5": 1, "20": 4, "29": 4, "30": 3}
    assert errors == {"0": 1, "1": 2, "2": 4, "3": 3} and lengths == {"0": 0, "1": 11, "2": 22, "3": 31}


def test_bits_are_nan_if_every_level_is_too_coarse():
    level = coded([9, 1.2], [0, 10])
    assert math.isnan(scores(Quantised((0, 1), (5,), level, level))[0])


def test_scores_are_undefined_without_quantised_codes():
    bits, *profiles = scores(None)
    assert math.isnan(bits) and profiles == [{}, {}, {}]


def test_within_a_budget_the_level_of_least_error_is_used():
    """The chosen level is not the finest one if the error increases with the rate."""
    level = coded([2, 1, 3], [0, 10, 20])
    assert scores(Quantised((0, 1, 2), (5, 15, 25), level, level))[1] == {"5": 2, "15": 1, "25": 1}


def test_cells_depend_on_training_codes_alone():
    train, other = random_images(200), 5 * random_images(200, seed=4)
    plain = quantised(Raw(), train, reference=torch.cat([train, train]))
    moved = quantised(Raw(), train, reference=torch.cat([train, other]))
    assert torch.equal(plain.test.errors, moved.test.errors) and torch.equal(plain.test.lengths, moved.test.lengths)
    assert not torch.equal(plain.validation.errors, moved.validation.errors)
    tested = quantised(Raw(), other, reference=torch.cat([train, train]))
    assert torch.equal(plain.validation.errors, tested.validation.errors)


def test_a_subset_of_the_images_is_evenly_spaced():
    every, few = (quantised(Raw(), random_images(100), {"images": n}) for n in (1000, 25))
    assert every.test.errors.shape == (4, 100) and few.test.errors.shape == few.validation.lengths.shape == (4, 25)
    assert torch.equal(few.test.errors, every.test.errors[:, ::4])


@pytest.mark.parametrize("kind", KINDS)
def test_every_model_has_rates_and_errors(kind):
    (r,) = represented(trained(kind, seeds=(3,))[0], compression=BITS)
    profiles = [PROFILES[name].measure(r) for name in NAMES]
    assert all(math.isfinite(x) and x >= 0 for profile in profiles for x in profile.values())
    lengths = profiles[2]
    assert list(lengths) == ["0", "1", "2", "4"] and lengths["0"] == 0
    assert all(x <= float(b) * r.codes.shape[1] * 1.5 for b, x in lengths.items())
    assert r.compression.test.exact.mean().item() == pytest.approx(METRICS["sse"].measure(r))


def test_the_mean_image_needs_no_bits():
    bits, _, errors, lengths = scores(represented(trained("mean_image", seeds=(0,))[0], compression=BITS)[0].compression)
    assert bits == 0 and set(lengths.values()) == {0} and len(set(errors.values())) == 1
