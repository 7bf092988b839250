"""Each metric on a perfect, a useless and an adversarial representation, and against a trusted library."""

import math
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from family import KINDS, PIXELS
from pydantic import ValidationError
from representations import CLASSES, CPU, PERFECT, USELESS, clouds, representation, seen, trained
from sklearn.neighbors import KNeighborsClassifier

from aebench.corruptions import CORRUPTIONS
from aebench.metrics import METRICS, neighbours
from aebench.randomness import Streams
from aebench.representation import Evaluation, corrupted, jacobian, represent, search, speed, views
from aebench.representation import pictures as drawn
from aebench.runs import Split


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if metric.better])
def test_a_perfect_representation_scores_the_perfect_value(name):
    assert METRICS[name].measure(PERFECT) == pytest.approx(METRICS[name].perfect, abs=1e-12)


@pytest.mark.parametrize("name", ["knn_1", "knn_5"])
def test_codes_that_know_nothing_score_chance(name):
    assert METRICS[name].measure(USELESS) == pytest.approx(100 / CLASSES, abs=5)


def test_reconstructions_that_know_nothing_score_twice_the_variance():
    assert METRICS["mse"].measure(USELESS) == pytest.approx(2 / 12, rel=0.05)
    assert METRICS["sse"].measure(USELESS) == pytest.approx(16 * 2 / 12, rel=0.05)
    assert METRICS["sse_corrupted"].measure(USELESS) == pytest.approx(16 * 2 / 12, rel=0.05)
    assert METRICS["psnr"].measure(USELESS) == pytest.approx(-10 * math.log10(1 / 6), abs=0.2)


@pytest.mark.parametrize("k", [1, 5])
def test_adversarial_codes_with_every_class_at_anothers_place_score_0(k):
    (codes, labels), (reference, reference_labels) = clouds(0.01), clouds(0.01, seed=1)
    swapped = representation(codes, reference, (labels + 1) % CLASSES, reference_labels)
    assert neighbours.knn_accuracy(swapped, k) == 0


def test_adversarial_reconstruction_one_bad_pixel_counts_the_same_wherever_it_is():
    """A single ruined pixel: SSE 1 whatever the image size, MSE 1 / pixels, summed and averaged on the right axes."""
    for pixels in (4, 100):
        x = torch.zeros(3, pixels)
        y = x.clone()
        y[:, -1] = 1
        r = representation(x, x, torch.zeros(3).long(), torch.zeros(3).long(), x, y)
        assert METRICS["sse"].measure(r) == 1
        assert METRICS["mse"].measure(r) == pytest.approx(1 / pixels)
        assert METRICS["psnr"].measure(r) == pytest.approx(10 * math.log10(pixels))


def test_adversarial_robustness_returning_the_corrupted_image_scores_the_noise():
    """Faithful to what it saw, not to what was there: clean images come back perfectly, corrupted ones as they came."""
    seen = PERFECT.images.clone()
    seen[:, :4] = 0
    r = replace(PERFECT, corrupted_reconstructions=seen)
    assert METRICS["sse"].measure(r) == 0
    assert METRICS["sse_corrupted"].measure(r) == pytest.approx(float(PERFECT.images[:, :4].square().sum(1).mean()))


def test_activation_of_codes_that_are_off_on_and_noise():
    assert METRICS["activation"].measure(replace(PERFECT, codes=torch.zeros(9, 3))) == 0
    assert METRICS["activation"].measure(replace(PERFECT, codes=torch.ones(9, 3))) == 1
    assert METRICS["activation"].measure(USELESS) == pytest.approx(0, abs=0.05)


def test_adversarial_activation_one_unit_always_on_is_a_share_of_the_units_whatever_the_images():
    """Averaged over images and units, so the same number wherever the activity is: in a unit or in an image."""
    lazy = torch.zeros(8, 4)
    lazy[:, 0] = 1
    busy = torch.zeros(8, 4)
    busy[:2] = 1
    for codes in (lazy, busy):
        assert METRICS["activation"].measure(replace(PERFECT, codes=codes)) == 0.25


def test_jacobian_is_the_mean_of_the_norms_not_the_root_of_the_mean_square():
    assert METRICS["jacobian"].measure(PERFECT) == 0
    two = replace(PERFECT.contraction, norms=torch.tensor([1.0, 7.0]))
    assert METRICS["jacobian"].measure(replace(PERFECT, contraction=two)) == 4


def test_adversarial_jacobian_a_code_of_half_the_scale_says_as_much_and_scores_half():
    """Why neither direction is better: nearest neighbours see no difference."""
    x = torch.rand(6, 4)
    full, half = (jacobian.norms(lambda x, c=c: c * torch.tanh(x), x)[0] for c in (1, 0.5))
    torch.testing.assert_close(half, full / 2)
    small = replace(PERFECT, codes=PERFECT.codes / 2, reference_codes=PERFECT.reference_codes / 2)
    assert METRICS["knn_1"].measure(small) == METRICS["knn_1"].measure(PERFECT)


@pytest.mark.parametrize("dim", [1, 2, 30, 100])
@pytest.mark.parametrize("k", [1, 5])
def test_knn_agrees_with_scikit_learn(dim, k, monkeypatch):
    monkeypatch.setattr(search, "BLOCK_BYTES", 10_000)
    rng = np.random.default_rng(0)
    codes, reference = rng.normal(10 * dim, 1, (300, dim)).astype("f4"), rng.normal(10 * dim, 1, (500, dim)).astype("f4")
    labels, reference_labels = rng.integers(0, 4, 300), rng.integers(0, 4, 500)
    expected = KNeighborsClassifier(k, algorithm="brute").fit(reference.astype("f8"), reference_labels)
    r = representation(*(torch.from_numpy(a) for a in (codes, reference, labels, reference_labels)))
    assert neighbours.knn_accuracy(r, k) == pytest.approx(100 * expected.score(codes.astype("f8"), labels), abs=1e-9)


def test_a_tie_of_votes_goes_to_the_lowest_class():
    codes, reference = torch.zeros(1, 2), torch.tensor([[1.0, 0], [0, 1.1], [1.2, 0], [0, 1.3], [9, 9]])
    labels, reference_labels = torch.tensor([1]), torch.tensor([2, 1, 2, 1, 0])
    assert neighbours.knn_accuracy(representation(codes, reference, labels, reference_labels), 4) == 100


def test_every_metric_says_what_it_is():
    for name, metric in METRICS.items():
        assert metric.meaning.endswith("."), name
        assert metric.title and metric.unit and metric.decimals >= 0, name
        assert (metric.better is None) == (metric.perfect is None), name
        assert metric.better is None or (metric.perfect > 0) == (metric.better == "higher"), name


# Representations


def test_represent_runs_each_seed_on_clean_images():
    model, family = trained("denoising", hidden=[4], code=2, corruption=1.0)
    x, y = torch.rand(10, PIXELS).numpy(), np.arange(10) % 3
    splits = (Split(x, y), Split(x[:2], y[:2])), Split(x[:4], y[:4])
    found = [represent(each) for each in views(model, *splits, Evaluation(jacobian_images=3), CPU)]
    for replica, r in zip(family.replicas(), found, strict=True):
        torch.testing.assert_close(r.codes, replica("encode", torch.from_numpy(x[:4])))
        torch.testing.assert_close(r.reconstructions, replica("decode", r.codes))
        assert r.reference_codes.shape == (12, 2) and r.validation == 2
        assert r.contraction.norms.shape == (3,)
    assert not torch.equal(found[0].codes, found[1].codes)


def test_corrupted_reconstructions_are_of_the_seeds_own_corruption_whatever_the_model():
    """Of raw pixels they are x̃ itself; a model given x̃ as its clean image makes the same of it."""
    (pixels,) = seen(trained("raw_pixels", seeds=(3,))[0], noise="gaussian", corruption=0.5)
    noisy = pixels.corrupted_reconstructions
    assert torch.equal(noisy, corrupted(pixels.images, Evaluation(noise="gaussian", corruption=0.5), 3))
    assert float((noisy - pixels.images).std()) == pytest.approx(0.5, rel=0.1)
    model, family = trained("vanilla")
    r, other = seen(model, noise="gaussian", corruption=0.5)
    replica = next(family.replicas())
    torch.testing.assert_close(r.corrupted_reconstructions, replica("decode", replica("encode", noisy)))
    assert not torch.allclose(other.corrupted_reconstructions, r.corrupted_reconstructions, atol=1e-3)


def test_the_corruption_is_none_that_a_training_saw():
    x = torch.ones(30, PIXELS)
    draws = [Streams(3).torch(name) for name in ("noise", "validation")]
    for generator in draws:
        keep, _ = CORRUPTIONS["masking"](30, PIXELS, 0.2, generator)
        assert not torch.equal(corrupted(x, Evaluation(), 3), keep)
    assert not torch.equal(corrupted(x, Evaluation(), 3), corrupted(x, Evaluation(), 4))
    assert float(corrupted(torch.ones(300, 300), Evaluation(), 3).mean()) == pytest.approx(0.8, abs=0.01)


def test_every_corruption_can_be_evaluated_and_none_that_leaves_nothing():
    assert set(get_args(Evaluation.model_fields["noise"].annotation)) == set(CORRUPTIONS)
    with pytest.raises(ValidationError, match="less than 1"):
        Evaluation(noise="dropout", corruption=1.0)


@pytest.mark.parametrize("kind", KINDS)
def test_jacobian_norms_are_those_of_finite_differences(kind):
    """Column by column in float64, for every model of the family."""
    model, family = trained(kind, seeds=(3,))
    (r,) = seen(model, jacobian_images=5)
    replica, x, step = next(family.replicas()), r.images[:5].double(), 1e-6
    replica.state = {name: value.double() for name, value in replica.state.items()}
    moves = step * torch.eye(PIXELS, dtype=torch.float64)
    columns = [(replica("encode", x + move) - replica("encode", x - move)) / (2 * step) for move in moves]
    expected = torch.stack(columns).square().sum((0, 2)).sqrt()
    torch.testing.assert_close(r.contraction.norms.double(), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("units", [5, 40])
def test_jacobians_narrow_and_wide_are_those_of_autograd_in_any_blocks(units, monkeypatch):
    """Rows are pulled back or columns pushed forward; sizes divide neither images nor units."""
    weight = torch.randn(units, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    x = torch.rand(7, 12, generator=torch.Generator().manual_seed(2), dtype=torch.float64)

    def encode(x):
        return torch.sigmoid(x @ weight.T)

    expected = torch.stack([torch.autograd.functional.jacobian(lambda x: encode(x[None])[0], row).norm() for row in x])
    monkeypatch.setattr(jacobian, "AT_ONCE", 3)
    monkeypatch.setattr(jacobian, "IMAGES", 4)
    torch.testing.assert_close(jacobian.norms(encode, x)[0], expected)


def test_controls_have_the_jacobians_they_must():
    still, pixels = (seen(trained(kind, seeds=(0,))[0])[0].contraction.norms for kind in ("mean_image", "raw_pixels"))
    assert torch.equal(still, torch.zeros(30))
    torch.testing.assert_close(pixels, torch.full((30,), 4.0))


# Pictures


def test_pictures_show_each_class_in_turn_and_scatter_a_share_of_each():
    labels = torch.tensor([2, 2, 0, 1, 0, 1, 2])
    codes = torch.arange(14.0).reshape(7, 2)
    images = torch.arange(7.0)[:, None]
    r = representation(codes, codes, labels, labels, images)
    assert drawn.images(r, 4)["images"].ravel().tolist() == [2, 3, 0, 4]
    assert sorted(drawn.scatter(r, 1)["scatter_labels"].tolist()) == [0, 1, 2]
    assert drawn.scatter(r, 1)["scatter"][:, 0].tolist() == [0, 4, 6]
    assert not drawn.scatter(replace(r, codes=codes[:, :1]), 1)


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_interpolations_go_in_a_line_from_one_class_to_another(classes):
    labels = torch.arange(40) % classes
    codes = torch.stack([labels.float(), torch.arange(40.0)], 1)
    lines = drawn.interpolated(representation(codes, codes, labels, labels)).reshape(drawn.PAIRS, drawn.STEPS, 2)
    assert (lines[:, 0, 0] != lines[:, -1, 0]).all()
    known = {tuple(code) for code in codes.tolist()}
    assert {tuple(code) for code in lines[:, [0, -1]].reshape(-1, 2).tolist()} <= known
    torch.testing.assert_close(lines.diff(dim=1), lines.diff(dim=1)[:, :1].expand(-1, drawn.STEPS - 1, -1), rtol=0, atol=1e-5)
    assert len({tuple(line[0].tolist()) for line in lines}) == drawn.PAIRS


def test_traversals_move_the_widest_units_by_two_deviations_about_the_mean():
    generator = torch.Generator().manual_seed(0)
    codes = 5 + torch.randn(500, 10, generator=generator) * torch.arange(10.0)
    labels = torch.arange(500) % 3
    lines = drawn.traversed(representation(codes, codes, labels, labels)).reshape(drawn.UNITS, drawn.PLACES, 10)
    mean, sd = codes.mean(0), codes.std(0)
    for line, unit in zip(lines, range(9, 1, -1), strict=True):
        torch.testing.assert_close(line[4], mean)
        torch.testing.assert_close(line[[0, -1], unit], mean[unit] + torch.tensor([-2.0, 2.0]) * sd[unit])
        others = [i for i in range(10) if i != unit]
        assert torch.equal(line[:, others], mean[others].expand(drawn.PLACES, -1))
    assert len(drawn.traversed(representation(codes[:, :3], codes[:, :3], labels, labels))) == 3 * drawn.PLACES


def test_a_manifold_spans_the_quantiles_the_second_number_upwards():
    codes = torch.stack([torch.linspace(0, 1, 1001), torch.linspace(0, 10, 1001)], 1)
    grid = drawn.grid(codes).reshape(drawn.GRID, drawn.GRID, 2)
    torch.testing.assert_close(grid[0, 0], torch.tensor([0.03, 9.7]))
    torch.testing.assert_close(grid[-1, -1], torch.tensor([0.97, 0.3]))
    torch.testing.assert_close(grid[7, 7], torch.tensor([0.5, 5.0]))


DECODED = {"samples": 20, "interpolations": 40, "traversals": 18, "manifold": 225}


@pytest.mark.parametrize(("kind", "prior"), [("variational", True), ("vanilla", False)])
def test_the_first_seed_is_decoded_from_its_prior_or_one_it_is_lent(kind, prior):
    model, family = trained(kind, code=2)
    r, _ = seen(model)
    arrays = drawn.pictures(model, r, Evaluation())
    assert {name: array.shape for name, array in arrays.items() if name in DECODED} == {
        name: (count, PIXELS) for name, count in DECODED.items()
    }
    assert bool(arrays["from_prior"]) == prior
    replica, noise = next(family.replicas()), torch.randn(20, 2, generator=Streams(3).torch("evaluation", 1))
    expected = noise if prior else r.reference_codes.mean(0) + r.reference_codes.std(0) * noise
    torch.testing.assert_close(torch.from_numpy(arrays["samples"]), replica("decode", expected))
    middle = torch.zeros(2) if prior else r.reference_codes.median(0).values
    torch.testing.assert_close(torch.from_numpy(arrays["manifold"][112]), replica("decode", middle[None])[0], rtol=0, atol=0.02)
    ends = torch.from_numpy(arrays["interpolations"].reshape(4, 10, PIXELS)[:, 0])
    torch.testing.assert_close(ends, r.reconstructions[[0, 5, 7, 9]])


def test_pictures_are_the_same_twice():
    model, _ = trained("vanilla", code=2)
    r, _ = seen(model)
    first, second = (drawn.pictures(model, r, Evaluation()) for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("kind", ["mean_image", "raw_pixels"])
def test_nothing_is_decoded_of_codes_that_never_change_or_are_the_images(kind):
    model, _ = trained(kind, seeds=(0,))
    assert not DECODED.keys() & set(drawn.pictures(model, seen(model)[0], Evaluation()))


def test_throughput_is_of_images_through_one_replica():
    model, _ = trained("vanilla")
    rates = speed.throughput(model, torch.rand(50, PIXELS))
    assert set(rates) == {"encode", "decode"}
    assert all(rate > 100 for rate in rates.values())
