"""Time and results of trustworthiness, t-SNE and logistic regression in scikit-learn and in this package, on one thread.

Trustworthiness and continuity agree unless distances tie. Accuracies of logistic regression differ by up to two of 540 images,
since both solvers stop before the optimum.
"""

import warnings
from functools import partial

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import TSNE, trustworthiness
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from aebench.classifiers.linear_probe import LinearProbeSettings
from aebench.classifiers.logistic import Axes, Problem, predict
from aebench.evaluation.arrays.embedding import tsne
from aebench.evaluation.metrics.embedding import faithfulness
from aebench.evaluation.settings import Embedding
from benchmarks.report import Report, alternate, ratio

NEIGHBOURS, TRAIN, MAX_ROUNDS = 12, 1257, 5
PENALTIES = sorted(LinearProbeSettings().penalties, reverse=True)


def main(report: Report, rounds: int) -> None:
    rng, rows_of_table = np.random.default_rng(0), []

    def compare(name: str, theirs, ours, arguments: tuple) -> None:
        seconds = alternate({"theirs": partial(theirs, *arguments), "ours": partial(ours, *arguments)}, min(rounds, MAX_ROUNDS))
        rows_of_table.append([name, ratio(seconds["theirs"], seconds["ours"]), theirs(*arguments), ours(*arguments)])

    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for n, k in ((360, 8), (360, 128), (2000, 30)):
            images = rng.normal(size=(n, 64)).astype("f4")
            pair = images, images @ rng.normal(size=(64, k)).astype("f4")
            compare(f"trustworthiness {n} x {k}", _sklearn_trustworthiness, _our_trustworthiness, pair)
        images, labels = load_digits(return_X_y=True)
        images = (images / 16).astype("f4")
        codes = {"pixels": images, "PCA-8": PCA(8).fit(images[:TRAIN]).transform(images).astype("f4")}
        codes |= {f"random {k}": np.maximum(0, images @ rng.normal(size=(64, k)).astype("f4")) for k in (8, 128)}
        compare("t-SNE, 1797 digits", _sklearn_tsne, _our_tsne, (images,))
        for name, rows in codes.items():
            compare(f"logistic, digits, {name}", _sklearn_logistic, _our_logistic, (rows, labels, TRAIN))
        rows = rng.normal(size=(12_000, 30)).astype("f4")
        labels = (rows @ rng.normal(size=(30, 10)) + 2 * rng.normal(size=(12_000, 10))).argmax(1)
        compare("logistic, 10000 x 30", _sklearn_logistic, _our_logistic, (rows, labels, 10_000))
    note = (
        "One thread. Results: trustworthiness and continuity (of the map, for t-SNE with 750 iterations), or the number of "
        "correct test images for each penalty."
    )
    report.table("scikit-learn relative to aebench", note, ["function", "ratio", "scikit-learn", "aebench"], rows_of_table)


def _sklearn_trustworthiness(images: np.ndarray, codes: np.ndarray) -> list[float]:
    pairs = (images, codes), (codes, images)
    return [round(float(trustworthiness(*pair, n_neighbors=NEIGHBOURS)), 6) for pair in pairs]


def _our_trustworthiness(images: np.ndarray, codes: np.ndarray) -> list[float]:
    return [round(value, 6) for value in faithfulness(torch.from_numpy(images), torch.from_numpy(codes), NEIGHBOURS)]


def _sklearn_tsne(images: np.ndarray) -> list[float]:
    points = TSNE(max_iter=750, random_state=0, n_jobs=1).fit_transform(images)
    return _our_trustworthiness(images, points)


def _our_tsne(images: np.ndarray) -> list[float]:
    points = tsne(torch.from_numpy(images), Embedding(), torch.Generator().manual_seed(0))
    return _our_trustworthiness(images, points.numpy())


def _sklearn_logistic(rows: np.ndarray, labels: np.ndarray, n: int) -> list[int]:
    """Number of test images classified correctly, for each penalty."""
    scaler, model, correct = StandardScaler().fit(rows[:n]), LogisticRegression(max_iter=5000, warm_start=True), []
    train, test = scaler.transform(rows[:n]), scaler.transform(rows[n:])
    for penalty in PENALTIES:
        model.set_params(C=1 / (penalty * n)).fit(train, labels[:n])
        correct.append(int((model.predict(test) == labels[n:]).sum()))
    return correct


def _our_logistic(rows: np.ndarray, labels: np.ndarray, n: int) -> list[int]:
    """Number of test images classified correctly, for each penalty."""
    codes, classes = torch.from_numpy(rows), torch.from_numpy(labels)
    axes = Axes.of(codes[:n])
    weights = Problem.of(axes(codes[:n]), classes[:n], torch.full((1, n), 1 / n), axes, 10).path(PENALTIES)
    return (predict(weights[:, 0], axes(codes[n:])) == classes[n:]).sum(1).tolist()
