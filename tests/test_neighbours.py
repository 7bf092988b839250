"""Search is exact where float32 is not enough, k is chosen on validation alone, and MNIST scores what is known of it."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from representations import CLASSES, PERFECT, USELESS, clouds, representation, seen, trained, view
from sklearn.metrics import accuracy_score
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from aebench import runs
from aebench.metrics import METRICS
from aebench.metrics import neighbours as metric
from aebench.representation import Evaluation, hits, search
from aebench.representation import pictures as drawn


def normals(n, d, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def distances(queries, reference, k):
    """Of the k nearest, by differences in float64."""
    exact = NearestNeighbors(n_neighbors=k, algorithm="kd_tree").fit(reference.double().numpy())
    return torch.from_numpy(exact.kneighbors(queries.double().numpy())[0])


def found(queries, reference, k):
    """Distances of what the search finds, in its order."""
    rows = search.neighbours(queries, reference, k)
    return (queries[:, None].double() - reference[rows].double()).norm(dim=2)


# The search


@pytest.mark.parametrize("size", [1, 2, 30, 300])
@pytest.mark.parametrize(("reference", "k"), [(3, 3), (64, 1), (65, 50), (3001, 5), (3001, 50)])
def test_the_search_agrees_with_scikit_learn_in_any_blocks(size, reference, k, monkeypatch):
    monkeypatch.setattr(search, "BLOCK_BYTES", 100_000)
    monkeypatch.setattr(search, "CACHE_BYTES", 100_000)
    queries, rows = 5 + normals(37, size), 5 + normals(reference, size, 1)
    torch.testing.assert_close(found(queries, rows, k), distances(queries, rows, k), rtol=1e-12, atol=0)


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_the_search_is_exact_where_squares_in_float32_cannot_tell_neighbours_apart(offset):
    """3000 codes of 100 units on a line: their differences drown in the squares' rounding."""
    line = torch.ones(100) + offset
    rows, queries = (normals(n, 1, n) * line / 10 + offset for n in (3000, 20))
    torch.testing.assert_close(found(queries, rows, 5), distances(queries, rows, 5), rtol=1e-12, atol=0)


def test_a_query_is_sure_only_where_the_rows_left_out_are_farther_than_rounding():
    rows = normals(3000, 100)
    assert search._search(normals(9, 100, 1), rows, 5, torch.float32)[1].all()
    assert not search._search(rows[1:9], rows[:1].expand(3000, -1).contiguous(), 5, torch.float32)[1].any()


def test_rows_that_fill_up_a_group_are_never_found():
    """All is far from the mean, where the filling would be."""
    rows = 100 * torch.eye(40)[:35]
    assert search.neighbours(torch.zeros(1, 40), rows, 35).sort().values[0].tolist() == list(range(35))


# The metrics


def test_codes_that_know_nothing_score_chance_with_the_chosen_k_too():
    assert METRICS["knn_best"].measure(USELESS) == pytest.approx(100 / CLASSES, abs=5)


def test_adversarial_codes_with_every_class_at_anothers_place_score_0_with_the_chosen_k():
    (codes, labels), (reference, reference_labels) = clouds(0.01), clouds(0.01, seed=1)
    assert METRICS["knn_best"].measure(representation(codes, reference, (labels + 1) % CLASSES, reference_labels)) == 0


def noisy(n=600, seed=0):
    """Clouds with a third of the labels wrong: few neighbours are a bad guess."""
    codes, labels = clouds(0.2, n, seed)
    wrong = torch.rand(n, generator=torch.Generator().manual_seed(seed)) < 1 / 3
    return codes, torch.where(wrong, (labels + 1) % CLASSES, labels)


def test_the_chosen_k_is_the_best_on_validation_asked_of_train_alone():
    """Asked of the reference, a validation code would find itself, and 1 would always be best."""
    (codes, labels), (reference, reference_labels) = noisy(), noisy(seed=1)
    r = replace(representation(codes, reference, labels, reference_labels), validation=200)
    train, held = slice(400), slice(400, None)

    def score(k):
        fitted = KNeighborsClassifier(k, algorithm="brute").fit(reference[train], reference_labels[train])
        return accuracy_score(reference_labels[held], fitted.predict(reference[held]))

    expected = max(metric.NEIGHBOURS, key=score)
    assert METRICS["knn_best_k"].measure(r) == expected > 1
    assert METRICS["knn_best"].measure(r) == metric.knn_accuracy(r, expected)


def test_test_labels_choose_nothing():
    (codes, labels), (reference, reference_labels) = noisy(), noisy(seed=1)
    r = representation(codes, reference, labels, reference_labels)
    assert metric.best_k(r) == metric.best_k(replace(r, labels=(labels + 1) % CLASSES, codes=-codes))


def test_of_ks_as_good_the_smallest_is_chosen():
    assert METRICS["knn_best_k"].measure(PERFECT) == 1


def test_there_are_never_more_neighbours_than_train_codes():
    codes, labels = clouds(0.01, 5)
    r = representation(codes, codes, labels, labels)
    assert METRICS["knn_best_k"].measure(r) <= 4 and METRICS["knn_1"].measure(r) == 100


def test_a_constant_code_scores_the_share_of_a_class():
    labels = torch.arange(100) % 4
    r = representation(torch.full((100, 3), 0.1), torch.full((100, 3), 0.1), labels, labels)
    assert [METRICS[name].measure(r) for name in ("knn_1", "knn_5", "knn_best")] == [25, 25, 25]


def test_five_metrics_search_twice(monkeypatch):
    asked, right = [], search.neighbours
    monkeypatch.setattr(search, "neighbours", lambda *given: asked.append(given) or right(*given))
    r = replace(USELESS)
    for name in ("knn_1", "knn_5", "knn_best", "knn_best_k", "precision_10"):
        METRICS[name].measure(r)
    assert len(asked) == 2


# Hits


def test_hits_are_the_neighbours_of_the_first_test_image_of_each_class():
    model, _ = trained("vanilla", seeds=(3,))
    (r,) = seen(model)
    shown, near = r.hits.images.reshape(3, 9, -1), metric.nearest(r)[:3, : hits.HITS]
    past = torch.cat([r.images, r.images])
    assert torch.equal(shown[:, 0], r.images[:3]) and torch.equal(shown[:, 1:], past[near])
    assert torch.equal(r.hits.right, (r.reference_labels[near] == torch.arange(3)[:, None]).flatten())
    arrays = drawn.pictures(model, r, Evaluation())
    assert arrays["hits"].shape == (27, 16) and arrays["hits_right"].shape == (24,)


def test_hits_are_of_the_first_seed_and_of_codes_that_differ():
    first, second = seen(trained("vanilla")[0])
    assert first.hits is not None and second.hits is None
    assert seen(trained("mean_image", seeds=(0,))[0])[0].hits is None


def test_a_small_reference_has_fewer_hits_and_many_classes_ten_queries():
    _, family = trained("vanilla", seeds=(3,))
    x = torch.rand(24, 16, generator=torch.Generator().manual_seed(0))
    few = hits.hits(view(next(family.replicas()), x[:3], torch.arange(3)))
    assert few.images.shape == (3 * 7, 16) and few.right.shape == (18,)
    assert hits.hits(view(next(family.replicas()), x, torch.arange(24))).right.shape == (80,)


# MNIST


@pytest.mark.slow
def test_raw_mnist_has_the_errors_that_are_known_of_it():
    """1-NN 3.09 %, 5-NN 3.12 % of 10,000 test images, 60,000 to look up (LeCun et al. 1998 print 5.0 and 3.09 of variants)."""
    folder = Path(os.environ.get("AEBENCH_DATA_DIR", Path(__file__).parent.parent / "data")) / "mnist"
    files = [folder / f"{name}.npz" for name in runs.SPLITS]
    if not all(file.exists() for file in files):
        pytest.skip(f"{folder} has no MNIST")
    train, validation, test = (runs.read_arrays(file) for file in files)
    past, labels = (torch.cat([torch.from_numpy(s[name]) for s in (train, validation)]) for name in ("images", "labels"))
    codes = torch.from_numpy(test["images"])
    r = replace(representation(codes[:9], past[:9], labels[:9], labels[:9]), codes=codes, reference_codes=past)
    r = replace(r, labels=torch.from_numpy(test["labels"]), reference_labels=labels)
    assert 100 - METRICS["knn_1"].measure(r) == pytest.approx(3.09, abs=0.02)
    assert 100 - METRICS["knn_5"].measure(r) == pytest.approx(3.12, abs=0.02)
