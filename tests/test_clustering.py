"""Clusters of perfect, useless and adversarial codes; scores against scikit-learn and against every naming of clusters."""

import warnings
from itertools import permutations

import pytest
import torch
from representations import CLASSES, PERFECT, USELESS, clouds, representation
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from aebench.metrics import METRICS, clustering

NAMES = ["nmi", "ari", "cluster_accuracy"]


def of(codes, labels):
    return representation(codes, codes, labels, labels)


def scores(r):
    return [METRICS[name].measure(r) for name in NAMES]


def test_codes_that_know_nothing_score_chance():
    nmi, ari, accuracy = scores(USELESS)
    assert nmi == pytest.approx(0, abs=0.02)
    assert ari == pytest.approx(0, abs=0.01)
    assert 100 / CLASSES <= accuracy < 100 / CLASSES + 5


@pytest.mark.parametrize("spread", [0.3, 0.5])
def test_scores_are_those_of_scikit_learn_and_of_the_best_of_all_namings(spread):
    codes, labels = clouds(spread, 300)
    r = of(codes, labels)
    found = torch.from_numpy(clustering.clusters(r)).long()
    named = max(float((torch.tensor(names)[found] == labels).double().mean()) for names in permutations(range(CLASSES)))
    expected = [normalized_mutual_info_score(labels, found), adjusted_rand_score(labels, found), 100 * named]
    assert scores(r) == pytest.approx(expected, abs=1e-9)
    assert 20 < named * 100 < 100


@pytest.mark.parametrize("value", [0.0, 0.1, -1e30])
def test_a_constant_code_scores_0_and_the_share_of_the_largest_class_without_a_warning(value):
    labels = torch.tensor([0, 1, 1, 2, 1]).repeat(20)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert scores(of(torch.full((100, 3), value), labels)) == [0, 0, 60]


@pytest.mark.parametrize("noise", [0.0, 1e-6])
def test_a_code_of_two_values_makes_two_clusters_of_five_classes_without_a_warning(noise):
    """Or nearly two: an image far off, and the others too near one another to be told apart."""
    codes = torch.zeros(100, 2)
    codes[:20] = 1
    codes += noise * torch.rand(100, 2, generator=torch.Generator().manual_seed(0))
    labels = (torch.arange(100) >= 20).long() * (1 + torch.arange(100) % 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nmi, ari, accuracy = scores(of(codes, labels))
    if not noise:
        assert accuracy == 40 and 0 < nmi < 1 and 0 < ari < 1


def test_other_warnings_are_heard(monkeypatch):
    import sklearn.cluster

    def fit(*_, **__):
        warnings.warn("heard", UserWarning, stacklevel=1)
        raise StopIteration

    monkeypatch.setattr(sklearn.cluster.KMeans, "fit_predict", fit)
    with pytest.warns(UserWarning, match="heard"), pytest.raises(StopIteration):
        clustering.clusters(of(*clouds(0.1)))


def test_adversarial_a_class_in_two_clusters_and_two_classes_in_one_is_not_forgiven():
    """Of three clusters each is named once: 100 of class 0, 50 of another. By majorities it would be 250 of 300."""
    place = torch.tensor([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]]).repeat_interleave(100, 0)
    labels = torch.tensor([0] * 200 + [1, 2] * 50)
    codes = place + 0.01 * torch.randn(300, 2, generator=torch.Generator().manual_seed(0))
    assert METRICS["cluster_accuracy"].measure(of(codes, labels)) == 50


def test_names_and_scale_and_place_of_codes_make_no_difference():
    codes, labels = clouds(0.3)
    first = scores(of(codes, labels))
    assert scores(of(codes, (labels + 2) % CLASSES)) == pytest.approx(first)
    assert scores(of(1e-6 * codes, labels)) == pytest.approx(first)
    assert scores(of(1000 * codes - 5e3, labels)) == pytest.approx(first, abs=1e-6)


def test_clusters_are_the_same_twice_and_found_once(monkeypatch):
    r = of(*clouds(0.5))
    first = clustering.clusters(r)
    assert clustering.clusters(r) is first
    clustering.clusters.cache_clear()
    again = clustering.clusters(r)
    assert again is not first and (again == first).all()


def test_clusters_are_of_test_codes_and_never_of_labels():
    r = of(*clouds(0.5))
    other = of(r.codes, r.labels.flip(0) % CLASSES)
    assert (clustering.clusters(r) == clustering.clusters(other)).all()
    assert len(clustering.clusters(PERFECT)) == len(PERFECT.codes)
