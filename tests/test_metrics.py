"""Each metric on a perfect, a useless and an adversarial representation, and against a trusted library."""

import math

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

from aebench.metrics import METRICS, neighbours
from aebench.representation import Representation, pictures, represent
from aebench.runs import Split, Trained

CLASSES, DIM = 5, 8


def representation(codes, reference_codes, labels, reference_labels, images=None, reconstructions=None):
    images = torch.rand(len(codes), 16, generator=torch.Generator().manual_seed(0)) if images is None else images
    return Representation(
        images, images if reconstructions is None else reconstructions, codes, labels, reference_codes, reference_labels
    )


def clouds(spread, n=200, seed=0):
    """Gaussian clouds around the class corners."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % CLASSES
    return torch.eye(CLASSES, DIM)[labels] + spread * torch.randn(n, DIM, generator=generator), labels


PERFECT = representation(*[x for pair in zip(clouds(0.01), clouds(0.01, seed=1), strict=True) for x in pair])
NOISE = torch.Generator().manual_seed(2)
USELESS = representation(
    torch.randn(1000, DIM, generator=NOISE),
    torch.randn(1000, DIM, generator=NOISE),
    torch.arange(1000) % CLASSES,
    torch.arange(1000) % CLASSES,
    images=torch.rand(1000, 16, generator=NOISE),
    reconstructions=torch.rand(1000, 16, generator=NOISE),
)
"""Codes that know nothing of the class, reconstructions that know nothing of the image."""


@pytest.mark.parametrize("name", METRICS)
def test_a_perfect_representation_scores_the_perfect_value(name):
    assert METRICS[name].measure(PERFECT) == METRICS[name].perfect


@pytest.mark.parametrize("name", ["knn_1", "knn_5"])
def test_codes_that_know_nothing_score_chance(name):
    assert METRICS[name].measure(USELESS) == pytest.approx(100 / CLASSES, abs=5)


def test_reconstructions_that_know_nothing_score_twice_the_variance():
    assert METRICS["mse"].measure(USELESS) == pytest.approx(2 / 12, rel=0.05)
    assert METRICS["sse"].measure(USELESS) == pytest.approx(16 * 2 / 12, rel=0.05)
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


@pytest.mark.parametrize("dim", [1, 2, 30, 100])
@pytest.mark.parametrize("k", [1, 5])
def test_knn_agrees_with_scikit_learn(dim, k, monkeypatch):
    monkeypatch.setattr(neighbours, "BLOCK_BYTES", 10_000)
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
        assert (metric.perfect > 0) == (metric.better == "higher"), name


def test_represent_runs_each_seed_on_clean_images():
    block = {"kind": "denoising", "hidden": [4], "code": 2, "corruption": 1.0}
    from family import Ensemble, build

    family = Ensemble(lambda: build(block, 16), (3, 4))
    trained = Trained(block, (4, 4), (3, 4), family.state)
    x, y = torch.rand(10, 16).numpy(), np.arange(10) % 3
    seen = list(represent(trained, Split(x, y), Split(x[:4], y[:4]), torch.device("cpu")))
    for replica, r in zip(family.replicas(), seen, strict=True):
        torch.testing.assert_close(r.codes, replica("encode", torch.from_numpy(x[:4])))
        torch.testing.assert_close(r.reconstructions, replica("decode", r.codes))
        assert r.reference_codes.shape == (10, 2)
    assert not torch.equal(seen[0].codes, seen[1].codes)


def test_pictures_show_each_class_in_turn_and_scatter_a_share_of_each():
    labels = torch.tensor([2, 2, 0, 1, 0, 1, 2])
    codes = torch.arange(14.0).reshape(7, 2)
    images = torch.arange(7.0)[:, None]
    shown = pictures(representation(codes, codes, labels, labels, images), 4, 1)
    assert shown["images"].ravel().tolist() == [2, 3, 0, 4]
    assert sorted(shown["scatter_labels"].tolist()) == [0, 1, 2]
    assert shown["scatter"][:, 0].tolist() == [0, 4, 6]
    assert "scatter" not in pictures(representation(codes[:, :1], codes, labels, labels, images), 4, 1)
