"""Tests of trustworthiness and continuity on maps with known scores, and of the t-SNE map and its figure."""

import math
from dataclasses import replace
from itertools import permutations

import fake_runs
import numpy as np
import pytest
import torch
from family import KINDS
from representations import PERFECT, USELESS, clouds, representation, represented, trained, view
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness as reference

from aebench.evaluation import pictures as drawn
from aebench.evaluation.arrays.embedding import Embedded, tsne
from aebench.evaluation.arrays.embedding import embedding as embedded
from aebench.evaluation.metrics import METRICS, embedding
from aebench.evaluation.metrics.embedding import faithfulness
from aebench.evaluation.settings import Embedding, Evaluation
from aebench.randomness import EVALUATION, Streams, Use
from aebench.reporting.figures import FIGURES, canvas
from aebench.reporting.results import read

SHORT = Embedding(perplexity=5, exaggerated=50, iterations=50)
MAP = ["map_trustworthiness", "map_continuity", "map_knn_5"]


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def chance(n, k):
    """Expected score if the rank of a neighbour in the map is uniform from 1 to n - 1."""
    return 1 - (n - k) * (n - k - 1) / ((n - 1) * (2 * n - 3 * k - 1))


# Trustworthiness and continuity


def test_a_scaled_shifted_and_rotated_map_is_perfect():
    points = normal(200, 3)
    turn = torch.linalg.qr(normal(3, 3, seed=1)).Q
    assert faithfulness(points, 5 * points @ turn + 100, 12) == (1, 1)


@pytest.mark.parametrize(("n", "k"), [(400, 12), (60, 29)])
def test_a_random_map_scores_chance_on_both(n, k):
    draws = [faithfulness(normal(n, 4, seed=i), normal(n, 2, seed=100 + i), k) for i in range(10)]
    assert np.mean(draws, 0) == pytest.approx(chance(n, k), abs=0.01)


def test_adversarial_splitting_a_cluster_is_trustworthy_but_not_continuous():
    """One cluster becomes two distant ones: neighbours in the map are correct, but half of the neighbours are lost."""
    points = torch.cat([normal(100, 2), normal(100, 2, seed=1) + 100])
    split = points + 1000 * (torch.arange(200) % 2 * (torch.arange(200) < 100))[:, None]
    trust, continuity = faithfulness(points, split, 12)
    assert trust > 0.97
    assert continuity < trust - 0.1


def test_adversarial_folding_two_clusters_is_continuous_but_not_trustworthy():
    """Two clusters become one: half of the neighbours in the map are from the other cluster."""
    points = torch.cat([normal(100, 2), normal(100, 2, seed=1) + 100])
    split = points + 1000 * (torch.arange(200) % 2 * (torch.arange(200) < 100))[:, None]
    trust, continuity = faithfulness(split, points, 12)
    assert continuity > 0.97
    assert trust < continuity - 0.1


def test_a_map_whose_neighbours_are_the_farthest_points_scores_0():
    line, crossed = torch.tensor([[0.0], [1.0], [10.0], [11.5]]), torch.tensor([[0.0], [5.0], [-5.0], [0.1]])
    assert faithfulness(line, crossed, 1)[0] == 0


@pytest.mark.parametrize(("wide", "narrow"), [(3, 2), (100, 30), (784, 1)])
@pytest.mark.parametrize("k", [1, 12])
def test_both_agree_with_scikit_learn(wide, narrow, k, monkeypatch):
    monkeypatch.setattr(embedding, "BLOCK_BYTES", 8 * 300 * 70)
    points = normal(300, wide) + 10
    codes = points @ normal(wide, narrow, seed=1) / wide**0.5 + normal(300, narrow, seed=2)
    a, b = points.double().numpy(), codes.double().numpy()
    expected = reference(a, b, n_neighbors=k), reference(b, a, n_neighbors=k)
    assert faithfulness(points, codes, k) == pytest.approx(expected, abs=1e-6)


def test_constant_codes_score_chance():
    assert faithfulness(normal(100, 5), torch.full((100, 1), 0.3), 12) == pytest.approx([chance(100, 12)] * 2, abs=1e-12)


def test_tied_distances_score_the_mean_over_all_orders():
    """The expected value is the mean of the formula over every order of equal distances."""
    points, codes = normal(6, 2), torch.tensor([[0.0], [0], [0], [1], [1], [3]])
    orders = list(permutations(range(6)))
    expected = [np.mean([formula(*pair, 2, order) for order in orders]) for pair in ((points, codes), (codes, points))]
    assert faithfulness(points, codes, 2) == pytest.approx(expected, abs=1e-12)


def formula(original, points, k, order):
    """Trustworthiness by its formula, with ties broken by `order`."""
    n, total = len(original), 0
    for i in range(n):
        far, near = (np.lexsort((order, (x - x[i]).norm(dim=1))) for x in (original, points))
        rank = {j: position for position, j in enumerate((j for j in far if j != i), 1)}
        total += sum(max(rank[j] - k, 0) for j in [j for j in near if j != i][:k])
    return 1 - 2 * total / (n * k * (2 * n - 3 * k - 1))


def test_scores_are_nan_with_too_few_images_or_without_a_map():
    assert all(math.isnan(value) for value in faithfulness(normal(24, 2), normal(24, 2), 12))
    assert not math.isnan(faithfulness(normal(25, 2), normal(25, 2), 12)[0])
    for part in (None, replace(PERFECT.embedding, map=None)):
        assert all(math.isnan(METRICS[name].measure(replace(PERFECT, embedding=part))) for name in MAP)
    assert math.isnan(METRICS["trustworthiness"].measure(replace(PERFECT, embedding=None)))


def test_codes_are_compared_with_images_and_the_map_with_codes():
    images, codes, points_2d = normal(50, 9), normal(50, 4, seed=1), normal(50, 2, seed=2)
    r = replace(PERFECT, embedding=Embedded(images, codes, points_2d, 7))
    scores = [METRICS[name].measure(r) for name in ("trustworthiness", "continuity", "map_trustworthiness", "map_continuity")]
    assert scores == [*faithfulness(images, codes, 7), *faithfulness(codes, points_2d, 7)]
    assert len(set(scores)) == 4


# Neighbours in the map


def test_useless_map_predicts_classes_by_chance():
    r = replace(USELESS, embedding=Embedded(USELESS.images, USELESS.codes, normal(1000, 2), 12))
    assert METRICS["map_knn_5"].measure(r) == pytest.approx(20, abs=5)


def test_adversarial_an_image_is_not_its_own_neighbour():
    """Six classes at each point: if an image counted among its own neighbours, some predictions would be correct."""
    points_2d = torch.arange(20.0).repeat_interleave(6)[:, None] * torch.tensor([100.0, 0]) + 0.1 * normal(120, 2)
    labels = torch.arange(6).repeat(20)
    r = representation(points_2d, points_2d, labels, labels)
    assert METRICS["map_knn_5"].measure(r) < 100 / 6
    assert METRICS["map_knn_5"].measure(replace(r, labels=torch.arange(20).repeat_interleave(6))) == 100


# The t-SNE map


def test_separated_classes_stay_separated_in_the_map():
    codes, labels = clouds(0.05)
    points_2d = tsne(codes, Embedding(perplexity=10), torch.Generator())
    assert points_2d.shape == (200, 2) and points_2d.dtype == torch.float32
    r = replace(representation(codes, codes, labels, labels), embedding=Embedded(codes, codes, points_2d, 12))
    assert METRICS["map_knn_5"].measure(r) == 100
    assert METRICS["map_trustworthiness"].measure(r) > 0.9


def test_the_map_is_reproducible_byte_for_byte():
    codes = normal(150, 60)
    first, second = (tsne(codes, SHORT, Streams(3).torch("evaluation", Use.EMBEDDING)) for _ in range(2))
    assert first.numpy().tobytes() == second.numpy().tobytes()


def test_the_map_starts_alike_for_every_seed():
    _, ensemble = trained("vanilla")
    replica, images = next(ensemble.replicas()), torch.rand(40, 16, generator=torch.Generator().manual_seed(0))
    settings = Evaluation(embedding={"images": 40, "neighbours": 4, "perplexity": 5, "exaggerated": 5, "iterations": 5})
    maps = [embedded(view(replica, images, torch.arange(40) % 3, seed=seed, settings=settings)).map for seed in (3, 4)]
    expected = tsne(replica("encode", images), settings.embedding, EVALUATION.torch("evaluation", Use.EMBEDDING))
    assert torch.equal(*maps) and torch.equal(maps[0], expected)


@pytest.mark.parametrize("units", [1, 2, 3, 60, 400])
def test_codes_of_any_width_and_scale_have_a_map_also_with_dead_units(units):
    codes = normal(150, units) * 1e-6 + 3
    alive = tsne(codes, SHORT, torch.Generator())
    assert alive.isfinite().all() and (alive.std(0) > 0.1).all()
    dead = tsne(torch.cat([codes, torch.zeros(150, 2)], 1), SHORT, torch.Generator())
    assert dead.isfinite().all()


def test_groups_of_equal_codes_have_a_finite_map():
    points_2d = tsne((torch.arange(150) % 3)[:, None].float(), SHORT, torch.Generator())
    assert points_2d.isfinite().all()


def test_constant_codes_and_too_few_images_have_no_map():
    assert tsne(torch.full((200, 3), 0.7), SHORT, torch.Generator()) is None
    assert tsne(normal(15, 3), SHORT, torch.Generator()) is None
    assert tsne(normal(16, 3), SHORT, torch.Generator()) is not None


def test_a_wide_code_is_mapped_by_its_leading_components():
    codes = normal(100, 20) * torch.linspace(2, 1, 20)
    leading = torch.from_numpy(PCA(5).fit_transform(codes.double().numpy()))
    five, every = (SHORT.model_copy(update={"components": n, "iterations": 1, "exaggerated": 1}) for n in (5, 50))
    expected = tsne(leading, every, torch.Generator())
    torch.testing.assert_close(tsne(codes, five, torch.Generator()), expected, rtol=1e-3, atol=1e-7)
    assert not torch.allclose(tsne(codes, every, torch.Generator()), expected, rtol=1e-3, atol=1e-7)


def test_evenly_spaced_images_are_mapped_for_the_first_seed_only():
    _, ensemble = trained("vanilla")
    replica, images = next(ensemble.replicas()), torch.rand(40, 16, generator=torch.Generator().manual_seed(0))
    settings = Evaluation(embedding={"images": 30, "neighbours": 4, "perplexity": 5, "exaggerated": 5, "iterations": 5})
    first, later = (embedded(view(replica, images, torch.arange(40) % 3, settings=settings, first=f)) for f in (True, False))
    assert first.map.shape == (30, 2) and later.map is None
    rows = [i * 40 // 30 for i in range(30)]
    assert torch.equal(first.images, images[rows]) and torch.equal(first.codes, replica("encode", images)[rows])
    assert first.neighbours == 4


@pytest.mark.parametrize("kind", KINDS)
def test_every_model_is_measured(kind):
    (r,) = represented(trained(kind, seeds=(3,))[0], embedding={"perplexity": 5, "exaggerated": 5, "iterations": 5})
    assert 0 <= METRICS["trustworthiness"].measure(r) <= 1 and 0 <= METRICS["continuity"].measure(r) <= 1
    constant = bool((r.codes == r.codes[0]).all())
    assert all(math.isnan(METRICS[name].measure(r)) == constant for name in MAP)


def test_pictures_have_the_map_of_the_first_images_of_each_class():
    labels = torch.tensor([2, 2, 0, 1, 0, 1, 2])
    points_2d = torch.arange(12.0).reshape(6, 2)
    r = replace(representation(points_2d, points_2d, labels, labels), embedding=Embedded(points_2d, points_2d, points_2d, 2))
    arrays = drawn.tsne_map(r, 1)
    assert arrays["map"][:, 0].tolist() == [0, 4, 6] and arrays["map_labels"].tolist() == [2, 0, 1]
    assert not drawn.tsne_map(replace(r, embedding=replace(r.embedding, map=None)), 1)
    assert not drawn.tsne_map(replace(r, embedding=None), 1)


def test_the_figure_has_one_panel_for_each_model_with_a_map(tmp_path, monkeypatch):
    fake_runs.write_fake_suite(tmp_path)
    monkeypatch.chdir(tmp_path)
    results = read(fake_runs.DATASET)
    with canvas.style():
        panels = FIGURES["tsne"].draw(results).axes
    assert [axes.get_title() for axes in panels] == ["pca_2d", "ae", "ae_2d", "sae"]
    for axes, row in zip(panels, results.models[1:], strict=True):
        np.testing.assert_allclose(axes.collections[0].get_offsets(), row.pictures["map"])
        assert not len(axes.get_xticks()) and not len(axes.get_yticks())
