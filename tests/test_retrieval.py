"""P@10 and mAP of perfect, useless and adversarial codes, AP against scikit-learn, and the figure of hits."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from representations import CLASSES, USELESS, clouds, representation
from sklearn.metrics import average_precision_score

from aebench.metrics import METRICS, retrieval
from aebench.reporting import canvas
from aebench.reporting.figures import FIGURES
from aebench.reporting.retrieval import board

NAMES = ["precision_10", "mean_average_precision"]


@pytest.mark.parametrize("name", NAMES)
def test_codes_that_know_nothing_score_the_share_of_a_class(name):
    assert METRICS[name].measure(USELESS) == pytest.approx(100 / CLASSES, abs=2)


@pytest.mark.parametrize("name", NAMES)
def test_a_constant_code_scores_chance(name):
    """Four of ten images are of class 0: asked by classes as they come, chance is the sum of squared shares."""
    labels = torch.tensor([0, 0, 0, 0, 1, 1, 1, 2, 2, 2]).repeat(12)[torch.randperm(120, generator=torch.manual_seed(0))]
    codes = torch.full((120, 5), 0.1)
    chance = 100 * (0.4**2 + 0.3**2 + 0.3**2)
    if name == "precision_10":
        labels, chance = torch.arange(120) % 4, 25
    assert METRICS[name].measure(representation(codes, codes, labels, labels)) == pytest.approx(chance, abs=1e-9)


def test_adversarial_every_class_at_anothers_place_has_no_hit_among_ten_and_finds_its_own_last():
    """The class in question comes after all others, or after some: never among the first 40 of 200."""
    (codes, labels), (reference, reference_labels) = clouds(0.01), clouds(0.01, seed=1)
    r = representation(codes, reference, (labels + 1) % CLASSES, reference_labels)
    assert METRICS["precision_10"].measure(r) == 0
    latest, soonest = (np.mean([i / (start + i) for i in range(1, 41)]) for start in (160, 40))
    assert 100 * latest <= METRICS["mean_average_precision"].measure(r) <= 100 * soonest


def test_adversarial_precision_counts_the_query_class_and_not_the_commonest_hit():
    """Six of ten neighbours are right: a vote would be right of all, a share of the whole class would be 6 of 60."""
    reference = torch.cat([torch.linspace(0, 0.1, 10), torch.linspace(5, 6, 90)])[:, None]
    labels = torch.cat([torch.zeros(6), torch.ones(4), torch.zeros(54), torch.ones(36)]).long()
    r = representation(torch.zeros(3, 1), reference, torch.zeros(3).long(), labels)
    assert METRICS["precision_10"].measure(r) == pytest.approx(60)


@pytest.mark.parametrize("size", [1, 2, 30, 100])
@pytest.mark.parametrize("ties", [False, True])
def test_average_precision_agrees_with_scikit_learn(size, ties, monkeypatch):
    """With ties: codes of the numbers 0 and 1, most of them at the distance of many others."""
    monkeypatch.setattr(retrieval, "AT_ONCE", 7)
    rng = np.random.default_rng(0)
    codes, reference = (rng.normal(10, 1, (n, size)) for n in (40, 500))
    if ties:
        codes, reference = (codes > 10).astype(float), (reference > 10).astype(float)
    codes, reference = codes.astype("f4"), reference.astype("f4")
    labels, known = rng.integers(0, 4, 40), rng.integers(0, 4, 500)
    expected = [
        average_precision_score(known == c, -np.square(x - reference.astype("f8")).sum(1))
        for x, c in zip(codes.astype("f8"), labels, strict=True)
    ]
    found = retrieval.average_precision(*(torch.from_numpy(a) for a in (codes, labels, reference, known)))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    r = representation(*(torch.from_numpy(a) for a in (codes, reference, labels, known)))
    assert METRICS["mean_average_precision"].measure(r) == pytest.approx(100 * np.mean(expected), abs=1e-4)


def test_the_first_queries_ask_and_those_whose_class_is_unknown_do_not(monkeypatch):
    monkeypatch.setattr(retrieval, "QUERIES", 3)
    reference, known = torch.tensor([[0.0], [1.0]]), torch.tensor([0, 1])
    codes, labels = torch.tensor([[0.1], [0.1], [0.9], [0.1], [0.1]]), torch.tensor([0, 7, 1, 1, 1])
    assert METRICS["mean_average_precision"].measure(representation(codes, reference, labels, known)) == pytest.approx(250 / 3)


# The figure


def results(**pictures):
    row = SimpleNamespace(model="ae", pictures=pictures)
    return SimpleNamespace(rows=[row, SimpleNamespace(model="mean", pictures={})], about=SimpleNamespace(shape=(8, 8)))


def test_wrong_hits_are_marked_where_they_are():
    """Two queries, three hits: the second of the first is wrong, and its corners are those of its black tile."""
    images, right = np.full((8, 64), 0.5), np.array([True, False, True, True, True, True])
    images[2] = 0
    tiles, wrong = board(images, right, (8, 8))
    (corners,) = wrong
    (left, top), (end, bottom) = corners[0] + 0.5, corners[2] + 0.5
    black = np.argwhere(tiles == 0)
    assert black.min(0).tolist() == [top, left] and (black.max(0) + 1).tolist() == [bottom, end]


def test_the_figure_has_a_panel_a_model_with_hits_and_can_be_saved(tmp_path):
    rng = np.random.default_rng(0)
    with canvas.style():
        drawn = FIGURES["retrieval"].draw(results(hits=rng.random((90, 64)), hits_right=np.arange(80) % 8 < 6))
        canvas.save(drawn, Path(tmp_path) / "a.png", "")
    assert [axes.get_title() for axes in drawn.axes] == ["ae (60 of 80)"]
    (marks,) = drawn.axes[0].collections
    assert len(marks.get_segments()) == 2 * 20
    with Image.open(tmp_path / "a.png") as image:
        assert image.width > 100


def test_without_wrong_hits_nothing_is_marked_and_without_hits_nothing_drawn():
    with canvas.style():
        drawn = FIGURES["retrieval"].draw(results(hits=np.zeros((9, 64)), hits_right=np.ones(8, bool)))
        assert not drawn.axes[0].collections[0].get_segments()
        assert FIGURES["retrieval"].draw(results()) is None
