"""Measures of papers: errors by hand, and likelihoods of binary images."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from small_papers import PAPER, lines, write

from aebench import papers
from aebench.errors import InputError
from aebench.papers import checks, measures
from aebench.papers import run as runs
from aebench.papers.run import run


def test_errors_are_100_minus_accuracies(small_paper):
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier

    write(runs=PAPER["runs"] | {"raw": {"model": {"kind": "raw_pixels"}, "measures": ["knn_3_error", "linear_probe_error"]}})
    run("small")
    read = runs.Data.read(papers.find("small"), "data").splits
    reference = np.concatenate([read["train"].images, read["validation"].images])
    labels = np.concatenate([read["train"].labels, read["validation"].labels])
    nearest = KNeighborsClassifier(3).fit(reference, labels)
    error = 100 * (nearest.predict(read["test"].images) != read["test"].labels).mean()
    assert lines()["raw", "knn_3_error", 3] == pytest.approx(error, abs=0.26), "one image, of a tie"
    linear = LogisticRegression(max_iter=2000).fit(read["train"].images, read["train"].labels)
    error = 100 * (linear.predict(read["test"].images) != read["test"].labels).mean()
    assert lines()["raw", "linear_probe_error", 3] == pytest.approx(error, abs=2)


def test_the_softmax_error_is_that_of_the_minimum_of_its_definition():
    """The codes are small, so that the penalty matters: scaled, standardised or with an intercept, the error is another."""
    from scipy.optimize import minimize
    from sklearn.datasets import load_digits

    digits = load_digits()
    codes, labels = torch.from_numpy(0.02 / 16 * digits.data), torch.from_numpy(digits.target).long()
    train, test = slice(None, 1200), slice(1200, None)

    def loss(flat):
        weights = torch.tensor(flat.reshape(64, 10), requires_grad=True)
        value = torch.nn.functional.cross_entropy(codes[train] @ weights, labels[train]) + 1e-4 / 2 * weights.square().sum()
        value.backward()
        return value.item(), weights.grad.flatten().numpy()

    solution = minimize(loss, np.zeros(640), jac=True, method="L-BFGS-B", tol=1e-12)
    weights = torch.from_numpy(solution.x.reshape(64, 10))
    by_hand = 100 * (1 - float(((codes[test] @ weights).argmax(1) == labels[test]).double().mean()))
    given = SimpleNamespace(
        codes=codes[test].float(), labels=labels[test], reference_codes=codes[train].float(), reference_labels=labels[train]
    )
    assert measures.softmax_error(given) == pytest.approx(by_hand, abs=0.2)
    other = SimpleNamespace(**vars(given) | {"reference_codes": given.reference_codes * 100, "codes": given.codes * 100})
    assert abs(measures.softmax_error(other) - by_hand) > 1


def write_vae(observation=None, **data):
    model = {"kind": "variational", "latent_dim": 4} | ({"observation": observation} if observation else {})
    write(
        data=PAPER["data"] | data,
        runs={"vae": {"model": model, "measures": ["nll", "active_units"]}},
        rows=[PAPER["rows"][0] | {"run": "vae", "measure": "nll"}],
    )


def test_a_likelihood_is_that_of_the_binary_test_images(small_paper, monkeypatch):
    monkeypatch.setattr(measures, "SAMPLES", 3)
    seen, original = [], measures.own_weights
    monkeypatch.setattr(measures, "own_weights", lambda view, rows, *a: (seen.append(rows), original(view, rows, *a))[1])
    write_vae(binarised="dynamic")
    run("small")
    test = torch.from_numpy(runs.Data.read(papers.find("small"), "data").splits["test"].images)
    assert set(test.unique().tolist()) == {0, 1} and torch.equal(torch.cat(seen), torch.cat([test, test]))


def test_a_likelihood_of_grey_images_is_refused_before_training(small_paper, monkeypatch):
    monkeypatch.setattr(runs, "minimise", None)
    write_vae()
    with pytest.raises(InputError, match=r"conf/papers/small.yaml:data.binarised must be static or dynamic for nll"):
        run("small")


def test_a_gaussian_likelihood_needs_no_binary_images(small_paper):
    write_vae("gaussian")
    paper = papers.find("small")
    checks.check_images(paper, runs.Data.read(paper, "data").splits, "small.yaml:")


def test_a_likelihood_has_as_many_samples_as_in_the_paper():
    assert measures.SAMPLES == 5000, "L_5000 of Burda et al. (2016)"
