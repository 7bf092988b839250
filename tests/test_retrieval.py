"""Tests of precision at 10 and mean average precision, and of the examples of retrieval and their figure."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from representations import CLASSES, USELESS, clouds, representation, represented, trained, view
from sklearn.metrics import average_precision_score

from aebench.evaluation.arrays import retrieval as arrays
from aebench.evaluation.metrics import METRICS, retrieval
from aebench.evaluation.metrics.neighbours import nearest
from aebench.reporting.figures import FIGURES, canvas
from aebench.reporting.figures.retrieval import board

NAMES = ["precision_10", "mean_average_precision"]


@pytest.mark.parametrize("name", NAMES)
def test_random_codes_score_the_fraction_of_a_class(name):
    assert METRICS[name].measure(USELESS) == pytest.approx(100 / CLASSES, abs=2)


@pytest.mark.parametrize("name", NAMES)
def test_a_constant_code_scores_chance(name):
    """For classes of unequal size, chance is the sum of their squared fractions."""
    labels = torch.tensor([0, 0, 0, 0, 1, 1, 1, 2, 2, 2]).repeat(12)[torch.randperm(120, generator=torch.manual_seed(0))]
    codes = torch.full((120, 5), 0.1)
    chance = 100 * (0.4**2 + 0.3**2 + 0.3**2)
    if name == "precision_10":
        labels, chance = torch.arange(120) % 4, 25
    assert METRICS[name].measure(representation(codes, codes, labels, labels)) == pytest.approx(chance, abs=1e-9)


def test_adversarial_codes_of_another_class_have_no_hit_among_ten_and_rank_their_class_late():
    """40 of 200 reference codes have the query's class, and at least 40 others are closer."""
    (codes, labels), (reference, reference_labels) = clouds(0.01), clouds(0.01, seed=1)
    r = representation(codes, reference, (labels + 1) % CLASSES, reference_labels)
    assert METRICS["precision_10"].measure(r) == 0
    worst, best = (np.mean([i / (others + i) for i in range(1, 41)]) for others in (160, 40))
    assert 100 * worst <= METRICS["mean_average_precision"].measure(r) <= 100 * best


def test_adversarial_precision_is_the_fraction_of_hits_not_a_vote():
    """Six of ten neighbours have the query's class. A majority vote would score 100, recall 10."""
    reference = torch.cat([torch.linspace(0, 0.1, 10), torch.linspace(5, 6, 90)])[:, None]
    labels = torch.cat([torch.zeros(6), torch.ones(4), torch.zeros(54), torch.ones(36)]).long()
    r = representation(torch.zeros(3, 1), reference, torch.zeros(3).long(), labels)
    assert METRICS["precision_10"].measure(r) == pytest.approx(60)


@pytest.mark.parametrize("dim", [1, 2, 30, 100])
@pytest.mark.parametrize("ties", [False, True])
def test_average_precision_agrees_with_scikit_learn(dim, ties, monkeypatch):
    """With `ties`, codes are binary, so that many have the same distance."""
    monkeypatch.setattr(retrieval, "BLOCK", 7)
    rng = np.random.default_rng(0)
    codes, reference = (rng.normal(10, 1, (n, dim)) for n in (40, 500))
    if ties:
        codes, reference = (codes > 10).astype(float), (reference > 10).astype(float)
    codes, reference = codes.astype("f4"), reference.astype("f4")
    labels, reference_labels = rng.integers(0, 4, 40), rng.integers(0, 4, 500)
    expected = [
        average_precision_score(reference_labels == c, -np.square(x - reference.astype("f8")).sum(1))
        for x, c in zip(codes.astype("f8"), labels, strict=True)
    ]
    tensors = [torch.from_numpy(a) for a in (codes, labels, reference, reference_labels)]
    np.testing.assert_allclose(retrieval.average_precision(*tensors), expected, rtol=0, atol=1e-6)
    r = representation(*(tensors[i] for i in (0, 2, 1, 3)))
    assert METRICS["mean_average_precision"].measure(r) == pytest.approx(100 * np.mean(expected), abs=1e-4)


def test_map_uses_the_first_queries_and_leaves_out_classes_without_reference(monkeypatch):
    monkeypatch.setattr(retrieval, "QUERIES", 3)
    reference, reference_labels = torch.tensor([[0.0], [1.0]]), torch.tensor([0, 1])
    codes, labels = torch.tensor([[0.1], [0.1], [0.9], [0.1], [0.1]]), torch.tensor([0, 7, 1, 1, 1])
    r = representation(codes, reference, labels, reference_labels)
    assert METRICS["mean_average_precision"].measure(r) == pytest.approx(250 / 3)


# Examples


def test_examples_are_the_neighbours_of_the_first_test_image_of_each_class():
    (r,) = represented(trained("vanilla", seeds=(3,))[0])
    examples, hits = r.retrieval.images.reshape(3, 9, -1), nearest(r)[:3, : arrays.EXAMPLES]
    reference = torch.cat([r.images, r.images])
    assert torch.equal(examples[:, 0], r.images[:3]) and torch.equal(examples[:, 1:], reference[hits])
    assert torch.equal(r.retrieval.correct, (r.reference_labels[hits] == torch.arange(3)[:, None]).flatten())


def test_examples_are_of_the_first_seed_and_of_codes_that_are_not_constant():
    first, second = represented(trained("vanilla")[0])
    assert first.retrieval is not None and second.retrieval is None
    assert represented(trained("mean_image", seeds=(0,))[0])[0].retrieval is None


def test_examples_have_at_most_ten_queries_and_no_more_hits_than_reference_images():
    _, ensemble = trained("vanilla", seeds=(3,))
    x = torch.rand(24, 16, generator=torch.Generator().manual_seed(0))
    few = arrays.retrieval(view(next(ensemble.replicas()), x[:3], torch.arange(3)))
    assert few.images.shape == (3 * 7, 16) and few.correct.shape == (18,)
    assert arrays.retrieval(view(next(ensemble.replicas()), x, torch.arange(24))).correct.shape == (80,)


# Figure


def results(**pictures):
    model = SimpleNamespace(name="ae", pictures=pictures)
    return SimpleNamespace(models=[model, SimpleNamespace(name="mean", pictures={})], about=SimpleNamespace(shape=(8, 8)))


def test_wrong_hits_are_marked_at_their_corners():
    """Two queries with three hits each; the second hit of the first query, a black image, is wrong."""
    images, right = np.full((8, 64), 0.5), np.array([True, False, True, True, True, True])
    images[2] = 0
    tiles, wrong = board(images, right, (8, 8))
    (corners,) = wrong
    (left, top), (end, bottom) = corners[0] + 0.5, corners[2] + 0.5
    black = np.argwhere(tiles == 0)
    assert black.min(0).tolist() == [top, left] and (black.max(0) + 1).tolist() == [bottom, end]


def test_the_figure_has_one_panel_per_model_with_examples(tmp_path):
    rng = np.random.default_rng(0)
    with canvas.style():
        figure = FIGURES["retrieval"].draw(results(hits=rng.random((90, 64)), hits_correct=np.arange(80) % 8 < 6))
        canvas.save(figure, Path(tmp_path) / "a.png", "")
    assert [axes.get_title() for axes in figure.axes] == ["ae (60 of 80)"]
    (marks,) = figure.axes[0].collections
    assert len(marks.get_segments()) == 2 * 20
    with Image.open(tmp_path / "a.png") as image:
        assert image.width > 100


def test_only_wrong_hits_are_marked_and_nothing_is_drawn_without_examples():
    with canvas.style():
        figure = FIGURES["retrieval"].draw(results(hits=np.zeros((9, 64)), hits_correct=np.ones(8, bool)))
        assert not figure.axes[0].collections[0].get_segments()
        assert FIGURES["retrieval"].draw(results()) is None
