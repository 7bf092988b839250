"""How few bits is an image worth? Cells, values and lengths by hand and by libraries; levels chosen on validation."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from family import KINDS, PIXELS, pictures
from representations import PERFECT, seen, trained, view
from scipy.stats import entropy
from sklearn.preprocessing import KBinsDiscretizer

from aebench.metrics import METRICS, PROFILES
from aebench.representation import Evaluation, settings
from aebench.representation import quantised as part
from aebench.representation.quantised import Coded, Quantised, Quantiser, quantised

BITS = {"bits": [1, 2, 4]}


def noise(n, k, seed=0):
    return torch.randn(n, k, generator=torch.Generator().manual_seed(seed))


class Raw:
    """The code is the image; `decode` may spoil it."""

    def __init__(self, decode=lambda h: h):
        self.decoded = decode

    def __call__(self, method, x):
        return self.decoded(x) if method == "decode" else x


def shown(replica, images, **changes):
    labels = torch.zeros(len(images)).long()
    quantisation = settings.Quantisation(**{"bits": [1, 4, 8], "budgets": [8, 1000], **changes.pop("settings", {})})
    return view(replica, images, labels, settings=Evaluation(quantised=quantisation), **changes)


def measured(made):
    r = replace(PERFECT, quantised=made)
    return METRICS["bits_per_image"].measure(r), *(
        PROFILES[name].measure(r) for name in ("sse_at_bits", "sse_quantised", "bits_quantised")
    )


# Quantiser


@pytest.mark.parametrize("bits", [1, 3, 6])
def test_cells_are_those_of_scikit_learn(bits):
    codes = noise(500, 3) * torch.tensor([1.0, 10, 0.1]) + 5
    expected = KBinsDiscretizer(2**bits, encode="ordinal", strategy="uniform").fit_transform(codes.double().numpy())
    assert np.array_equal(Quantiser(codes, 8).cells(codes).numpy() >> (8 - bits), expected)
    assert torch.equal(Quantiser(codes, bits).cells(codes), Quantiser(codes, 8).cells(codes) >> (8 - bits))


def test_a_value_is_the_mean_of_its_cells_training_codes_or_the_middle_of_an_empty_cell():
    codes = torch.tensor([[0.0, -8], [0.1, 8], [0.2, 8], [4.0, 8]])
    values, _ = Quantiser(codes, 5).tables(2)
    torch.testing.assert_close(values, torch.tensor([[0.1, 1.5, 2.5, 4.0], [-8, -2, 2, 8]]).double())
    h, _ = Quantiser(codes, 5)(torch.tensor([[-99.0, 1], [99, -1]]), 2)
    torch.testing.assert_close(h, torch.tensor([[0.1, 2], [4, -2]]))


@pytest.mark.parametrize("bits", [0, 1, 3])
def test_lengths_sum_to_the_entropy_of_training_codes_and_what_the_smoothing_costs(bits):
    codes = noise(400, 3) ** 3
    quantiser = Quantiser(codes, 6)
    expected = 0
    for cells in (quantiser.cells(codes) >> (6 - bits)).T:
        counts = np.bincount(cells, minlength=2**bits)
        expected += entropy(counts, base=2) + entropy(counts, counts + 0.5, base=2)
    assert float(quantiser(codes, bits)[1].mean()) == pytest.approx(expected, abs=1e-9)


def test_units_that_fill_their_cells_evenly_cost_all_their_bits_and_units_that_stand_still_none():
    even = torch.arange(256.0).repeat(4)
    codes = torch.stack([even, torch.full_like(even, 0.1), -even], 1)
    for bits in (0, 1, 4, 8):
        h, lengths = Quantiser(codes, 8)(codes, bits)
        assert torch.equal(lengths, torch.full((1024,), 2.0 * bits, dtype=torch.float64))
        assert torch.equal(h[:, 1], codes[:, 1])
    assert torch.equal(h, codes)


def test_a_sparse_unit_costs_little_at_any_fineness():
    codes = torch.zeros(4000, 10)
    codes[:40] = torch.rand(40, 10, generator=torch.Generator().manual_seed(0))
    h, lengths = Quantiser(codes, 8)(codes, 8)
    assert float(lengths.mean()) < 10 * 0.3
    assert float((h - codes).abs().max()) < 1 / 256


def test_adversarial_test_codes_alike_cost_what_the_training_codes_say_not_their_own_entropy_0():
    codes = torch.cat([torch.zeros(99, 1), torch.ones(1, 1)])
    _, lengths = Quantiser(codes, 2)(torch.full((7, 1), 0.6), 2)
    assert lengths.tolist() == pytest.approx([math.log2((100 + 2) / 0.5)] * 7)


def test_units_that_stood_still_in_training_stay_there():
    codes = torch.full((50, 1), 3.0)
    h, lengths = Quantiser(codes, 4)(torch.tensor([[3.0], [-5], [7]]), 4)
    assert h.tolist() == [[3], [3], [3]] and lengths.tolist() == [0, 0, 0]


def test_codes_that_are_no_numbers_have_no_error_and_stop_nothing():
    made = quantised(shown(Raw(lambda h: h * math.nan), pictures(40)))
    bits, at_rate, errors, _ = measured(made)
    assert math.isnan(bits) and all(math.isnan(x) for x in [*at_rate.values(), *errors.values()])
    codes = torch.tensor([[math.nan], [1], [math.inf]])
    assert Quantiser(codes, 2).cells(codes).tolist() == [[0], [0], [0]]


def test_blocks_change_nothing(monkeypatch):
    codes = noise(50, 3)
    whole = Quantiser(codes, 4).tables(2)
    monkeypatch.setattr(part, "BLOCK", 7)
    torch.testing.assert_close(Quantiser(codes, 4).tables(2), whole, rtol=1e-14, atol=0)


# Rate and distortion


def test_perfect_pixels_of_256_greys_come_back_from_8_bits_bit_for_bit():
    images = (torch.rand(600, 12, generator=torch.Generator().manual_seed(0)) * 255).round() / 255
    images[:2] = torch.tensor([[0.0], [1.0]])
    made = quantised(shown(Raw(), images, reference=images.repeat(2, 1), validation=600))
    bits, at_rate, errors, lengths = measured(made)
    assert errors["8"] == at_rate["1000"] == 0
    assert list(errors) == list(lengths) == ["0", "1", "4", "8"] and list(at_rate) == ["8", "1000"]
    assert errors["0"] == pytest.approx(float(images.var(0, correction=0).sum()), rel=1e-6)
    assert errors["1"] == pytest.approx(12 * 0.5**2 / 12, rel=0.05) and lengths["1"] == pytest.approx(12, rel=0.01)
    assert 0.95 * 96 < bits == lengths["8"] < 96


def test_a_useless_code_has_the_same_error_at_any_rate_and_needs_no_bits():
    """Decoded to one image whatever the code: bits that are spent buy nothing."""
    bits, at_rate, errors, lengths = measured(quantised(shown(Raw(lambda h: torch.full_like(h, 0.5)), pictures(300))))
    assert len({*errors.values(), *at_rate.values()}) == 1
    assert bits == 0 and lengths["8"] > 60


def test_adversarial_a_code_in_other_units_costs_as_much():
    """Cells are a unit's own: multiplied by 1000 and moved, it has the same rate and error."""
    image = pictures(300)
    scale = 1000 * torch.arange(1, 17)

    class Scaled:
        def __call__(self, method, x):
            return (x - 7) / scale if method == "decode" else scale * x + 7

    for plain, scaled in zip(
        measured(quantised(shown(Raw(), image)))[2:], measured(quantised(shown(Scaled(), image)))[2:], strict=True
    ):
        assert plain == pytest.approx(scaled, rel=1e-2, abs=1e-4)


def coded(errors, lengths, exact=1.0):
    errors, lengths = (torch.tensor(x).double()[:, None] * torch.tensor([0.5, 1.5]) for x in (errors, lengths))
    return Coded(errors, lengths, torch.full((2,), exact))


def test_levels_are_chosen_on_validation_and_told_of_test_images():
    """On test images another level would be enough, and another the best; the numbers told are theirs all the same."""
    validation = coded([9, 1.2, 1.1, 1.05], [0, 10, 20, 30])
    made = Quantised((0, 1, 2, 3), (5, 20, 29, 30), validation, coded([1, 2, 4, 3], [0, 11, 22, 31]))
    bits, at_rate, errors, lengths = measured(made)
    assert bits == 22
    assert at_rate == {"5": 1, "20": 4, "29": 4, "30": 3}
    assert errors == {"0": 1, "1": 2, "2": 4, "3": 3} and lengths == {"0": 0, "1": 11, "2": 22, "3": 31}


def test_where_no_level_is_fine_enough_there_is_no_number():
    level = coded([9, 1.2], [0, 10])
    assert math.isnan(measured(Quantised((0, 1), (5,), level, level))[0])
    assert math.isnan(measured(None)[0]) and measured(None)[1:] == ({}, {}, {})


def test_more_bits_than_a_budget_never_pay():
    """Errors that rise with the rate: the best within the budget is not the finest."""
    level = coded([2, 1, 3], [0, 10, 20])
    assert measured(Quantised((0, 1, 2), (5, 15, 25), level, level))[1] == {"5": 2, "15": 1, "25": 1}


def test_neither_validation_nor_test_images_move_the_cells():
    train, other = pictures(200), 5 * pictures(200, seed=4)
    plain = quantised(shown(Raw(), train, reference=torch.cat([train, train]), validation=200))
    moved = quantised(shown(Raw(), train, reference=torch.cat([train, other]), validation=200))
    assert torch.equal(plain.test.errors, moved.test.errors) and torch.equal(plain.test.lengths, moved.test.lengths)
    assert not torch.equal(plain.validation.errors, moved.validation.errors)
    tested = quantised(shown(Raw(), other, reference=torch.cat([train, train]), validation=200))
    assert torch.equal(plain.validation.errors, tested.validation.errors)


def test_a_subset_of_the_images_is_decoded_spread_over_all():
    every, few = (quantised(shown(Raw(), pictures(100), settings={"images": n})) for n in (1000, 25))
    assert every.test.errors.shape == (4, 100) and few.test.errors.shape == few.validation.lengths.shape == (4, 25)
    assert torch.equal(few.test.errors, every.test.errors[:, ::4])


@pytest.mark.parametrize("kind", KINDS)
def test_every_model_has_its_rates_and_errors(kind):
    (r,) = seen(trained(kind, seeds=(3,))[0], quantised=settings.Quantisation(**BITS))
    profiles = [PROFILES[name].measure(r) for name in ("sse_at_bits", "sse_quantised", "bits_quantised")]
    assert all(math.isfinite(x) and x >= 0 for profile in profiles for x in profile.values())
    lengths = profiles[2]
    assert list(lengths) == ["0", "1", "2", "4"] and lengths["0"] == 0
    assert all(x <= float(b) * r.codes.shape[1] * 1.5 for b, x in lengths.items())
    assert r.quantised.test.exact.mean().item() == pytest.approx(METRICS["sse"].measure(r))


def test_the_mean_image_takes_no_bits():
    (r,) = seen(trained("mean_image", seeds=(0,))[0], quantised=settings.Quantisation(**BITS))
    assert METRICS["bits_per_image"].measure(r) == 0
    assert set(PROFILES["bits_quantised"].measure(r).values()) == {0}
    assert len({*PROFILES["sse_quantised"].measure(r).values()}) == 1


def test_the_same_twice():
    first, second = (quantised(shown(Raw(), pictures(100, pixels=PIXELS))) for _ in range(2))
    assert torch.equal(first.test.errors, second.test.errors) and torch.equal(first.test.lengths, second.test.lengths)
