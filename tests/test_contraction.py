"""Tests of the encoder's Jacobians: norms, spectra on and off the data, effective rank, saturation and linearisation."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from family import KINDS, PIXELS, model
from family import X as IMAGES
from representations import PERFECT, contraction, represented, trained, view

from aebench.evaluation.arrays import contraction as arrays
from aebench.evaluation.metrics import METRICS
from aebench.evaluation.metrics import contraction as metrics
from aebench.evaluation.settings import Evaluation

X = torch.rand(7, 12, generator=torch.Generator().manual_seed(2))


def representation_of(jacobians, off=None, pixels=None):
    """A representation with Jacobians (m, k, d)."""
    images = torch.rand(len(jacobians), pixels or jacobians.shape[2])
    return replace(PERFECT, images=images, contraction=contraction(jacobians, off))


def sigmoid_layer(units, scale=1.0, bias=0.0):
    weight = scale * torch.randn(units, 12, generator=torch.Generator().manual_seed(1))
    return lambda x: torch.sigmoid(x @ weight.T + bias)


# The arrays


@pytest.mark.parametrize("units", [5, 12, 40])
def test_spectra_match_autograd_jacobians_in_blocks_of_any_size(units, monkeypatch):
    """There are fewer units than pixels, as many or more. Numbers of images and units are not multiples of the block sizes."""
    encode = sigmoid_layer(units)
    expected = [torch.autograd.functional.jacobian(lambda x: encode(x[None])[0], row).double() for row in X]
    for name, value in (("UNITS", 3), ("IMAGES", 4), ("FULL_JACOBIANS", 2)):
        monkeypatch.setattr(arrays, name, value)
    computed = arrays.spectra(encode, X)
    torch.testing.assert_close(computed, torch.linalg.svdvals(torch.stack(expected)), rtol=1e-5, atol=1e-6)
    norms, unit_norms = arrays.norms(encode, X)
    torch.testing.assert_close(unit_norms.double(), torch.stack(expected).norm(dim=2), rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(norms.double(), computed.square().sum(1).sqrt(), rtol=1e-5, atol=1e-7)


def test_noise_images_are_uniform_and_the_same_for_every_seed():
    inputs = []

    class Spy:
        """A model that records its inputs."""

        def function(self, method):
            return lambda x: (inputs.append(x.detach()), x[:, :3])[1]

    for seed in (3, 4):
        arrays.contraction(
            view(Spy(), torch.zeros(40, 16), torch.arange(40) % 3, seed, Evaluation(contraction={"spectra": 30}))
        )
    noise = [torch.cat([x for x in inputs if x.any()][start : start + 3]) for start in (0, 3)]
    assert torch.equal(noise[0], noise[1])
    assert noise[0].shape == (30, 16) and noise[0].min() >= 0 and noise[0].max() <= 1
    assert float(noise[0].mean()) == pytest.approx(0.5, abs=0.03) and float(noise[0].var()) == pytest.approx(1 / 12, rel=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_squared_singular_values_sum_to_the_squared_norm_for_every_model(kind):
    model, _ = trained(kind, seeds=(3,))
    (r,) = represented(model, contraction={"images": 8, "spectra": 4})
    part, k = r.contraction, r.codes.shape[1]
    assert part.spectra.shape == part.noise_spectra.shape == (4, min(k, PIXELS)) and part.unit_norms.shape == (8, k)
    torch.testing.assert_close(part.spectra.square().sum(1).sqrt(), part.norms[::2].double(), rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(part.unit_norms.square().sum(1).sqrt(), part.norms, rtol=1e-5, atol=1e-7)
    moves = bool(part.norms.any())
    assert math.isnan(metrics.jacobian_rank(r)) != moves and math.isnan(metrics.saturation(r)) != moves
    assert not moves or 1 <= metrics.jacobian_rank(r) <= min(k, PIXELS) + 1e-9


# Effective rank


@pytest.mark.parametrize("rank", [1, 3, 6])
def test_effective_rank_of_equal_singular_values_is_their_number(rank):
    rows = torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(0))).Q[:rank]
    mixed = torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(1))).Q[:, :rank] @ rows
    assert metrics.jacobian_rank(representation_of(5 * mixed[None])) == pytest.approx(rank, abs=1e-4)


def test_effective_rank_uses_singular_values_not_their_squares():
    shares = np.array([3, 1]) / 4
    expected = math.exp(-(shares * np.log(shares)).sum())
    assert metrics.jacobian_rank(representation_of(torch.diag(torch.tensor([3.0, 1.0]))[None])) == pytest.approx(
        expected, abs=1e-7
    )


def test_adversarial_rank_is_1_if_each_image_has_one_direction_of_its_own():
    """The mean spectrum, or all Jacobians together, would have rank 4."""
    one_each = torch.stack([torch.outer(row, row) for row in torch.eye(4)])
    assert metrics.jacobian_rank(representation_of(one_each)) == pytest.approx(1)
    uneven = torch.stack([torch.diag(torch.tensor([1.0, 0, 0, 0])), 100 * torch.eye(4), torch.zeros(4, 4)])
    assert metrics.jacobian_rank(representation_of(uneven)) == pytest.approx(2.5)


# On and off the data


def test_a_linear_code_has_a_ratio_of_1_and_no_saturation():
    weight = torch.randn(5, PIXELS, generator=torch.Generator().manual_seed(0))

    class Linear:
        def function(self, method):
            return lambda x: x @ weight.T

    part = arrays.contraction(view(Linear(), torch.rand(9, PIXELS), torch.arange(9) % 3))
    r = replace(PERFECT, contraction=part)
    assert metrics.jacobian_on_off(r) == pytest.approx(1, abs=1e-12)
    assert metrics.saturation(r) == 0


def test_the_ratio_is_the_mean_norm_on_the_data_over_that_on_noise():
    on = torch.stack([torch.eye(3), 3 * torch.eye(3)])
    assert metrics.jacobian_on_off(representation_of(on, 4 * on)) == pytest.approx(1 / 4)
    assert metrics.jacobian_on_off(representation_of(on, torch.stack([torch.eye(3), torch.zeros(3, 3)]))) == pytest.approx(4)
    assert math.isnan(metrics.jacobian_on_off(representation_of(on, 0 * on)))
    assert metrics.jacobian_on_off(representation_of(0 * on, on)) == 0


# Saturation


@pytest.mark.parametrize("scale", [1, 5, 20])
def test_saturation_of_a_sigmoid_layer_is_the_fraction_of_activations_below_005_or_above_095(scale):
    """The batch includes an image of zeros, for which every unit without a bias is 1/2."""
    encode, x = sigmoid_layer(30, scale), torch.cat([X - 0.5, torch.zeros(1, 12)])
    unit_norms = arrays.norms(encode, x)[1]
    h = encode(x)
    expected = 100 * float(((h < 0.05) | (h > 0.95)).double().mean())
    assert metrics.saturation(replace(PERFECT, contraction=replace(PERFECT.contraction, unit_norms=unit_norms))) == expected
    assert (expected > 50) == (scale == 20) and (expected == 0) == (scale == 1)


def test_adversarial_saturation_compares_each_unit_with_itself():
    """A unit with a hundredth of the scale is not saturated, and a constant unit is not counted."""
    unit_norms = torch.tensor([[1.0, 0.01, 0], [0.1, 0.01, 0], [0.2, 0.01, 0], [1.0, 0.001, 0]])
    part = replace(PERFECT.contraction, unit_norms=unit_norms)
    assert metrics.saturation(replace(PERFECT, contraction=part)) == pytest.approx(100 * 2 / 8)


def test_a_constant_code_has_no_ratio_rank_or_saturation():
    for measure in (metrics.jacobian_on_off, metrics.jacobian_rank, metrics.saturation):
        assert math.isnan(measure(PERFECT))
    assert metrics.jacobian(PERFECT) == 0
    assert set(list(metrics.singular_values(PERFECT).values())[:4]) == {0}


# Linearisation


def linearisation_of(errors, changes):
    """The profile of codes with these errors and changes (images,) at each length."""
    part = arrays.Linearised(*(torch.as_tensor(values).repeat(len(arrays.FRACTIONS), 1) for values in (errors, changes)))
    along, across = (replace(PERFECT, contraction=replace(PERFECT.contraction, **{name: part})) for name in ("along", "across"))
    profile = metrics.linearisation_along(along)
    assert metrics.linearisation_across(across) == profile and list(profile) == ["0.0625", "0.125", "0.25", "0.5", "1"]
    return set(profile.values())


def test_linearisation_of_a_square_by_hand():
    """For f(x) = x² at x = 1 and δ = 2t, f(x + δ) - f(x) = 4t + 4t² and J δ = 4t."""
    part = arrays.linearise(torch.square, torch.ones(1, 2), torch.tensor([[2.0, 0.0]]))
    t = torch.tensor(arrays.FRACTIONS)[:, None]
    torch.testing.assert_close(part.errors, 4 * t.square())
    torch.testing.assert_close(part.changes, 4 * t + 4 * t.square())


@pytest.mark.parametrize("kind", KINDS)
def test_linearisation_uses_the_jacobian_of_every_model(kind):
    net, change = model(kind), IMAGES.roll(1, 0) - IMAGES
    part = arrays.linearise(net.encode, IMAGES, change)
    jacobian = torch.func.vmap(torch.func.jacrev(lambda x: net.encode(x[None])[0]))(IMAGES)
    for i, t in enumerate(arrays.FRACTIONS):
        moved = net.encode(IMAGES + t * change) - net.encode(IMAGES)
        torch.testing.assert_close(part.changes[i], moved.norm(dim=1))
        torch.testing.assert_close(part.errors[i], (moved - t * (jacobian @ change[..., None])[..., 0]).norm(dim=1))


def test_the_change_along_the_data_leads_to_the_nearest_other_image_of_the_class():
    """A nearer image is of another class, one is a duplicate, and one is the only image of its class."""
    images, labels = torch.zeros(5, PIXELS), torch.tensor([0, 1, 0, 0, 2])
    images[:, 0] = torch.tensor([0.5, 0.6, 0.9, 0.5, 0.1])
    x, along, across = arrays.directions(view(None, images, labels, settings=Evaluation(contraction={"spectra": 50})))
    assert x[:, 0].tolist() == [0.5, pytest.approx(0.9), 0.5]
    torch.testing.assert_close((x + along)[:, 0], torch.tensor([0.9, 0.5, 0.9]))
    torch.testing.assert_close(across.norm(dim=1), along.norm(dim=1))


def test_changes_across_the_data_are_uniform_on_the_sphere_and_the_same_for_every_seed():
    images, settings = (
        torch.rand(2000, PIXELS, generator=torch.Generator().manual_seed(5)),
        Evaluation(contraction={"spectra": 2000}),
    )
    first, other = (arrays.directions(view(None, images, torch.arange(2000) % 3, seed, settings))[2] for seed in (3, 4))
    assert torch.equal(first, other)
    unit = first / first.norm(dim=1, keepdim=True)
    torch.testing.assert_close(unit.mean(0), torch.zeros(PIXELS), atol=0.03, rtol=0)
    torch.testing.assert_close(unit.T @ unit / 2000, torch.eye(PIXELS) / PIXELS, atol=0.015, rtol=0)


def test_linearisation_of_images_without_others_of_their_class_is_undefined():
    class Pixels:
        def function(self, method):
            return lambda x: x

    r = replace(PERFECT, contraction=arrays.contraction(view(Pixels(), torch.rand(4, PIXELS), torch.arange(4))))
    assert all(math.isnan(value) for value in metrics.linearisation_along(r).values())


@pytest.mark.parametrize(("kind", "changes"), [("raw_pixels", {}), ("vanilla", {"hidden": []})])
def test_the_linearisation_of_a_linear_code_has_no_error(kind, changes):
    (r,) = represented(trained(kind, seeds=(0,), **changes)[0], contraction={"images": 6, "spectra": 20})
    for measure in (metrics.linearisation_along, metrics.linearisation_across):
        assert list(measure(r).values()) == pytest.approx([0] * 5, abs=1e-5)
    assert linearisation_of([0.0, 0.0], [1.0, 2.0]) == {0}


def test_the_linearisation_of_a_constant_code_is_undefined():
    (r,) = represented(trained("mean_image", seeds=(0,))[0], contraction={"images": 6, "spectra": 20})
    for measure in (metrics.linearisation_along, metrics.linearisation_across):
        assert all(math.isnan(value) for value in (*measure(r).values(), *measure(PERFECT).values()))


def test_adversarial_linearisation_of_a_code_that_jumps_is_1():
    """Its Jacobian is 0, so the code seems not to change."""
    part = arrays.linearise(lambda x: (x > 0.5).float(), torch.full((3, 2), 0.4), torch.full((3, 2), 2.0))
    assert linearisation_of(part.errors[0], part.changes[0]) == {1}


def test_adversarial_linearisation_is_a_ratio_of_means():
    """One image whose code does not change would make a mean of ratios infinite."""
    assert linearisation_of([3.0, 1.0], [2.0, 0.0]) == {2}


def test_halving_a_code_keeps_the_error_of_its_linearisation():
    x, change = torch.rand(6, 4), torch.rand(6, 4)
    full, half = (arrays.linearise(lambda x, c=c: c * torch.tanh(3 * x), x, change) for c in (1, 0.5))
    torch.testing.assert_close(half.errors / half.changes, full.errors / full.changes)


# Profiles


def test_singular_values_are_means_over_images_by_index():
    values = torch.tensor([9.0, 7, 5, 4, 2])
    on = torch.stack([torch.diag(values.flip(0)), torch.diag(3 * values)])
    r = representation_of(on, 2 * on)
    assert metrics.singular_values(r) == pytest.approx({"1": 18, "2": 14, "3": 10, "5": 4})
    assert metrics.singular_values_off(r) == pytest.approx({"1": 36, "2": 28, "3": 20, "5": 8})


def test_indices_depend_on_the_image_size_and_are_nan_above_the_number_of_units():
    indices = ["1", "2", "3", "5", "10", "20", "30", "50", "100", "200", "300", "500"]
    for units in (1, 2, 30, 40):
        computed = metrics.singular_values(representation_of(torch.ones(2, units, 45), pixels=784))
        assert list(computed) == indices
        assert [index for index, value in computed.items() if not math.isnan(value)] == [p for p in indices if int(p) <= units]


# Norms of Jacobians


def test_jacobian_is_the_mean_norm_not_the_root_of_the_mean_square():
    assert METRICS["jacobian"].measure(PERFECT) == 0
    two = replace(PERFECT.contraction, norms=torch.tensor([1.0, 7.0]))
    assert METRICS["jacobian"].measure(replace(PERFECT, contraction=two)) == 4


def test_adversarial_halving_a_code_halves_its_jacobian_and_keeps_its_neighbours():
    """A smaller Jacobian is therefore neither better nor worse."""
    x = torch.rand(6, 4)
    full, half = (arrays.norms(lambda x, c=c: c * torch.tanh(x), x)[0] for c in (1, 0.5))
    torch.testing.assert_close(half, full / 2)
    small = replace(PERFECT, codes=PERFECT.codes / 2, reference_codes=PERFECT.reference_codes / 2)
    assert METRICS["knn_1"].measure(small) == METRICS["knn_1"].measure(PERFECT)


@pytest.mark.parametrize("kind", KINDS)
def test_jacobian_norms_agree_with_finite_differences(kind):
    model, ensemble = trained(kind, seeds=(3,))
    (r,) = represented(model, contraction={"images": 5})
    replica, x, step = next(ensemble.replicas()), r.images[[i * len(r.images) // 5 for i in range(5)]].double(), 1e-6
    replica.state = {name: value.double() for name, value in replica.state.items()}
    moves = step * torch.eye(PIXELS, dtype=torch.float64)
    columns = [(replica("encode", x + move) - replica("encode", x - move)) / (2 * step) for move in moves]
    expected = torch.stack(columns).square().sum((0, 2)).sqrt()
    torch.testing.assert_close(r.contraction.norms.double(), expected, rtol=1e-4, atol=1e-6)


def test_jacobian_norms_of_the_baselines_are_known():
    constant, pixels = (represented(trained(kind, seeds=(0,))[0])[0].contraction.norms for kind in ("mean_image", "raw_pixels"))
    assert torch.equal(constant, torch.zeros(30))
    torch.testing.assert_close(pixels, torch.full((30,), 4.0))
