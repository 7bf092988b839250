"""Tests of the scores of generated images against their published definitions, and of the samplers."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from family import KINDS
from representations import CPU, PERFECT, USELESS, representation, trained
from representations import view as make_view
from scipy import linalg, ndimage
from sklearn.metrics import pairwise_distances

from aebench.classifiers.feature_classifier import FeatureClassifier
from aebench.evaluation.arrays.generation import Generated, ImageFeatures, sampled_codes
from aebench.evaluation.arrays.generation import generation as generation_arrays
from aebench.evaluation.metrics import METRICS, PROFILES, fidelity, generation
from aebench.evaluation.metrics.fidelity import Features, compare
from aebench.evaluation.representation import represent, views
from aebench.evaluation.settings import Evaluation, Generation
from aebench.storage import Split

SCORES = ("frechet", "precision", "recall", "density", "coverage", "sharpness", "class_balance")


def normal(n, f=6, seed=0, **kind):
    return torch.randn(n, f, generator=torch.Generator().manual_seed(seed), **kind)


def scores(real, fake):
    return compare(Features(real), Features(fake))


def sampled(real, fake, shape=(4, 4), classes=None):
    """A representation with samples `fake`, whose features are the pixels."""
    logits = fake if classes is None else torch.eye(10)[classes]
    r = representation(real, real, torch.zeros(len(real)), torch.zeros(len(real)), real)
    return replace(
        r, shape=shape, generation=Generated(ImageFeatures(real, real, real), {"normal": ImageFeatures(fake, fake, logits)})
    )


def published(real, fake):
    """Scores by their published definitions, from the distances of all pairs; an image is not its own neighbour."""
    own, others, cross = (pairwise_distances(a, b) for a, b in ((real, real), (fake, fake), (real, fake)))
    reach = {k: np.sort(own)[:, k] for k in (3, 5)}
    return {
        "precision": (cross <= reach[3][:, None]).any(0).mean(),
        "recall": (cross <= np.sort(others)[:, 3]).any(1).mean(),
        "density": (cross < reach[5][:, None]).sum(0).mean() / 5,
        "coverage": (cross.min(1) < reach[5]).mean(),
    }


@pytest.mark.parametrize(("n", "m", "shift"), [(60, 60, 0.0), (150, 90, 0.5), (90, 150, 2.0)])
def test_precision_recall_density_and_coverage_match_their_published_definitions(n, m, shift, monkeypatch):
    monkeypatch.setattr(fidelity, "BLOCK", 32)
    real, fake = normal(n, dtype=torch.float64), normal(m, seed=1, dtype=torch.float64) * 1.2 + shift
    computed, expected = scores(real, fake), published(real.numpy(), fake.numpy())
    assert {name: computed[name] for name in expected} == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("shift", [0.0, 3.0])
def test_frechet_distance_matches_scipys_matrix_square_root(shift):
    real, fake = normal(200, 8) @ normal(8, 8, 2), normal(150, 8, 1) @ normal(8, 8, 3) + shift
    (m, c), (n, d) = ((x.mean(0), np.cov(x.T)) for x in (real.double().numpy(), fake.double().numpy()))
    expected = ((m - n) ** 2).sum() + np.trace(c + d - 2 * linalg.sqrtm(c @ d).real)
    assert scores(real, fake)["frechet"] == pytest.approx(expected, rel=1e-6)


def test_frechet_distance_of_shifted_and_scaled_samples_by_hand():
    real = normal(100, dtype=torch.float64)
    assert scores(real, real + torch.tensor([3.0, 4, 0, 0, 0, 0]))["frechet"] == pytest.approx(25)
    real = real - real.mean(0)
    assert scores(real, 3 * real)["frechet"] == pytest.approx(4 * float(real.var(0).sum())), "(3 - 1)² tr C"


def test_frechet_distance_is_exact_for_features_that_are_always_0():
    """For covariances without full rank, square roots of rounding errors in eigenvalues would add up."""
    real = torch.cat([1e3 * normal(50, 3), torch.zeros(50, 40), normal(50, 3).repeat(1, 10)], 1)
    assert scores(real, real)["frechet"] == pytest.approx(0, abs=1e-6)
    assert scores(real, real[:1].expand(50, -1))["frechet"] >= float(real.double().var(0).sum())


def test_real_images_as_samples_score_the_perfect_values():
    real = normal(200)
    assert scores(real, real) == pytest.approx(
        {"frechet": 0, "precision": 1, "recall": 1, "density": 1, "coverage": 1}, abs=1e-9
    )
    for name in ("frechet", "precision", "recall", "coverage"):
        assert METRICS[name].measure(PERFECT) == pytest.approx(METRICS[name].perfect, abs=1e-9)
    assert METRICS["sharpness"].measure(PERFECT) == 1


def test_other_real_images_score_what_theory_predicts():
    """Coverage of one distribution by itself is 1 - (n-1)...(n-5) / (2n-1)...(2n-5) (Naeem et al., Lemma 2); density is 1."""
    computed = [scores(normal(400, 2, seed), normal(400, 2, 100 + seed)) for seed in range(10)]
    coverage = 1 - math.prod((400 - j) / (800 - j) for j in range(1, 6))
    assert np.mean([f["coverage"] for f in computed]) == pytest.approx(coverage, abs=0.005)
    assert np.mean([f["density"] for f in computed]) == pytest.approx(1, abs=0.02)
    assert np.mean([f["precision"] - f["recall"] for f in computed]) == pytest.approx(0, abs=0.02)
    few, many = (np.mean([scores(normal(n, 6, s), normal(n, 6, 100 + s))["frechet"] for s in range(10)]) for n in (50, 400))
    assert few == pytest.approx(8 * many, rel=0.2), "the bias is proportional to 1 / n"


def test_useless_samples_far_from_the_images_score_0():
    computed = scores(normal(300), 20 + normal(300, seed=1))
    assert computed["precision"] == computed["recall"] == computed["density"] == computed["coverage"] == 0
    assert computed["frechet"] == pytest.approx(6 * 20**2, rel=0.05)
    assert METRICS["sharpness"].measure(USELESS) == pytest.approx(1, abs=0.1), "the images and reconstructions are both noise"


def test_adversarial_one_repeated_image_has_precision_but_no_recall_or_coverage():
    real = normal(300)
    computed, distances = scores(real, real[:1].expand(300, -1)), pairwise_distances(real.double())
    reach = np.sort(distances)[:, 5]
    assert computed["precision"] == 1
    assert computed["recall"] == 1 / 300, "only the repeated image"
    assert computed["coverage"] == (distances[0] < reach).mean() < 0.05
    assert computed["density"] == pytest.approx((distances[0] < reach).sum() / 5)
    spread = float((real - real[0]).double().mean(0).square().sum() + real.double().var(0).sum())
    assert computed["frechet"] == pytest.approx(spread, rel=1e-6)


def test_adversarial_memorising_half_of_the_classes_has_precision_1_and_recall_one_half():
    labels = torch.arange(400) % 10
    real = normal(400, 16) / 100 + 5 * torch.eye(10, 16)[labels]
    kept = labels < 5
    fake, classes = real[kept].repeat(2, 1), labels[kept].repeat(2)
    r = sampled(real, fake, classes=classes)
    assert METRICS["precision"].measure(r) == 1
    assert METRICS["recall"].measure(r) == METRICS["coverage"].measure(r) == 0.5
    assert METRICS["density"].measure(r) == 1
    assert METRICS["class_balance"].measure(r) == pytest.approx(math.log(5) / math.log(10))


def test_adversarial_widely_spread_samples_have_recall_but_no_precision():
    """Recall uses the neighbourhoods of samples, precision those of images; exchanged, both would be plausible."""
    real = normal(300)
    computed = scores(real, 6 * normal(300, seed=1))
    assert computed["recall"] > 0.9 and computed["precision"] < 0.1


def test_equal_rows_have_a_distance_of_exactly_0():
    rows = (1e4 + normal(50, 64, dtype=torch.float64)).repeat(2, 1)
    computed = fidelity.squared_distances(rows, rows)
    assert (computed.diag() == 0).all() and (computed.diag(50) == 0).all()
    assert (computed > 0).sum() == 100 * 100 - 4 * 50


def test_class_balance_is_the_entropy_of_the_predicted_classes():
    real = torch.rand(100, 16)
    turns = torch.arange(100)
    for classes, expected in ((turns % 10, 1.0), (turns * 0 + 7, 0.0), (turns % 2, math.log10(2))):
        assert METRICS["class_balance"].measure(sampled(real, real, classes=classes)) == pytest.approx(expected)
    assert math.isnan(generation.class_balance(torch.zeros(5, 1)))


@pytest.mark.parametrize("shape", [(7, 5), (5, 7), (6, 5, 3)])
def test_laplacian_variance_matches_scipy(shape):
    images = torch.rand(9, math.prod(shape), dtype=torch.float64)
    channels = images.reshape(9, *shape[:2], -1).numpy().transpose(0, 3, 1, 2)
    expected = np.mean([ndimage.laplace(c)[1:-1, 1:-1].var() for image in channels for c in image])
    assert generation.laplacian_variance(images, shape) == pytest.approx(expected, rel=1e-9)


def test_sharpness_is_below_1_for_blurred_and_above_1_for_noisy_images():
    real = torch.from_numpy(ndimage.gaussian_filter(np.random.default_rng(0).random((30, 12, 12)), (0, 1, 1)))
    real = ((real - real.min()) / (real.max() - real.min())).flatten(1)
    blurred = torch.from_numpy(ndimage.gaussian_filter(real.reshape(30, 12, 12).numpy(), (0, 1, 1))).flatten(1)
    noisy = (real + 0.3 * normal(30, 144)).clamp(0, 1)
    mean = real.mean(0).expand(30, -1)
    ratios = [METRICS["sharpness"].measure(sampled(real, fake, (12, 12))) for fake in (real * 0, mean, blurred, real, noisy)]
    assert ratios == sorted(ratios) and ratios[0] == 0 and ratios[3] == 1 and ratios[4] > 2 and ratios[2] < 0.5
    for fake, expected in zip((real * 0, mean, blurred, real, noisy), ratios, strict=True):
        r = replace(sampled(real, real, (12, 12)), reconstructions=fake)
        assert METRICS["sharpness_reconstructions"].measure(r) == expected


def test_adversarial_sharpness_clips_pixels_and_half_the_contrast_scores_a_quarter():
    images = (torch.rand(20, 16) > 0.5).float()
    r = sampled(images, images)
    assert METRICS["sharpness_reconstructions"].measure(replace(r, reconstructions=3 * images - 1)) == 1
    assert METRICS["sharpness_reconstructions"].measure(replace(r, reconstructions=images / 2)) == 0.25


def test_flat_images_and_images_without_inner_pixels_have_no_sharpness():
    flat = torch.full((9, 16), 0.5)
    assert math.isnan(METRICS["sharpness_reconstructions"].measure(sampled(flat, flat)))
    assert math.isnan(METRICS["sharpness_reconstructions"].measure(sampled(flat, flat, (2, 8))))


PIXELS = 16


def classifier(pixels=PIXELS, classes=3):
    sizes = [pixels, 12, 8, classes]
    weights = tuple(normal(a, b, a) / a**0.5 for a, b in pairwise(sizes))
    return FeatureClassifier(weights, tuple(normal(1, b, b)[0] for b in sizes[1:]), 90.0)


def view_of(replica, images=None, n=60, **changes):
    images = torch.rand(n, PIXELS, generator=torch.Generator().manual_seed(9)) if images is None else images
    return make_view(replica, images, torch.arange(len(images)) % 3, feature_classifier=classifier(images.shape[1]), **changes)


def replica(kind, **changes):
    return next(trained(kind, **changes)[1].replicas())


class Linear:
    """A model whose codes are its images, in any range."""

    def __call__(self, method, *args):
        return None if method == "prior" else args[0]


@pytest.mark.filterwarnings("error", "ignore:`torch.jit.script` is deprecated")  # by torch.func.jvp, at its first call
@pytest.mark.parametrize("kind", KINDS)
def test_every_model_has_all_scores_except_those_of_a_missing_prior(kind):
    model, _ = trained(kind, seeds=(0,))
    x, y = torch.rand(30, PIXELS, generator=torch.Generator().manual_seed(9)).numpy(), np.arange(30) % 3
    split = Split(x, y)
    (r,) = map(represent, views(model, (split, split), split, Evaluation(), CPU, classifier()))
    has_prior = replica(kind)("prior", 2, torch.Generator()) is not None
    for name in SCORES:
        computed = PROFILES[f"{name}_by_sampler"].measure(r)
        assert tuple(computed) == generation.SAMPLERS
        assert all(math.isfinite(v) for sampler, v in computed.items() if sampler != "prior"), (name, computed)
        assert math.isnan(computed["prior"]) != has_prior
        assert METRICS[name].measure(r) == computed["prior" if has_prior else "normal"]
    assert math.isfinite(METRICS["sharpness_reconstructions"].measure(r))


def test_scores_are_nan_without_a_feature_classifier_or_with_too_few_images():
    test_view = view_of(replica("vanilla"))
    assert generation_arrays(replace(test_view, feature_classifier=None)) is None
    few = replace(PERFECT, generation=generation_arrays(view_of(replica("vanilla"), n=5)))
    for r in (few, replace(PERFECT, generation=None)):
        assert all(math.isnan(METRICS[name].measure(r)) for name in SCORES)
        assert all(math.isnan(v) for name in SCORES for v in PROFILES[f"{name}_by_sampler"].measure(r).values())


def test_the_number_of_samples_is_limited_by_settings_and_test_images():
    for samples, expected in ((20, 20), (100, 60)):
        fake = generation_arrays(view_of(replica("variational"), settings=Evaluation(generation=Generation(samples=samples))))
        assert {len(part.images) for part in (fake.real, *fake.samples.values())} == {expected}
        assert set(fake.samples) == set(generation.SAMPLERS)


def test_test_images_are_drawn_and_the_same_for_every_model_and_seed():
    few = Evaluation(generation=Generation(samples=20))
    first, other = (generation_arrays(view_of(replica(kind), settings=few)).real.images for kind in ("vanilla", "pca"))
    assert torch.equal(first, other) and len(first.unique(dim=0)) == 20
    assert not torch.equal(first, view_of(replica("pca")).images[:20]), "the first test images may be easier"
    assert torch.equal(first, generation_arrays(view_of(replica("pca"), settings=few, seed=4)).real.images)


def test_sampled_codes_have_the_same_noise_for_every_seed():
    first, other = (dict(sampled_codes(view_of(replica("variational"), seed=seed), 20)) for seed in (3, 4))
    for name, codes in first.items():
        assert torch.equal(codes, other[name]), name
    assert torch.equal(first["prior"], first["N(0, I)"]), "both samplers use the same noise"


def test_samplers_are_fitted_to_training_images_alone():
    images, far = normal(400), 50 + normal(100)
    settings = {"reference": torch.cat([images, far]), "validation_count": 100, "reference_labels": torch.zeros(500).long()}
    computed = [dict(sampled_codes(view_of(Linear(), test, **settings), 300)) for test in (images, far)]
    for name in ("normal", "mixture"):
        assert torch.equal(computed[0][name], computed[1][name]), "test images have no influence"
        assert computed[0][name].mean().abs() < 0.2, "validation images have no influence"
    part = generation_arrays(view_of(Linear(), far, **settings)).samples["training images"].images
    assert (part < 1).any(1).all(), "the sampler draws training images only"


def test_normal_and_mixture_have_the_moments_of_the_codes_on_all_axes():
    codes = 2 + normal(3000, 5) @ normal(5, 5, 3)
    for axes in (2, 64):
        settings = Evaluation(generation=Generation(mixture_axes=axes, mixture_components=3))
        by_sampler = dict(sampled_codes(view_of(Linear(), codes, settings=settings), 20_000))
        for name in ("normal", "mixture"):
            torch.testing.assert_close(by_sampler[name].mean(0), codes.mean(0), atol=0.1, rtol=0)
            torch.testing.assert_close(by_sampler[name].T.cov(), codes.T.cov(), atol=0.4, rtol=0.05)
        assert by_sampler["N(0, I)"].mean().abs() < 0.05 and (by_sampler["N(0, I)"].std(0) - 1).abs().max() < 0.05


def test_the_mixture_follows_two_clusters_of_codes_and_the_normal_does_not():
    codes = normal(1000, 3) / 10 + torch.tensor([5.0, 0, 0]) * (2 * (torch.arange(1000) % 2) - 1)[:, None]
    by_sampler = dict(
        sampled_codes(view_of(Linear(), codes, settings=Evaluation(generation=Generation(mixture_components=2))), 1000)
    )
    between = {name: float((codes[:, 0].abs() < 4).double().mean()) for name, codes in by_sampler.items()}
    assert between["mixture"] == 0 and between["normal"] > 0.4
    assert float((by_sampler["mixture"][:, 0] > 0).double().mean()) == pytest.approx(0.5, abs=0.05)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "codes",
    [
        torch.zeros(50, 1),
        torch.ones(50, 4),
        torch.tensor([[1.185e-5, 4.7e-7, 3.1e-6]]).repeat(50, 1),  # their mean has a rounding error
        (torch.arange(50) % 2)[:, None] * torch.ones(3),
    ],
)
def test_constant_and_repeated_codes_are_sampled_without_noise(codes):
    by_sampler = dict(sampled_codes(view_of(Linear(), codes), 40))
    for name in ("normal", "mixture"):
        assert torch.isfinite(by_sampler[name]).all()
    if len(codes.unique(dim=0)) == 1:
        for name in ("normal", "mixture"):
            torch.testing.assert_close(by_sampler[name], codes[:40], rtol=1e-6, atol=0)
    else:
        assert torch.minimum(by_sampler["mixture"].abs(), (by_sampler["mixture"] - 1).abs()).max() < 0.05


def test_dead_units_stay_dead_in_fitted_samplers():
    codes = torch.cat([normal(200, 4), torch.zeros(200, 3)], 1)
    by_sampler = dict(sampled_codes(view_of(Linear(), codes), 50))
    assert by_sampler["normal"][:, 4:].abs().max() < 1e-5 and by_sampler["mixture"][:, 4:].abs().max() < 1e-5
    assert by_sampler["N(0, I)"][:, 4:].abs().max() > 1, "samples from N(0, I) do not depend on the codes"


def test_pixels_are_clipped_before_features_are_computed():
    test_view = view_of(Linear(), 5 * normal(60, PIXELS))
    fake = generation_arrays(test_view)
    for part in (fake.real, *fake.samples.values()):
        assert part.images.min() == 0 and part.images.max() == 1
        assert torch.equal(part.features, test_view.feature_classifier.features(part.images))
        assert torch.equal(part.logits, test_view.feature_classifier.logits(part.features))
