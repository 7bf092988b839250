"""Tests of the exact search for nearest neighbours, k-NN accuracy and the choice of k, with known results on MNIST."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from representations import CLASSES, PERFECT, USELESS, clouds, representation
from sklearn.metrics import accuracy_score
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from aebench import storage
from aebench.evaluation.arrays import neighbours
from aebench.evaluation.metrics import METRICS
from aebench.evaluation.metrics import neighbours as metrics

KNN = ("knn_1", "knn_5", "knn_best")


def normals(n, d, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


# Search


def assert_nearest(queries, reference, k):
    """Check that distances agree with scikit-learn, which computes differences in float64."""
    rows = neighbours.neighbours(queries, reference, k)
    distances = (queries[:, None].double() - reference[rows].double()).norm(dim=2)
    exact = NearestNeighbors(n_neighbors=k, algorithm="kd_tree").fit(reference.double().numpy())
    expected = torch.from_numpy(exact.kneighbors(queries.double().numpy())[0])
    torch.testing.assert_close(distances, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("dim", [1, 2, 30, 300])
@pytest.mark.parametrize(("reference", "k"), [(3, 3), (64, 1), (65, 50), (3001, 5), (3001, 50)])
def test_search_agrees_with_scikit_learn_in_blocks_of_any_size(dim, reference, k, monkeypatch):
    monkeypatch.setattr(neighbours, "BLOCK_BYTES", 100_000)
    monkeypatch.setattr(neighbours, "CACHE_BYTES", 100_000)
    assert_nearest(5 + normals(37, dim), 5 + normals(reference, dim, 1), k)


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_search_is_exact_where_float32_is_not(offset):
    """The differences of 3000 codes of 100 units on a line are below the rounding errors of their squares."""
    line = torch.ones(100) + offset
    rows, queries = (normals(n, 1, n) * line / 10 + offset for n in (3000, 20))
    assert_nearest(queries, rows, 5)


def test_a_result_is_certain_only_if_rounding_cannot_have_excluded_a_nearer_row():
    rows = normals(3000, 100)
    assert neighbours._search(normals(9, 100, 1), rows, 5, torch.float32)[1].all()
    assert not neighbours._search(rows[1:9], rows[:1].expand(3000, -1).contiguous(), 5, torch.float32)[1].any()


def test_padding_is_never_a_neighbour():
    """All rows are far from the mean, which is the value of the padding."""
    rows = 100 * torch.eye(40)[:35]
    assert neighbours.neighbours(torch.zeros(1, 40), rows, 35).sort().values[0].tolist() == list(range(35))


# Metrics


@pytest.mark.parametrize("name", KNN)
def test_random_codes_score_chance(name):
    assert METRICS[name].measure(USELESS) == pytest.approx(100 / CLASSES, abs=5)


@pytest.mark.parametrize("name", KNN)
def test_adversarial_codes_of_another_class_score_0(name):
    (codes, labels), (reference, reference_labels) = clouds(0.01), clouds(0.01, seed=1)
    assert METRICS[name].measure(representation(codes, reference, (labels + 1) % CLASSES, reference_labels)) == 0


@pytest.mark.parametrize("dim", [1, 100])
@pytest.mark.parametrize("k", [1, 5])
def test_accuracy_agrees_with_scikit_learn(dim, k):
    rng = np.random.default_rng(0)
    codes, reference = rng.normal(10 * dim, 1, (300, dim)).astype("f4"), rng.normal(10 * dim, 1, (500, dim)).astype("f4")
    labels, reference_labels = rng.integers(0, 4, 300), rng.integers(0, 4, 500)
    expected = KNeighborsClassifier(k, algorithm="brute").fit(reference.astype("f8"), reference_labels)
    r = representation(*(torch.from_numpy(a) for a in (codes, reference, labels, reference_labels)))
    assert metrics.knn_accuracy(r, k) == pytest.approx(100 * expected.score(codes.astype("f8"), labels), abs=1e-9)


def test_tied_votes_go_to_the_lowest_class():
    codes, reference = torch.zeros(1, 2), torch.tensor([[1.0, 0], [0, 1.1], [1.2, 0], [0, 1.3], [9, 9]])
    labels, reference_labels = torch.tensor([1]), torch.tensor([2, 1, 2, 1, 0])
    assert metrics.knn_accuracy(representation(codes, reference, labels, reference_labels), 4) == 100


def test_a_constant_code_scores_the_fraction_of_a_class():
    labels = torch.arange(100) % 4
    r = representation(torch.full((100, 3), 0.1), torch.full((100, 3), 0.1), labels, labels)
    assert [METRICS[name].measure(r) for name in KNN] == [25, 25, 25]


def noisy(n=600, seed=0):
    """Clouds with a third of the labels wrong, so that few neighbours give poor predictions."""
    codes, labels = clouds(0.2, n, seed)
    wrong = torch.rand(n, generator=torch.Generator().manual_seed(seed)) < 1 / 3
    return codes, torch.where(wrong, (labels + 1) % CLASSES, labels)


def test_the_best_k_is_chosen_on_validation_codes_from_training_codes_alone():
    """If validation codes were in the reference, each would be its own neighbour, and k = 1 would always be best."""
    (codes, labels), (reference, reference_labels) = noisy(), noisy(seed=1)
    r = replace(representation(codes, reference, labels, reference_labels), validation_count=200)
    training, validation = slice(400), slice(400, None)

    def score(k):
        fitted = KNeighborsClassifier(k, algorithm="brute").fit(reference[training], reference_labels[training])
        return accuracy_score(reference_labels[validation], fitted.predict(reference[validation]))

    expected = max(metrics.NEIGHBOURS, key=score)
    assert METRICS["knn_best_k"].measure(r) == expected > 1
    assert METRICS["knn_best"].measure(r) == metrics.knn_accuracy(r, expected)
    assert metrics.best_k(replace(r, labels=(labels + 1) % CLASSES, codes=-codes)) == expected


def test_the_smallest_of_equally_good_k_is_chosen():
    assert METRICS["knn_best_k"].measure(PERFECT) == 1


def test_k_is_at_most_the_number_of_training_codes():
    codes, labels = clouds(0.01, 5)
    r = representation(codes, codes, labels, labels)
    assert METRICS["knn_best_k"].measure(r) <= 4 and METRICS["knn_1"].measure(r) == 100


def test_five_metrics_share_two_searches(monkeypatch):
    searches, search = [], neighbours.neighbours
    monkeypatch.setattr(neighbours, "neighbours", lambda *arguments: searches.append(arguments) or search(*arguments))
    r = replace(USELESS)
    for name in (*KNN, "knn_best_k", "precision_10"):
        METRICS[name].measure(r)
    assert len(searches) == 2


@pytest.mark.slow
def test_raw_mnist_pixels_score_the_known_errors():
    """The error is 3.09 % for 1-NN and 3.12 % for 5-NN on 10,000 test images with 60,000 reference images."""
    folder = Path(os.environ.get("AEBENCH_DATA_DIR", Path(__file__).parent.parent / "data")) / "mnist"
    files = [folder / f"{name}.npz" for name in storage.SPLITS]
    if not all(file.exists() for file in files):
        pytest.skip(f"{folder} has no MNIST")
    train, validation, test = (storage.read_arrays(file) for file in files)
    reference, reference_labels = (
        torch.cat([torch.from_numpy(split[name]) for split in (train, validation)]) for name in ("images", "labels")
    )
    codes, labels = (torch.from_numpy(test[name]) for name in ("images", "labels"))
    r = representation(codes, reference, labels, reference_labels)
    assert 100 - METRICS["knn_1"].measure(r) == pytest.approx(3.09, abs=0.02)
    assert 100 - METRICS["knn_5"].measure(r) == pytest.approx(3.12, abs=0.02)
