"""Tests of corruptions of test images, denoising gain, code displacement, accuracy under corruption, and the heat map."""

import hashlib
import math
from dataclasses import dataclass, field, replace
from typing import get_args

import fake_runs
import numpy as np
import pytest
import torch
from family import KINDS, PIXELS
from PIL import Image
from pydantic import ValidationError
from representations import CLASSES, PERFECT, POSITIONS, USELESS, clouds, representation, represented, trained
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifier

from aebench.classifiers.ridge import ridge_accuracy
from aebench.corruptions import CORRUPTIONS
from aebench.evaluation.arrays import robustness as arrays
from aebench.evaluation.metrics import METRICS, neighbours, robustness
from aebench.evaluation.settings import Evaluation, Robustness
from aebench.randomness import EVALUATION
from aebench.reporting.figures import canvas
from aebench.reporting.figures.robustness import robustness as heat_map
from aebench.reporting.figures.robustness import table
from aebench.reporting.results import ModelResults, read
from aebench.statistics import estimate

DIGITS = torch.from_numpy(load_digits().images[:20].reshape(20, 64) / 16).float()
LEVELS = Robustness().levels
CHECKSUMS = {
    "masking": "6ec4b3ee0c786c02",
    "gaussian": "31127e8addcfb3f0",
    "salt_and_pepper": "14ab9add09ca8b9d",
    "blur": "ff0d860a2f4c16b0",
    "occlusion": "23e57cc96df6ad29",
    "shift": "eaee676ecc6a5060",
}
"""First hexadecimal digits of the SHA-256 of twenty images at the default levels. Values are rounded to multiples of 1 / 62.2,
since processors differ in the last bits; no value is close to a rounding boundary."""
FEW = {"robustness": {"images": 12, "levels": {"masking": [0.2, 0.6], "shift": [0.25]}}}


def corrupt(x, name, level, shape=None):
    side = math.isqrt(x.shape[1])
    return arrays.corrupt_images(x, shape or (side, side), {name: [level]})[name, level]


def under_corruption(r, **changes):
    """A representation with other arrays under corruption."""
    return replace(r, robustness=replace(r.robustness, **changes))


# Corruptions


@pytest.mark.parametrize("name", LEVELS)
def test_corrupted_digits_have_not_changed(name):
    """A change of torch's generator, of a formula or of the name of a stream changes the checksum."""
    images = torch.cat(list(arrays.corrupt_images(DIGITS, (8, 8), {name: LEVELS[name]}).values()))
    rounded = np.rint(62.2 * images.numpy()).astype("<i2")
    assert hashlib.sha256(rounded.tobytes()).hexdigest()[:16] == CHECKSUMS[name]


@pytest.mark.parametrize("name", LEVELS)
def test_images_change_more_at_higher_levels(name):
    images = arrays.corrupt_images(DIGITS, (8, 8), {name: LEVELS[name]}).values()
    low, middle, high = [float((x - DIGITS).square().sum()) for x in images]
    assert 0 < low < middle < high


def test_a_higher_level_masks_the_same_pixels_and_more():
    low, high = arrays.corrupt_images(torch.ones(9, 64), (8, 8), {"masking": [0.2, 0.6]}).values()
    assert (high <= low).all() and float(high.mean()) == pytest.approx(0.4, abs=0.1)


def test_draws_depend_on_the_corruption_alone_and_differ_from_those_of_training():
    alone = corrupt(DIGITS, "masking", 0.25)
    assert torch.equal(alone, arrays.corrupt_images(DIGITS, (8, 8), LEVELS)["masking", 0.25])
    for stream in ("noise", "validation", "evaluation"):
        generator = EVALUATION.torch(stream)
        assert not torch.equal(alone != 0, DIGITS * (torch.rand(20, 64, generator=generator) >= 0.25) != 0)


def test_blur_agrees_with_scipy_on_each_image_and_channel_and_keeps_a_uniform_image():
    x = torch.rand(3, 6 * 10 * 2, generator=torch.Generator().manual_seed(0))
    blurred = corrupt(x, "blur", 0.25, (6, 10, 2)).reshape(3, 6, 10, 2)
    expected = gaussian_filter(x.reshape(3, 6, 10, 2)[1, ..., 1].numpy(), 1.5, mode="nearest")
    np.testing.assert_allclose(blurred[1, ..., 1], expected, rtol=1e-5)
    torch.testing.assert_close(corrupt(torch.full((2, 64), 0.3), "blur", 0.2), torch.full((2, 64), 0.3))


def test_occlusion_hides_a_square_anywhere_inside_the_image():
    x = torch.ones(4000, 5 * 8 * 3)
    hidden = corrupt(x, "occlusion", 0.6, (5, 8, 3)).reshape(-1, 5, 8, 3) == 0
    assert (hidden == hidden[..., :1]).all()
    assert (hidden[..., 0].any(2).sum(1) == 3).all() and (hidden[..., 0].any(1).sum(1) == 3).all()
    assert (hidden[..., 0].sum((1, 2)) == 9).all()
    corners = hidden[..., 0].flatten(1).int().argmax(1)
    assert sorted(corners.unique().tolist()) == [8 * y + x for y in range(3) for x in range(6)]
    assert torch.bincount(corners)[corners.unique()].min() > 150


def test_a_shift_moves_all_images_equally_far_in_one_of_four_directions():
    x = torch.zeros(400, 7 * 9)
    x[:, 3 * 9 + 4] = 1
    shifted = corrupt(x, "shift", 2 / 7, (7, 9))
    assert (shifted.sum(1) - 1).abs().max() < 1e-5
    counts = torch.bincount(shifted.argmax(1), minlength=63)
    expected = [3 * 9 + 2, 3 * 9 + 6, 1 * 9 + 4, 5 * 9 + 4]
    assert counts[expected].sum() == 400 and counts[expected].min() > 70


def test_a_shift_by_half_a_pixel_interpolates_and_loses_what_leaves_the_image():
    shifted = corrupt(torch.eye(64), "shift", 1 / 16).reshape(64, 8, 8)
    inner = [8 * y + x for y in range(1, 7) for x in range(1, 7)]
    assert (shifted.amax((1, 2)) == 0.5).all() and (shifted[inner].sum((1, 2)) == 1).all()
    assert set(shifted.sum((1, 2)).tolist()) == {0.5, 1.0}


@pytest.mark.parametrize(
    "settings",
    [
        *({"levels": levels} for levels in ({"masking": [0.5, 0.1]}, {"masking": [0.1, 0.1]}, {"masking": [0.0]})),
        *({"levels": levels} for levels in ({"masking": []}, {"fog": [0.1]}, {})),
        {"corruption": "dropout", "level": 1.0},
    ],
)
def test_invalid_settings_are_errors(settings):
    with pytest.raises(ValidationError):
        Evaluation(robustness=settings)


def test_sse_corrupted_can_use_every_corruption_of_training():
    assert set(get_args(Robustness.model_fields["corruption"].annotation)) == set(CORRUPTIONS)


# Arrays


def test_corrupted_reconstructions_have_the_same_noise_for_every_model_and_seed():
    """The reconstructions by raw pixels are x̃."""
    settings = Robustness(corruption="gaussian", level=0.5)
    (pixels,) = represented(trained("raw_pixels", seeds=(3,))[0], robustness=settings)
    noisy = pixels.corrupted_reconstructions
    assert torch.equal(noisy, arrays.corrupted(pixels.images, settings))
    assert float((noisy - pixels.images).std()) == pytest.approx(0.5, rel=0.1)
    model, ensemble = trained("vanilla")
    for r, replica in zip(represented(model, robustness=settings), ensemble.replicas(), strict=True):
        torch.testing.assert_close(r.corrupted_reconstructions, replica("decode", replica("encode", noisy)))


def test_the_noise_of_sse_corrupted_differs_from_that_of_training():
    x = torch.ones(30, PIXELS)
    masked = arrays.corrupted(x, Robustness())
    for stream in ("noise", "validation"):
        (keep,) = CORRUPTIONS["masking"](30, PIXELS, 0.2, EVALUATION.torch(stream))
        assert not torch.equal(masked, keep)
    assert float(arrays.corrupted(torch.ones(300, 300), Robustness()).mean()) == pytest.approx(0.8, abs=0.01)


def test_all_models_and_seeds_get_the_same_corrupted_images():
    first, second = represented(trained("vanilla")[0], **FEW)
    (pixels,) = represented(trained("raw_pixels", seeds=(0,))[0], **FEW)
    assert torch.equal(pixels.robustness.reconstructions, pixels.robustness.images)
    assert all(torch.equal(r.robustness.images, pixels.robustness.images) for r in (first, second))


def test_codes_and_reconstructions_are_those_of_the_corrupted_images():
    model, ensemble = trained("denoising")
    r, _ = represented(model, **FEW)
    replica = next(ensemble.replicas())
    assert r.robustness.corruptions == (("masking", 0.2), ("masking", 0.6), ("shift", 0.25))
    assert r.robustness.images.shape == (3, 12, 16)
    for corruption, x, codes, y in zip(*vars(r.robustness).values(), strict=True):
        assert torch.equal(x, corrupt(r.images[[i * len(r.images) // 12 for i in range(12)]], *corruption))
        torch.testing.assert_close(codes, replica("encode", x))
        torch.testing.assert_close(y, replica("decode", codes))


@pytest.mark.parametrize("kind", KINDS)
def test_every_model_has_all_profiles(kind):
    (r,) = represented(trained(kind, seeds=(3,))[0], **FEW)
    positions = ["masking 0.2", "masking 0.6", "shift 0.25"]
    gain, displacement = robustness.gain_by_corruption(r), robustness.displacement_by_corruption(r)
    assert list(gain) == list(displacement) == positions
    assert list(robustness.knn_by_corruption(r)) == list(robustness.probe_by_corruption(r)) == ["clean", *positions]
    assert all(map(math.isfinite, gain.values()))
    constant = bool((r.codes == r.codes[0]).all())
    assert all(math.isnan(value) == constant for value in displacement.values())
    assert all(0 <= METRICS[name].measure(r) <= 100 for name in ("knn_under_corruption", "probe_under_corruption"))


# SSE corrupted and gain


def test_sse_corrupted_of_unrelated_images_is_twice_the_variance():
    assert METRICS["sse_corrupted"].measure(USELESS) == pytest.approx(16 * 2 / 12, rel=0.05)


def test_adversarial_a_copy_of_the_corrupted_image_scores_the_noise():
    copy = PERFECT.images.clone()
    copy[:, :4] = 0
    r = replace(PERFECT, corrupted_reconstructions=copy)
    assert METRICS["sse"].measure(r) == 0
    assert METRICS["sse_corrupted"].measure(r) == pytest.approx(float(PERFECT.images[:, :4].square().sum(1).mean()))


def test_gain_is_1_if_restored_0_if_copied_and_negative_if_worse():
    assert set(robustness.gain_by_corruption(PERFECT).values()) == {1}
    x, images = PERFECT.images, PERFECT.robustness.images
    r = under_corruption(PERFECT, reconstructions=torch.stack([images[0], (x + images[1]) / 2, 2 * images[2] - x]))
    assert list(robustness.gain_by_corruption(r).values()) == pytest.approx([0, 3 / 4, -3], abs=1e-6)
    assert robustness.denoising_gain(r) == pytest.approx((0 + 3 / 4 - 3) / 3, abs=1e-6)


def test_adversarial_an_image_with_little_noise_does_not_dominate_the_gain():
    """One of four images is hardly corrupted and not restored, so that a mean of ratios would be far below 0."""
    images, reconstructions = torch.ones(1, 4, 16), torch.zeros(1, 4, 16)
    images[0, 0], reconstructions[0, 0] = 1e-3, 1
    part = arrays.Corrupted(POSITIONS[:1], images, PERFECT.robustness.codes[:1, :4], reconstructions)
    r = replace(PERFECT, images=torch.zeros(4, 16), robustness=part)
    assert robustness.denoising_gain(r) == pytest.approx(1 - 1 / 3, abs=1e-5)


def test_gain_is_nan_for_unchanged_images():
    r = under_corruption(PERFECT, images=torch.stack([PERFECT.images] * 3))
    assert all(map(math.isnan, robustness.gain_by_corruption(r).values())) and math.isnan(robustness.denoising_gain(r))


# Displacement


def test_displacement_is_0_for_unmoved_codes_and_1_for_those_of_any_other_image():
    assert set(robustness.displacement_by_corruption(PERFECT).values()) == {0}
    r = under_corruption(USELESS, codes=torch.randn(3, *USELESS.codes.shape, generator=torch.Generator().manual_seed(5)))
    assert list(robustness.displacement_by_corruption(r).values()) == pytest.approx([1, 1, 1], abs=0.02)


def test_adversarial_scale_and_offset_of_codes_do_not_change_the_displacement():
    codes = PERFECT.robustness.codes + 0.1
    distances = torch.cdist(PERFECT.codes.double(), PERFECT.codes.double())
    expected = [0.1 * 8**0.5 / float(distances.sum() / (200 * 199))] * 3
    moved = under_corruption(PERFECT, codes=codes)
    assert list(robustness.displacement_by_corruption(moved).values()) == pytest.approx(expected, rel=1e-5)
    far = replace(under_corruption(PERFECT, codes=7 * codes + 50), codes=7 * PERFECT.codes + 50)
    assert list(robustness.displacement_by_corruption(far).values()) == pytest.approx(expected, rel=1e-4)


# Accuracy


@pytest.mark.parametrize("name", ["knn_under_corruption", "probe_under_corruption"])
def test_random_codes_score_chance(name):
    assert METRICS[name].measure(USELESS) == pytest.approx(100 / CLASSES, abs=5)


def test_adversarial_codes_that_move_to_another_class_are_integrated_over_levels():
    """Predictions are correct for clean images and masking 0.25, and wrong for masking 0.5 and blur."""
    same, _ = clouds(0.01)
    other = same.roll(1, 0)
    r = under_corruption(PERFECT, codes=torch.stack([same, other, other]))
    expected = {"clean": 100, "masking 0.25": 100, "masking 0.5": 0, "blur 0.1": 0}
    assert robustness.knn_by_corruption(r) == robustness.probe_by_corruption(r) == expected
    masking, blur = (0.25 * 100 + 0.25 * 50) / 0.5, 50
    assert robustness.knn_under_corruption(r) == pytest.approx((masking + blur) / 2)


def test_accuracies_are_those_of_k_nn_and_of_the_ridge_probe():
    generator = torch.Generator().manual_seed(3)
    (codes, labels), (reference, reference_labels) = clouds(0.6, n=150), clouds(0.6, seed=1)
    noisy = codes + 0.4 * torch.randn(3, 150, 8, generator=generator)
    r = representation(codes, reference, labels, reference_labels)
    rows = [i * 150 // 100 for i in range(100)]
    images = r.robustness.images[:, rows]
    r = replace(r, robustness=arrays.Corrupted(POSITIONS, images, noisy[:, rows], images))
    for position, queries in zip(robustness.knn_by_corruption(r), (codes, *noisy), strict=True):
        one = representation(queries[rows], reference, labels[rows], reference_labels)
        assert robustness.knn_by_corruption(r)[position] == neighbours.knn_accuracy(one, 5)
        data = [x.numpy() for x in (reference.double(), reference_labels, queries[rows].double(), labels[rows])]
        accuracy = 100 * RidgeClassifier(alpha=1.0).fit(*data[:2]).score(*data[2:])
        assert robustness.probe_by_corruption(r)[position] == pytest.approx(accuracy, abs=1e-9)
        assert ridge_accuracy(*data) == pytest.approx(accuracy, abs=1e-9)


def test_the_mean_weighs_levels_by_their_distance():
    """Three levels are near 0 and one is distant; the unweighted mean over levels would be 25."""
    corruptions = tuple(("gaussian", level) for level in (0.01, 0.02, 0.03, 1.0))
    correct, wrong = PERFECT.codes, PERFECT.codes.roll(1, 0)
    images, codes = torch.zeros(4, 200, 16), torch.stack([wrong, wrong, wrong, correct])
    part = arrays.Corrupted(corruptions, images, codes, images)
    assert robustness.knn_under_corruption(replace(PERFECT, robustness=part)) == pytest.approx(100 * (0.005 + 0.97 / 2))


# Heat map


@dataclass(frozen=True)
class Profiled(ModelResults):
    """Results of a model with only profiles."""

    profiles: dict = field(default_factory=dict)


def results(root, monkeypatch, accuracies=lambda i, j: 90 - 10 * i - 3 * j):
    fake_runs.write_fake_suite(root)
    monkeypatch.chdir(root)
    suite = read(fake_runs.DATASET)
    positions = [f"{name} {level:g}" for name, levels in LEVELS.items() for level in levels]
    models = []
    for i, model in enumerate(suite.models):
        profiles = {
            "knn_by_corruption": {p: estimate([accuracies(i, j)] * 2) for j, p in enumerate(["clean", *positions])},
            "denoising_gain_by_corruption": {p: estimate([0.5 - 0.3 * i - 0.01 * j]) for j, p in enumerate(positions)},
        }
        models.append(Profiled(**vars(model) | {"profiles": profiles}))
    return replace(suite, models=models)


def test_the_heat_map_has_one_row_per_model_and_one_column_per_corruption_and_level(tmp_path, monkeypatch):
    suite = results(tmp_path, monkeypatch)
    with canvas.style():
        drawing = heat_map(suite)
        canvas.save(drawing, tmp_path / "heat.png", "heat")
    accuracy, gains = drawing.axes
    assert [label.get_text() for label in accuracy.get_yticklabels()] == list(fake_runs.BLOCKS)
    assert [label.get_text() for label in accuracy.get_xticklabels()][:3] == ["", "0.1", "0.25"]
    assert len(gains.get_xticklabels()) == 18
    texts = [text.get_text() for text in accuracy.texts]
    assert texts[:2] == ["90", "87"] and {"clean", "masking", "salt/pepper", "shift"} <= set(texts)
    np.testing.assert_allclose(accuracy.images[0].get_array(), table(suite.models, "knn_by_corruption"))
    assert Image.open(tmp_path / "heat.png").width == 1000


def test_the_heat_map_leaves_missing_values_blank_and_is_not_drawn_without_profiles(tmp_path, monkeypatch):
    suite = results(tmp_path, monkeypatch, lambda i, j: float("nan") if j == 1 else 50)
    with canvas.style():
        drawing = heat_map(suite)
    assert len([text for text in drawing.axes[0].texts if text.get_text() == "50"]) == 18 * len(suite.models)
    assert heat_map(replace(suite, models=[replace(model, profiles={}) for model in suite.models])) is None
