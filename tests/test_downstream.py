"""Classifiers of frozen codes: the same optimum as scikit-learn's, chosen on labels they may know, on test images never."""

import numpy as np
import pytest
import torch
from representations import CLASSES, clouds, trained, view
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

from aebench import downstream, logistic
from aebench.downstream import every_seed, held_out, labelled, probes, proportionate
from aebench.finetuning import _part
from aebench.logistic import Problem, answers, principal
from aebench.representation import Evaluation
from aebench.representation.settings import Classification

AMOUNTS = {"per_class": [10], "fractions": [0.05, 0.2, 1.0]}
PENALTIES = Classification().penalties
NAMES = ["10 a class", "0.05", "0.2", "1.0"]
EVERYTHING = {"per_class": [], "fractions": [1.0]}


def seen(train, validation, test, seed=3, **classification):
    """A view of codes and labels, three pairs."""
    settings = Evaluation(classification=AMOUNTS | classification)
    reference, labels = (torch.cat(pair) for pair in zip(train, validation, strict=True))
    told = {"reference": reference, "reference_labels": labels, "validation": len(validation[1])}
    return view(lambda method, x: x, *test, seed=seed, settings=settings, **told)


def three(spread, sizes=(500, 100, 1000)):
    return [clouds(spread, n, seed) for seed, n in enumerate(sizes)]


def penalties(found):
    return {name: each.penalty for name, each in found.items()}


# What codes know


def test_classes_that_lie_apart_are_all_told():
    found = probes(seen(*three(0.01)))
    assert {name: each.accuracy for name, each in found.items()} == dict.fromkeys(NAMES, 100.0)
    for each in found.values():
        np.testing.assert_array_equal(each.confusion, 200 * np.eye(CLASSES))


def test_codes_that_know_nothing_give_chance():
    noise = torch.Generator().manual_seed(0)
    splits = [(torch.randn(n, 8, generator=noise), torch.arange(n) % CLASSES) for n in (500, 100, 5000)]
    for each in probes(seen(*splits)).values():
        assert each.accuracy == pytest.approx(100 / CLASSES, abs=4)


def test_what_only_validation_and_test_images_tell_is_not_told():
    """Classes 0 and 1 lie together but for a unit that does not move in training."""
    splits = []
    for codes, labels in three(0.01):
        told = torch.where(labels == 0, 1.0, -1.0)[:, None] * (len(labels) != 500)
        splits.append((torch.cat([torch.where(labels[:, None] == 1, codes.roll(1, 0), codes), told], 1), labels))
    for each in probes(seen(*splits)).values():
        np.testing.assert_array_equal(each.confusion[2:, 2:], 200 * np.eye(3))
        assert each.confusion[:2, :2].sum() == 400 and each.confusion[:2, :2].trace() == pytest.approx(200, abs=60)
    heard = probes(seen(*[splits[2]] * 3, **EVERYTHING))["1.0"]
    assert heard.accuracy == 100


def test_a_constant_code_gives_the_commonest_class():
    splits = [(torch.full((n, 1), 0.1), (torch.arange(n) % 4).clamp(max=2) % 3) for n in (400, 80, 400)]
    for amount in (0.2, 1.0):
        found = probes(seen(*splits, per_class=[], fractions=[amount]))[str(amount)]
        np.testing.assert_array_equal(found.confusion, [[0, 0, 100], [0, 0, 100], [0, 0, 200]])


def test_a_unit_that_never_moved_in_training_is_not_heard():
    splits = three(0.3)
    dead = [(torch.cat([codes, torch.full((len(codes), 1), 0.7)], 1), labels) for codes, labels in splits]
    moves = 1e6 * torch.rand(1000, 1, generator=torch.Generator().manual_seed(0))
    alive = (torch.cat([splits[2][0], moves], 1), splits[2][1])
    expected = [each.confusion for each in probes(seen(*splits)).values()]
    for test in (dead[2], alive):
        found = [each.confusion for each in probes(seen(*dead[:2], test)).values()]
        np.testing.assert_array_equal(found, expected)


# Who may know what


def test_codes_are_standardised_by_those_of_training_whatever_else_is_among_the_test_images():
    train, validation, (codes, labels) = three(0.5)
    far = 1e6 * torch.randn(100, codes.shape[1], generator=torch.Generator().manual_seed(0))
    more = (torch.cat([codes, far]), torch.cat([labels, torch.full((100,), CLASSES - 1)]))
    expected, found = (probes(seen(train, validation, test)) for test in ((codes, labels), more))
    for name in NAMES:
        np.testing.assert_array_equal(found[name].confusion[:-1], expected[name].confusion[:-1])
        assert found[name].confusion[-1].sum() == expected[name].confusion[-1].sum() + 100


def test_the_choice_never_sees_a_test_image():
    train, validation, (codes, labels) = three(0.5)
    expected, other = (probes(seen(train, validation, test)) for test in ((codes, labels), (-codes, labels.flip(0))))
    assert penalties(other) == penalties(expected)
    assert [each.accuracy for each in other.values()] != [each.accuracy for each in expected.values()]


def test_permuted_test_labels_change_accuracy_alone():
    train, validation, (codes, labels) = three(0.5)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    expected, other = (probes(seen(train, validation, (codes, each))) for each in (labels, labels[order]))
    for name, each in other.items():
        assert each.penalty == expected[name].penalty
        np.testing.assert_array_equal(each.confusion.sum(0), expected[name].confusion.sum(0))
        assert each.accuracy == pytest.approx(100 / CLASSES, abs=5) != expected[name].accuracy


def test_labels_of_validation_choose_where_all_labels_are_known_and_otherwise_nothing(monkeypatch):
    asked, (train, (codes, labels), test) = [], three(0.5)
    expected = probes(seen(train, (codes, labels), test))
    monkeypatch.setattr(downstream, "proportionate", lambda *given: asked.append(proportionate(*given)) or asked[-1])
    other = probes(seen(train, (codes, labels.roll(1)), test))
    for name in NAMES[:-1]:
        np.testing.assert_array_equal(other[name].confusion, expected[name].confusion)
    assert [len(part) for part in asked] == [100]


def test_one_label_a_class_is_chosen_for_on_as_many_of_validation(monkeypatch):
    asked = []
    monkeypatch.setattr(downstream, "proportionate", lambda *given: asked.append(proportionate(*given)) or asked[-1])
    probes(seen(*three(0.5), per_class=[1], fractions=[1.0]))
    assert [len(part) for part in asked] == [CLASSES, 100]


def test_the_strongest_penalty_of_equals_is_chosen():
    assert set(penalties(probes(seen(*three(0.01), penalties=[0.001, 0.1, 0.01]))).values()) == {0.1}


# Which images are labelled


@pytest.mark.parametrize("amount", [10, 0.05, 0.2, 1.0])
def test_every_row_of_a_seed_has_the_same_labelled_images(monkeypatch, amount):
    taken = []
    monkeypatch.setattr(downstream, "labelled", lambda *given: taken.append(labelled(*given)) or taken[-1])
    splits = three(0.5)
    wide = [(codes @ torch.rand(8, 30), labels) for codes, labels in splits]
    amounts = (
        {"per_class": [amount], "fractions": [1.0]} if isinstance(amount, int) else {"per_class": [], "fractions": [amount]}
    )
    for row, seed in ((splits, 3), (wide, 3), (splits, 4)):
        probes(seen(*row, seed=seed, **amounts))
    first, second, other = taken[:: len(taken) // 3]
    np.testing.assert_array_equal(first, second)
    assert amount == 1.0 or set(first) != set(other)


def test_a_share_is_the_one_that_fine_tuning_has():
    labels = np.arange(500) % CLASSES
    np.testing.assert_array_equal(labelled(labels, 0.05, 7), _part(labels, 0.05, 7))


@pytest.mark.parametrize("seed", range(3))
def test_ten_a_class_are_ten_a_class(seed):
    labels = np.repeat(np.arange(4), [200, 50, 10, 7])
    part = labelled(labels, 10, seed)
    assert len(set(part)) == len(part)
    assert np.bincount(labels[part]).tolist() == [10, 10, 10, 7], "and all where there are fewer"
    assert probes(seen(*three(0.5), seed=seed))["10 a class"].labels == 10 * CLASSES


def test_a_share_is_in_proportion_with_one_of_each_class_at_least():
    labels = np.repeat(np.arange(3), [60, 30, 10])
    assert np.bincount(labels[labelled(labels, 0.5, 0)]).tolist() == [30, 15, 5]
    assert np.bincount(labels[labelled(labels, 0.01, 0)], minlength=3).tolist() == [2, 1, 1], "none is forgotten"
    assert np.bincount(labels[proportionate(labels, 0.1, 0)]).tolist() == [6, 3, 1]
    assert np.bincount(labels[proportionate(labels, 0.01, 0)]).tolist() == [1, 1, 1]
    assert sorted(proportionate(labels, 1.0, 0)) == list(range(100))


def test_each_labelled_image_is_held_out_once_and_every_class_evenly():
    labels = np.repeat(np.arange(3), [20, 10, 5])
    away = held_out(labels)
    assert away.shape == (5, 35) and (away.sum(0) == 1).all()
    assert {tuple(np.bincount(labels[fold])) for fold in away} == {(4, 2, 1)}
    assert held_out(np.array([0, 1, 1, 0, 1])).shape == (2, 5) and held_out(np.array([0, 1, 1])).shape == (0, 3)


def test_a_model_without_randomness_is_shown_every_seeds_labels():
    model, _ = trained("pca", seeds=(0,))
    shown = every_seed(model, [0, 1, 2])
    assert shown.seeds == (0, 1, 2)
    assert all(torch.equal(shown.state[name][2], value[0]) for name, value in model.state.items())
    own, _ = trained()
    assert all(torch.equal(every_seed(own, [3, 4]).state[name], value) for name, value in own.state.items())


# The regression


def digits():
    """Standardised pixels of 600 and 300 digits, some of which never move."""
    raw = load_digits()
    images, labels = torch.from_numpy(raw.data / 16), torch.from_numpy(raw.target)
    scaler = StandardScaler().fit(images[:600])
    return images[:600], labels[:600], images[600:900], labels[600:900], scaler


@pytest.mark.parametrize("penalty", [1.0, 0.01, 0.0001])
def test_it_has_the_optimum_of_scikit_learn(monkeypatch, penalty):
    """Asked for it: the same weights. As it is asked: nearly the same loss, and the same accuracy."""
    images, labels, others, truth, scaler = digits()
    z, answered = scaler.transform(images), scaler.transform(others)
    oracle = LogisticRegression(C=1 / (penalty * len(labels)), tol=1e-8, max_iter=10_000).fit(z, labels)
    axes = principal(images)
    problem = Problem.of(axes(images), labels, torch.full((1, len(labels)), 1 / len(labels)), axes, 10)
    usual = problem.path(PENALTIES)[PENALTIES.index(penalty)]
    monkeypatch.setattr(logistic, "TOLERANCE", 1e-8)
    exact = problem.path([penalty])[0]
    scale = np.abs(oracle.coef_).max()
    np.testing.assert_allclose(exact[0, :, :-1] @ axes.turn.T / scale, oracle.coef_ / scale, atol=1e-4)
    least = log_loss(labels, oracle.predict_proba(z)) + penalty / 2 * np.square(oracle.coef_).sum()
    for weights, excess in ((exact, 1e-6), (usual, 5e-3)):
        decay = penalty * torch.ones(65).index_fill(0, torch.tensor([64]), 0)
        assert problem._loss(weights, decay)[0] == pytest.approx(least, rel=excess)
        assert (answers(weights[0], axes(others)) == truth).double().mean() == oracle.score(answered, truth)


def test_fits_side_by_side_are_what_each_is_alone():
    images, labels, others, _, _ = digits()
    axes, away = principal(images), torch.from_numpy(held_out(labels.numpy()))
    kept = (~away).double()
    together = Problem.of(axes(images), labels, kept / kept.sum(1, keepdim=True), axes, 10).path([0.01, 0.1])
    for fold, without in zip(away, together.unbind(1), strict=True):
        shares = torch.full((1, int((~fold).sum())), 1 / int((~fold).sum()))
        alone = Problem.of(axes(images[~fold]), labels[~fold], shares, axes, 10).path([0.1, 0.01])[:, 0]
        assert (answers(without, axes(others)) == answers(alone.flip(0), axes(others))).double().mean() > 0.995


def test_the_same_view_gives_the_same_answers():
    first, second = (probes(seen(*three(0.5))) for _ in range(2))
    assert penalties(first) == penalties(second)
    for name, each in first.items():
        np.testing.assert_array_equal(each.confusion, second[name].confusion)
