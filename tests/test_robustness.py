"""What is left of degraded images: frozen degradations, gains, accuracies and their areas."""

import hashlib
import math
from dataclasses import dataclass, field, replace

import fake_runs
import numpy as np
import pytest
import torch
from family import KINDS
from PIL import Image
from pydantic import ValidationError
from representations import CLASSES, PERFECT, PLACES, USELESS, clouds, representation, seen, trained
from scipy.ndimage import gaussian_filter
from sklearn.datasets import load_digits

from aebench import probe
from aebench.metrics import neighbours, robustness
from aebench.randomness import Streams
from aebench.reporting import canvas
from aebench.reporting.results import Row, read
from aebench.reporting.robustness import robustness as heat_map
from aebench.reporting.robustness import table
from aebench.representation import Evaluation
from aebench.representation import degraded as part
from aebench.representation.settings import Robustness
from aebench.statistics import estimate

DIGITS = torch.from_numpy(load_digits().images[:20].reshape(20, 64) / 16).float()
LEVELS = Robustness().levels
CHECKSUMS = {
    "masking": "c0f436ff14384e16",
    "gaussian": "075701318d977831",
    "salt_and_pepper": "e814dab7327283ac",
    "blur": "20d2285bac8e2c3a",
    "occlusion": "ed33d2a5c8d27307",
    "shift": "1d4ec1d8c95af79e",
}
"""Starts of SHA-256 of the first twenty digits at the default levels, in steps of 1 / 61.7: processors differ in last bits of
logarithms, and no number lies near the middle between two such steps."""
FEW = {"robustness": {"images": 12, "levels": {"masking": [0.2, 0.6], "shift": [0.25]}}}


def degrade(x, name, level, shape=None):
    side = math.isqrt(x.shape[1])
    return part.degradations(x, shape or (side, side), {name: [level]})[name, level]


def digest(images):
    whole = np.rint(61.7 * torch.cat(images).numpy()).astype("<i2")
    return hashlib.sha256(whole.tobytes()).hexdigest()[:16]


# Degradations


@pytest.mark.parametrize("name", LEVELS)
def test_degraded_digits_are_those_of_the_record(name):
    """A change of torch's generator, of a formula or of a stream's name shows here before it shows in the tables."""
    assert digest(list(part.degradations(DIGITS, (8, 8), {name: LEVELS[name]}).values())) == CHECKSUMS[name]


def test_every_corruption_takes_more_from_an_image_level_by_level():
    for name, levels in LEVELS.items():
        lost = [float((x - DIGITS).square().sum()) for x in part.degradations(DIGITS, (8, 8), {name: levels}).values()]
        assert 0 < lost[0] < lost[1] < lost[2], name


def test_at_a_higher_level_the_same_places_are_masked_and_more():
    some, more = part.degradations(torch.ones(9, 64), (8, 8), {"masking": [0.2, 0.6]}).values()
    assert (more <= some).all() and float(more.mean()) == pytest.approx(0.4, abs=0.1)


def test_a_draw_depends_on_its_corruption_alone_and_on_no_training():
    alone = degrade(DIGITS, "masking", 0.25)
    among = part.degradations(DIGITS, (8, 8), LEVELS)["masking", 0.25]
    assert torch.equal(alone, among)
    for stream in ("noise", "validation", "evaluation"):
        generator = Streams(part.FROZEN).torch(stream)
        assert not torch.equal(alone != 0, DIGITS * (torch.rand(20, 64, generator=generator) >= 0.25) != 0)


def test_blur_is_scipys_on_each_image_and_channel_and_keeps_an_even_image():
    x = torch.rand(3, 6 * 10 * 2, generator=torch.Generator().manual_seed(0))
    found = degrade(x, "blur", 0.25, (6, 10, 2)).reshape(3, 6, 10, 2)
    expected = gaussian_filter(x.reshape(3, 6, 10, 2)[1, ..., 1].numpy(), 1.5, mode="nearest")
    np.testing.assert_allclose(found[1, ..., 1], expected, rtol=1e-5)
    torch.testing.assert_close(degrade(torch.full((2, 64), 0.3), "blur", 0.2), torch.full((2, 64), 0.3))


def test_a_square_is_hidden_whole_and_may_lie_anywhere():
    x = torch.ones(4000, 5 * 8 * 3)
    hidden = degrade(x, "occlusion", 0.6, (5, 8, 3)).reshape(-1, 5, 8, 3) == 0
    assert (hidden == hidden[..., :1]).all()
    assert (hidden[..., 0].any(2).sum(1) == 3).all() and (hidden[..., 0].any(1).sum(1) == 3).all()
    assert (hidden[..., 0].sum((1, 2)) == 9).all()
    corners = hidden[..., 0].flatten(1).int().argmax(1)
    assert sorted(corners.unique().tolist()) == [8 * y + x for y in range(3) for x in range(6)]
    assert torch.bincount(corners)[corners.unique()].min() > 150


def test_a_shift_moves_all_by_as_much_one_of_four_ways():
    x = torch.zeros(400, 7 * 9)
    x[:, 3 * 9 + 4] = 1
    found = degrade(x, "shift", 2 / 7, (7, 9))
    ways = {24: 3 * 9 + 2, 42: 3 * 9 + 6, 13: 1 * 9 + 4, 49: 5 * 9 + 4}
    assert (found.sum(1) - 1).abs().max() < 1e-5
    counts = torch.bincount(found.argmax(1), minlength=63)
    assert set(counts.nonzero().flatten().tolist()) == set(ways.values())
    assert counts[list(ways.values())].min() > 70


def test_a_shift_by_half_a_pixel_lies_between_two_and_what_leaves_the_image_is_lost():
    x = torch.eye(64)
    found = degrade(x, "shift", 1 / 16).reshape(64, 8, 8)
    inner = [8 * y + x for y in range(1, 7) for x in range(1, 7)]
    assert (found.amax((1, 2)) == 0.5).all() and (found[inner].sum((1, 2)) == 1).all()
    assert set(found.sum((1, 2)).tolist()) == {0.5, 1.0}


def test_settings_say_what_is_wrong_with_levels():
    for levels in ({"masking": [0.5, 0.1]}, {"masking": [0.1, 0.1]}, {"masking": [0.0]}, {"masking": []}, {"fog": [0.1]}, {}):
        with pytest.raises(ValidationError):
            Evaluation(robustness={"levels": levels})


# The part


def test_all_models_and_seeds_see_the_same_images_and_a_checksum_says_so():
    first, second = seen(trained("vanilla")[0], **FEW)
    (pixels,) = seen(trained("raw_pixels", seeds=(0,))[0], **FEW)
    assert torch.equal(pixels.degraded.reconstructions, pixels.degraded.images)
    assert first.degraded.checksum == second.degraded.checksum == pixels.degraded.checksum
    nearly = pixels.degraded.images.clone()
    nearly[0, 0, 0] += 1e-6
    assert replace(pixels.degraded, images=nearly).checksum != pixels.degraded.checksum


def test_codes_and_reconstructions_are_of_the_images_at_their_place():
    model, family = trained("denoising")
    r, _ = seen(model, **FEW)
    replica = next(family.replicas())
    assert r.degraded.places == (("masking", 0.2), ("masking", 0.6), ("shift", 0.25))
    assert r.degraded.images.shape == (3, 12, 16)
    for place, x, codes, y in zip(*vars(r.degraded).values(), strict=True):
        assert torch.equal(x, degrade(r.images[:12], *place))
        torch.testing.assert_close(codes, replica("encode", x))
        torch.testing.assert_close(y, replica("decode", codes))


@pytest.mark.parametrize("kind", KINDS)
def test_every_model_is_measured_at_every_place(kind):
    (r,) = seen(trained(kind, seeds=(3,))[0], **FEW)
    places = ["masking 0.2", "masking 0.6", "shift 0.25"]
    assert list(robustness.gain(r)) == list(robustness.displacement(r)) == places
    assert list(robustness.knn_degraded(r)) == list(robustness.probe_degraded(r)) == ["clean", *places]
    assert all(math.isfinite(value) for value in robustness.gain(r).values())
    one_code = bool((r.codes == r.codes[0]).all())
    assert all(math.isnan(value) == one_code for value in robustness.displacement(r).values())
    for area in (robustness.knn_under_degradation(r), robustness.probe_under_degradation(r)):
        assert 0 <= area <= 100


# Gain


def test_gain_is_1_restored_0_copied_and_negative_where_the_reconstruction_is_worse():
    assert set(robustness.gain(PERFECT).values()) == {1}
    seen_by = PERFECT.degraded
    made = torch.stack([seen_by.images[0], (PERFECT.images + seen_by.images[1]) / 2, 2 * seen_by.images[2] - PERFECT.images])
    r = replace(PERFECT, degraded=replace(seen_by, reconstructions=made))
    assert list(robustness.gain(r).values()) == pytest.approx([0, 3 / 4, -3], abs=1e-6)
    assert robustness.denoising_gain(r) == pytest.approx((0 + 3 / 4 - 3) / 3, abs=1e-6)


def test_adversarial_gain_an_image_of_little_noise_does_not_outvote_the_others():
    """One image hardly degraded and not restored: a mean of ratios would be far below 0."""
    clean = torch.zeros(4, 16)
    worse, made = torch.ones(1, 4, 16), torch.zeros(1, 4, 16)
    worse[0, 0], made[0, 0] = 1e-3, 1
    told = part.Degraded(PLACES[:1], worse, PERFECT.degraded.codes[:1, :4], made)
    r = replace(PERFECT, images=clean, degraded=told)
    assert robustness.denoising_gain(r) == pytest.approx(1 - 1 / 3, abs=1e-5)


def test_there_is_no_gain_where_nothing_was_done():
    r = replace(PERFECT, degraded=replace(PERFECT.degraded, images=torch.stack([PERFECT.images] * 3)))
    assert all(math.isnan(value) for value in robustness.gain(r).values())
    assert math.isnan(robustness.denoising_gain(r))


# Displacement


def test_displacement_is_0_unmoved_and_1_if_a_code_could_be_any_other():
    assert set(robustness.displacement(PERFECT).values()) == {0}
    other = torch.randn(3, *USELESS.codes.shape, generator=torch.Generator().manual_seed(5))
    r = replace(USELESS, degraded=replace(USELESS.degraded, codes=other))
    assert list(robustness.displacement(r).values()) == pytest.approx([1, 1, 1], abs=0.02)


def test_adversarial_displacement_of_codes_of_another_scale_or_place_is_the_same():
    codes = PERFECT.degraded.codes + 0.1
    r = replace(PERFECT, degraded=replace(PERFECT.degraded, codes=codes))
    far = replace(PERFECT, codes=7 * PERFECT.codes + 50, degraded=replace(PERFECT.degraded, codes=7 * codes + 50))
    assert list(robustness.displacement(far).values()) == pytest.approx(list(robustness.displacement(r).values()), rel=1e-4)
    distances = torch.cdist(PERFECT.codes.double(), PERFECT.codes.double())
    expected = 0.1 * 8**0.5 / float(distances.sum() / (200 * 199))
    assert robustness.displacement(r)["blur 0.1"] == pytest.approx(expected, rel=1e-5)


# Accuracies


def test_perfect_codes_stay_perfect_and_useless_ones_at_chance():
    for area in (robustness.knn_under_degradation, robustness.probe_under_degradation):
        assert area(PERFECT) == 100
        assert area(USELESS) == pytest.approx(100 / CLASSES, abs=5)


def test_adversarial_codes_that_degrade_into_another_class_lose_what_the_trapezia_say():
    """Clean and masking 0.25 right, masking 0.5 and blur wrong."""
    moved, _ = clouds(0.01)
    codes = torch.stack([moved, moved.roll(1, 0), moved.roll(1, 0)])
    r = replace(PERFECT, degraded=replace(PERFECT.degraded, codes=codes))
    expected = {"clean": 100, "masking 0.25": 100, "masking 0.5": 0, "blur 0.1": 0}
    assert robustness.knn_degraded(r) == robustness.probe_degraded(r) == expected
    masking, blur = (0.25 * 100 + 0.25 * 50) / 0.5, 50
    assert robustness.knn_under_degradation(r) == pytest.approx((masking + blur) / 2)


def test_accuracies_are_those_of_the_other_questions_neighbours_and_probe():
    generator = torch.Generator().manual_seed(3)
    (codes, labels), (past, past_labels) = clouds(0.6, n=150), clouds(0.6, seed=1)
    noisy = codes + 0.4 * torch.randn(3, 150, 8, generator=generator)
    r = representation(codes, past, labels, past_labels)
    r = replace(r, degraded=part.Degraded(PLACES, *(x[:, :100] for x in (r.degraded.images, noisy, r.degraded.images))))
    for place, asked in zip(robustness.knn_degraded(r), (codes, *noisy), strict=True):
        one = representation(asked[:100], past, labels[:100], past_labels)
        assert robustness.knn_degraded(r)[place] == neighbours.knn_accuracy(one, 5)
        told = probe.ridge_accuracy(*(x.numpy() for x in (past.double(), past_labels, asked[:100].double(), labels[:100])))
        assert robustness.probe_degraded(r)[place] == pytest.approx(told, abs=1e-9)


def test_the_area_stands_on_levels_not_on_their_number():
    """Three levels close to 0 and one far: a mean over levels would be 25."""
    places = tuple(("gaussian", level) for level in (0.01, 0.02, 0.03, 1.0))
    right, wrong = PERFECT.codes, PERFECT.codes.roll(1, 0)
    told = part.Degraded(places, torch.zeros(4, 200, 16), torch.stack([wrong, wrong, wrong, right]), torch.zeros(4, 200, 16))
    found = robustness.knn_under_degradation(replace(PERFECT, degraded=told))
    assert found == pytest.approx(100 * (0.005 + 0.97 / 2))


# The figure


@dataclass(frozen=True)
class Profiled(Row):
    """A row with profiles."""

    profiles: dict = field(default_factory=dict)


def results(root, monkeypatch, accuracies=lambda i, j: 90 - 10 * i - 3 * j):
    fake_runs.write_fake_suite(root)
    monkeypatch.chdir(root)
    found = read(fake_runs.DATASET)
    gains = [f"{name} {level:g}" for name, levels in LEVELS.items() for level in levels]
    rows = []
    for i, row in enumerate(found.rows):
        told = {
            "knn_degraded": {p: estimate([accuracies(i, j)] * 2) for j, p in enumerate(["clean", *gains])},
            "gain": {p: estimate([0.5 - 0.3 * i - 0.01 * j]) for j, p in enumerate(gains)},
        }
        rows.append(Profiled(**{**vars(row), "profiles": told}))
    return replace(found, rows=rows)


def test_the_heat_map_has_a_line_a_model_and_a_column_a_place(tmp_path, monkeypatch):
    found = results(tmp_path, monkeypatch)
    with canvas.style():
        drawing = heat_map(found)
        canvas.save(drawing, tmp_path / "heat.png", "heat")
    accuracy, gains = drawing.axes
    assert [label.get_text() for label in accuracy.get_yticklabels()] == list(fake_runs.BLOCKS)
    assert [label.get_text() for label in accuracy.get_xticklabels()][:3] == ["", "0.1", "0.25"]
    assert len(gains.get_xticklabels()) == 18
    texts = [text.get_text() for text in accuracy.texts]
    assert texts[:2] == ["90", "87"] and {"clean", "masking", "salt/pepper", "shift"} <= set(texts)
    np.testing.assert_allclose(accuracy.images[0].get_array(), table(found.rows, "knn_degraded"))
    assert Image.open(tmp_path / "heat.png").width == 1000


def test_the_heat_map_leaves_blank_what_was_not_measured_and_is_not_drawn_of_nothing(tmp_path, monkeypatch):
    found = results(tmp_path, monkeypatch, lambda i, j: float("nan") if j == 1 else 50)
    with canvas.style():
        drawing = heat_map(found)
    assert len([text for text in drawing.axes[0].texts if text.get_text() == "50"]) == 18 * len(found.rows)
    assert heat_map(replace(found, rows=[replace(row, profiles={}) for row in found.rows])) is None
