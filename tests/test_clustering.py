"""NMI, ARI and cluster accuracy for perfect, useless and adversarial codes, compared with independent calculations."""

import warnings
from itertools import permutations

import pytest
import torch
from representations import CLASSES, PERFECT, USELESS, clouds, representation
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from aebench.evaluation.metrics import METRICS, clustering

NAMES = ["nmi", "ari", "cluster_accuracy"]


def representation_of(codes, labels):
    return representation(codes, codes, labels, labels)


def scores(r):
    return [METRICS[name].measure(r) for name in NAMES]


def test_random_codes_score_chance():
    nmi, ari, accuracy = scores(USELESS)
    assert nmi == pytest.approx(0, abs=0.02)
    assert ari == pytest.approx(0, abs=0.01)
    assert 100 / CLASSES <= accuracy < 100 / CLASSES + 5


@pytest.mark.parametrize("spread", [0.3, 0.5])
def test_scores_agree_with_scikit_learn_and_with_the_best_of_all_assignments(spread):
    codes, labels = clouds(spread, 300)
    r = representation_of(codes, labels)
    clusters = torch.from_numpy(clustering.clusters(r)).long()
    best = max(float((torch.tensor(order)[clusters] == labels).double().mean()) for order in permutations(range(CLASSES)))
    expected = [normalized_mutual_info_score(labels, clusters), adjusted_rand_score(labels, clusters), 100 * best]
    assert scores(r) == pytest.approx(expected, abs=1e-9)
    assert 20 < best * 100 < 100


@pytest.mark.parametrize("value", [0.0, 0.1, -1e30])
def test_a_constant_code_scores_0_and_the_fraction_of_the_largest_class_without_a_warning(value):
    labels = torch.tensor([0, 1, 1, 2, 1]).repeat(20)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert scores(representation_of(torch.full((100, 3), value), labels)) == [0, 0, 60]


@pytest.mark.parametrize("noise", [0.0, 1e-6])
def test_two_distinct_codes_give_two_clusters_for_five_classes_without_a_warning(noise):
    """The result is the same with noise that is too small to separate more clusters."""
    codes = torch.zeros(100, 2)
    codes[:20] = 1
    codes += noise * torch.rand(100, 2, generator=torch.Generator().manual_seed(0))
    labels = (torch.arange(100) >= 20).long() * (1 + torch.arange(100) % 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nmi, ari, accuracy = scores(representation_of(codes, labels))
    if not noise:
        assert accuracy == 40 and 0 < nmi < 1 and 0 < ari < 1


def test_other_warnings_are_not_suppressed(monkeypatch):
    import sklearn.cluster

    def fit(*_, **__):
        warnings.warn("another", UserWarning, stacklevel=1)
        raise StopIteration

    monkeypatch.setattr(sklearn.cluster.KMeans, "fit_predict", fit)
    with pytest.warns(UserWarning, match="another"), pytest.raises(StopIteration):
        clustering.clusters(representation_of(*clouds(0.1)))


def test_adversarial_a_split_class_and_two_merged_classes_lower_the_accuracy():
    """Clusters predict different classes, correctly for 150 of 300 images. Majority votes would be correct for 250."""
    centres = torch.tensor([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]]).repeat_interleave(100, 0)
    labels = torch.tensor([0] * 200 + [1, 2] * 50)
    codes = centres + 0.01 * torch.randn(300, 2, generator=torch.Generator().manual_seed(0))
    assert METRICS["cluster_accuracy"].measure(representation_of(codes, labels)) == 50


def test_order_of_classes_scale_and_offset_do_not_matter():
    codes, labels = clouds(0.3)
    expected = scores(representation_of(codes, labels))
    assert scores(representation_of(codes, (labels + 2) % CLASSES)) == pytest.approx(expected)
    assert scores(representation_of(1e-6 * codes, labels)) == pytest.approx(expected)
    assert scores(representation_of(1000 * codes - 5e3, labels)) == pytest.approx(expected, abs=1e-6)


def test_clusters_are_cached_and_reproducible():
    r = representation_of(*clouds(0.5))
    first = clustering.clusters(r)
    assert clustering.clusters(r) is first
    clustering.clusters.cache_clear()
    again = clustering.clusters(r)
    assert again is not first and (again == first).all()


def test_clusters_do_not_depend_on_labels_or_reference_codes():
    r = representation_of(*clouds(0.5))
    other = representation(r.codes, r.codes.flip(0), r.labels.flip(0), r.labels)
    assert (clustering.clusters(r) == clustering.clusters(other)).all()
    assert len(clustering.clusters(PERFECT)) == len(PERFECT.codes)
