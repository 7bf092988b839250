"""Tests of the linear probe against scikit-learn, of the choice of labels and penalty, and of the metric."""

import json

import numpy as np
import pytest
import torch
from family import PIXELS
from representations import CLASSES, CPU, PERFECT, USELESS, clouds, representation, trained
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

from aebench import storage
from aebench.classifiers import linear_probe, logistic
from aebench.classifiers.linear_probe import (
    LabelledCodes,
    LinearProbeSettings,
    folds,
    labelled_subset,
    probe,
    validation_subset,
)
from aebench.classifiers.logistic import Axes, Problem, predict
from aebench.data.splits import stratified_subset
from aebench.evaluation.classify import classify, repeat_for_seeds
from aebench.evaluation.metrics import METRICS, PROFILES
from aebench.evaluation.representation import represent, views
from aebench.evaluation.settings import Evaluation

AMOUNTS = {"per_class": [10], "fractions": [0.05, 0.2, 1.0]}
PENALTIES = LinearProbeSettings().penalties
NAMES = ["10 per class", "0.05", "0.2", "1.0"]
EVERYTHING = {"per_class": [], "fractions": [1.0]}


def probes(splits):
    """The results of `probe` for these arguments."""
    return probe(*splits)


def arguments(train, validation, test, seed=3, **settings):
    """Arguments of `probe` from three pairs of codes and labels."""
    return *(LabelledCodes(*split) for split in (train, validation, test)), LinearProbeSettings(**AMOUNTS | settings), seed


def three_splits(spread, sizes=(500, 100, 1000)):
    return [clouds(spread, n, seed) for seed, n in enumerate(sizes)]


def penalties(results):
    return {name: each.penalty for name, each in results.items()}


# Perfect, useless and adversarial codes


def test_perfect_codes_score_100_with_any_number_of_labels():
    results = probes(arguments(*three_splits(0.01)))
    assert {name: each.accuracy for name, each in results.items()} == dict.fromkeys(NAMES, 100.0)
    for each in results.values():
        np.testing.assert_array_equal(each.confusion, 200 * np.eye(CLASSES))


def test_useless_codes_score_chance_with_any_number_of_labels():
    noise = torch.Generator().manual_seed(0)
    splits = [(torch.randn(n, 8, generator=noise), torch.arange(n) % CLASSES) for n in (500, 100, 5000)]
    for each in probes(arguments(*splits)).values():
        assert each.accuracy == pytest.approx(100 / CLASSES, abs=4)


def test_adversarial_information_in_validation_and_test_codes_alone_is_not_used():
    """Only a unit that is constant in training separates classes 0 and 1."""
    splits = []
    for codes, labels in three_splits(0.01):
        unit = torch.where(labels == 0, 1.0, -1.0)[:, None] * (len(labels) != 500)
        splits.append((torch.cat([torch.where(labels[:, None] == 1, codes.roll(1, 0), codes), unit], 1), labels))
    for each in probes(arguments(*splits)).values():
        np.testing.assert_array_equal(each.confusion[2:, 2:], 200 * np.eye(3))
        assert each.confusion[:2, :2].sum() == 400 and each.confusion[:2, :2].trace() == pytest.approx(200, abs=60)
    best = probes(arguments(*[splits[2]] * 3, **EVERYTHING))["1.0"]
    assert best.accuracy == 100


def test_a_constant_code_predicts_the_most_frequent_class():
    splits = [(torch.full((n, 1), 0.1), (torch.arange(n) % 4).clamp(max=2) % 3) for n in (400, 80, 400)]
    for amount in (0.2, 1.0):
        results = probes(arguments(*splits, per_class=[], fractions=[amount]))[str(amount)]
        np.testing.assert_array_equal(results.confusion, [[0, 0, 100], [0, 0, 100], [0, 0, 200]])


def test_units_that_are_constant_in_training_are_ignored():
    splits = three_splits(0.3)
    dead = [(torch.cat([codes, torch.full((len(codes), 1), 0.7)], 1), labels) for codes, labels in splits]
    moves = 1e6 * torch.rand(1000, 1, generator=torch.Generator().manual_seed(0))
    alive = (torch.cat([splits[2][0], moves], 1), splits[2][1])
    expected = [each.confusion for each in probes(arguments(*splits)).values()]
    for test in (dead[2], alive):
        results = [each.confusion for each in probes(arguments(*dead[:2], test)).values()]
        np.testing.assert_array_equal(results, expected)


# Which images influence what


def test_codes_are_standardised_by_training_codes_not_by_test_codes():
    train, validation, (codes, labels) = three_splits(0.5)
    far = 1e6 * torch.randn(100, codes.shape[1], generator=torch.Generator().manual_seed(0))
    more = (torch.cat([codes, far]), torch.cat([labels, torch.full((100,), CLASSES - 1)]))
    expected, results = (probes(arguments(train, validation, test)) for test in ((codes, labels), more))
    for name in NAMES:
        np.testing.assert_array_equal(results[name].confusion[:-1], expected[name].confusion[:-1])
        assert results[name].confusion[-1].sum() == expected[name].confusion[-1].sum() + 100


def test_codes_are_standardised_by_training_codes_not_by_validation_codes():
    """One validation code far away, of a label that no probe with few labels looks at, changes no prediction."""
    train, (codes, labels), test = three_splits(0.5)
    far = (torch.cat([codes, torch.full((1, codes.shape[1]), 1e6)]), torch.cat([labels, labels[:1]]))
    expected, results = (probes(arguments(train, validation, test)) for validation in ((codes, labels), far))
    for name in ("10 per class", "0.05", "0.2"):
        np.testing.assert_array_equal(results[name].confusion, expected[name].confusion)


def test_test_images_do_not_influence_the_penalty():
    train, validation, (codes, labels) = three_splits(0.5)
    expected, other = (probes(arguments(train, validation, test)) for test in ((codes, labels), (-codes, labels.flip(0))))
    assert penalties(other) == penalties(expected)
    assert [each.accuracy for each in other.values()] != [each.accuracy for each in expected.values()]


def test_permuted_test_labels_change_nothing_but_the_accuracy():
    train, validation, (codes, labels) = three_splits(0.5)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    expected, other = (probes(arguments(train, validation, (codes, each))) for each in (labels, labels[order]))
    for name, each in other.items():
        assert each.penalty == expected[name].penalty
        np.testing.assert_array_equal(each.confusion.sum(0), expected[name].confusion.sum(0))
        assert each.accuracy == pytest.approx(100 / CLASSES, abs=5) != expected[name].accuracy


def test_validation_labels_choose_the_penalty_only_with_all_training_labels(monkeypatch):
    subsets, (train, (codes, labels), test) = [], three_splits(0.5)
    expected = probes(arguments(train, (codes, labels), test))
    monkeypatch.setattr(
        linear_probe, "validation_subset", lambda *given: subsets.append(validation_subset(*given)) or subsets[-1]
    )
    other = probes(arguments(train, (codes, labels.roll(1)), test))
    for name in NAMES[:-1]:
        np.testing.assert_array_equal(other[name].confusion, expected[name].confusion)
    assert [len(part) for part in subsets] == [100]


def test_with_one_label_per_class_the_penalty_is_chosen_on_one_validation_label_per_class(monkeypatch):
    subsets = []
    monkeypatch.setattr(
        linear_probe, "validation_subset", lambda *given: subsets.append(validation_subset(*given)) or subsets[-1]
    )
    probes(arguments(*three_splits(0.5), per_class=[1], fractions=[1.0]))
    assert [len(part) for part in subsets] == [CLASSES, 100]


def test_the_strongest_of_tied_penalties_is_chosen():
    assert set(penalties(probes(arguments(*three_splits(0.01), penalties=[0.001, 0.1, 0.01]))).values()) == {0.1}


# Which images are labelled


@pytest.mark.parametrize("amount", [10, 0.05, 0.2, 1.0])
def test_all_models_of_a_seed_have_the_same_labelled_images(monkeypatch, amount):
    subsets = []
    monkeypatch.setattr(linear_probe, "labelled_subset", lambda *given: subsets.append(labelled_subset(*given)) or subsets[-1])
    splits = three_splits(0.5)
    wide = [(codes @ torch.rand(8, 30), labels) for codes, labels in splits]
    amounts = (
        {"per_class": [amount], "fractions": [1.0]} if isinstance(amount, int) else {"per_class": [], "fractions": [amount]}
    )
    for model, seed in ((splits, 3), (wide, 3), (splits, 4)):
        probes(arguments(*model, seed=seed, **amounts))
    first, second, other = subsets[:: len(subsets) // 3]
    np.testing.assert_array_equal(first, second)
    assert amount == 1.0 or set(first) != set(other)


def test_a_fraction_is_the_subset_of_fine_tuning():
    labels = np.arange(500) % CLASSES
    np.testing.assert_array_equal(labelled_subset(labels, 0.05, 7), stratified_subset(labels, 0.05, 7))


@pytest.mark.parametrize("seed", range(3))
def test_an_integer_is_the_number_of_labels_per_class(seed):
    labels = np.repeat(np.arange(4), [200, 50, 10, 7])
    part = labelled_subset(labels, 10, seed)
    assert len(set(part)) == len(part)
    assert np.bincount(labels[part]).tolist() == [10, 10, 10, 7], "all images are used if there are fewer"
    assert probes(arguments(*three_splits(0.5), seed=seed))["10 per class"].labels == 10 * CLASSES


def test_fractions_are_stratified_with_at_least_one_image_per_class():
    labels = np.repeat(np.arange(3), [60, 30, 10])
    assert np.bincount(labels[labelled_subset(labels, 0.5, 0)]).tolist() == [30, 15, 5]
    assert np.bincount(labels[labelled_subset(labels, 0.01, 0)], minlength=3).tolist() == [2, 1, 1], "every class is included"
    assert np.bincount(labels[validation_subset(labels, 0.1, 0)]).tolist() == [6, 3, 1]
    assert np.bincount(labels[validation_subset(labels, 0.01, 0)]).tolist() == [1, 1, 1]
    assert sorted(validation_subset(labels, 1.0, 0)) == list(range(100))


def test_folds_hold_out_each_image_once_and_are_stratified():
    labels = np.repeat(np.arange(3), [20, 10, 5])
    held_out = folds(labels)
    assert held_out.shape == (5, 35) and (held_out.sum(0) == 1).all()
    assert {tuple(np.bincount(labels[fold])) for fold in held_out} == {(4, 2, 1)}
    assert folds(np.array([0, 1, 1, 0, 1])).shape == (2, 5) and folds(np.array([0, 1, 1])).shape == (0, 3)


def test_a_deterministic_model_is_repeated_for_every_seed():
    model, _ = trained("pca", seeds=(0,))
    shown = repeat_for_seeds(model, [0, 1, 2])
    assert shown.seeds == (0, 1, 2)
    assert all(torch.equal(shown.state[name][2], value[0]) for name, value in model.state.items())
    own, _ = trained()
    assert all(torch.equal(repeat_for_seeds(own, [3, 4]).state[name], value) for name, value in own.state.items())


# The regression


def digits():
    """600 and 300 digits, some of whose pixels are constant, and a scaler fitted to the first."""
    raw = load_digits()
    images, labels = torch.from_numpy(raw.data / 16), torch.from_numpy(raw.target)
    scaler = StandardScaler().fit(images[:600])
    return images[:600], labels[:600], images[600:900], labels[600:900], scaler


@pytest.mark.parametrize("penalty", [1.0, 0.01, 0.0001])
def test_weights_match_scikit_learn(monkeypatch, penalty):
    """Weights agree for a small tolerance; for the default tolerance the loss is nearly and the accuracy exactly the same."""
    images, labels, test_images, test_labels, scaler = digits()
    z, scaled = scaler.transform(images), scaler.transform(test_images)
    oracle = LogisticRegression(C=1 / (penalty * len(labels)), tol=1e-8, max_iter=10_000).fit(z, labels)
    axes = Axes.of(images)
    problem = Problem.of(axes(images), labels, torch.full((1, len(labels)), 1 / len(labels)), axes, 10)
    default = problem.path(PENALTIES)[PENALTIES.index(penalty)]
    monkeypatch.setattr(logistic, "TOLERANCE", 1e-8)
    exact = problem.path([penalty])[0]
    scale = np.abs(oracle.coef_).max()
    np.testing.assert_allclose(exact[0, :, :-1] @ axes.rotation.T / scale, oracle.coef_ / scale, atol=1e-4)
    minimum = log_loss(labels, oracle.predict_proba(z)) + penalty / 2 * np.square(oracle.coef_).sum()
    for weights, excess in ((exact, 1e-6), (default, 5e-3)):
        decay = penalty * torch.ones(65).index_fill(0, torch.tensor([64]), 0)
        assert problem._loss(weights, decay)[0] == pytest.approx(minimum, rel=excess)
        assert (predict(weights[0], axes(test_images)) == test_labels).double().mean() == oracle.score(scaled, test_labels)


def test_simultaneous_fits_match_separate_fits():
    images, labels, test_images, _, _ = digits()
    axes, held_out = Axes.of(images), torch.from_numpy(folds(labels.numpy()))
    kept = (~held_out).double()
    together = Problem.of(axes(images), labels, kept / kept.sum(1, keepdim=True), axes, 10).path([0.01, 0.1])
    for fold, without in zip(held_out, together.unbind(1), strict=True):
        weights = torch.full((1, int((~fold).sum())), 1 / int((~fold).sum()))
        alone = Problem.of(axes(images[~fold]), labels[~fold], weights, axes, 10).path([0.1, 0.01])[:, 0]
        assert (predict(without, axes(test_images)) == predict(alone.flip(0), axes(test_images))).double().mean() > 0.995


def test_results_are_reproducible():
    first, second = (probes(arguments(*three_splits(0.5))) for _ in range(2))
    assert penalties(first) == penalties(second)
    for name, each in first.items():
        np.testing.assert_array_equal(each.confusion, second[name].confusion)


# The metric


def measured(codes, reference, labels, reference_labels):
    return METRICS["linear_probe"].measure(representation(codes, reference, labels, reference_labels))


def test_the_metric_is_100_for_perfect_and_chance_for_useless_codes():
    assert METRICS["linear_probe"].measure(PERFECT) == 100
    assert METRICS["linear_probe"].measure(USELESS) == pytest.approx(100 / CLASSES, abs=5)
    assert PROFILES["linear_probe_by_labels"].measure(PERFECT)["10 per class"] == 100


def test_adversarial_metric_ignores_classes_that_no_line_separates():
    """For exclusive or, five nearest neighbours are correct for every image and a linear classifier for about half of them."""
    generator = torch.Generator().manual_seed(0)
    codes = torch.randint(2, (800, 2), generator=generator) * 2.0 - 1 + 0.1 * torch.randn(800, 2, generator=generator)
    labels = (codes.prod(1) > 0).long()
    r = representation(codes[:400], codes[400:], labels[:400], labels[400:])
    assert METRICS["knn_5"].measure(r) == 100
    assert METRICS["linear_probe"].measure(r) == pytest.approx(50, abs=15)


def test_adversarial_codes_whose_classes_are_exchanged_in_the_test_set_score_0():
    (codes, labels), (reference, reference_labels) = clouds(0.01), clouds(0.01, seed=1)
    assert measured(codes, reference, (labels + 1) % CLASSES, reference_labels) == 0


@pytest.mark.parametrize("kind", ["vanilla", "pca"])
def test_the_stage_writes_the_metric_of_the_representation_for_every_seed(tmp_path, monkeypatch, kind):
    """A deterministic model, which has a single replica, also has a value for every seed."""
    monkeypatch.chdir(tmp_path)
    model, _ = trained(kind, seeds=(0,) if kind == "pca" else (0, 1))
    splits = dict(zip(storage.SPLITS, (images_of_classes(n, seed) for seed, n in enumerate((200, 40, 90))), strict=True))
    for name, split in splits.items():
        storage.save_split("toy", name, split)
    storage.save_about("toy", storage.About("Toy", (4, 4), ("a", "b", "c"), "", ""))
    storage.save_trained(storage.run_folder("toy", "m") / "weights.safetensors", model)
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/toy.yaml").write_text(CONF.format(kind=json.dumps(model.settings)))
    (tmp_path / "params.yaml").write_text("suite: {datasets: [toy], models: [m], stacks: [], seeds: [0, 1]}\n")
    classify("toy", "m")
    columns = storage.read_columns(tmp_path / "runs/toy/m/classification.csv")
    train, validation, test = splits.values()
    every = views(repeat_for_seeds(model, [0, 1]) if kind == "pca" else model, (train, validation), test, Evaluation(), CPU)
    expected = [represent(view) for view in every]
    assert columns["linear_probe"] == [METRICS["linear_probe"].measure(r) for r in expected]
    profiles = [PROFILES["linear_probe_by_labels"].measure(r) for r in expected]
    for name in profiles[0]:
        assert columns[f"linear_probe_by_labels/{name}"] == [profile[name] for profile in profiles]


CONF = """
data: {{source: digits}}
training: {{epochs: 1, batch_size: 1, learning_rate: 1.0}}
compute: {{}}
evaluation: {{}}
linear_probe: {{}}
feature_classifier: {{}}
models: {{m: {kind}}}
"""


def images_of_classes(n, seed):
    """Noisy images of three classes, which a linear classifier separates imperfectly."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    return storage.Split((rng.random((n, PIXELS)) + 0.6 * np.eye(3, PIXELS)[labels]).astype("f4").clip(0, 1), labels)
