"""Time and results of trustworthiness and logistic regression in scikit-learn and in this package, on one thread.

Ratios of scikit-learn's time to ours on an AMD EPYC with 2 cores, scikit-learn 1.9.1: trustworthiness and continuity take 1.2,
1.2 and 1.7 times as long for 360 x 8, 360 x 128 and 2000 x 30 codes; results agree unless distances tie. Logistic regression
with five penalties takes 0.8 to 1.0 times as long on 1257 digits with 8, 64 or 128 units, 1.2 times on 10,000 x 30 codes, and
about twice as long with a tolerance of 1e-6. Accuracies differ by up to two of 540 images, since both solvers stop before the
optimum.
"""

import statistics
import time
import warnings

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import trustworthiness
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from aebench.classifiers.linear_probe import LinearProbeSettings
from aebench.classifiers.logistic import Axes, Problem, predict
from aebench.evaluation.metrics.embedding import faithfulness

NEIGHBOURS, TRAIN, MAX_PAIRS = 12, 1257, 5
PENALTIES = sorted(LinearProbeSettings().penalties, reverse=True)


def main(rounds: int) -> None:
    rng, rounds = np.random.default_rng(0), min(rounds, MAX_PAIRS)
    print(f"scikit-learn / ours, one thread, median of {rounds} pairs")
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for n, k in ((360, 8), (360, 128), (2000, 30)):
            images = rng.normal(size=(n, 64)).astype("f4")
            pair = images, images @ rng.normal(size=(64, k)).astype("f4")
            _compare(f"trustworthiness {n} x {k}", _sklearn_trustworthiness, _our_trustworthiness, pair, rounds)
        images, labels = load_digits(return_X_y=True)
        images = (images / 16).astype("f4")
        codes = {"pixels": images, "PCA-8": PCA(8).fit(images[:TRAIN]).transform(images).astype("f4")}
        codes |= {f"random {k}": np.maximum(0, images @ rng.normal(size=(64, k)).astype("f4")) for k in (8, 128)}
        for name, rows in codes.items():
            _compare(f"logistic, digits, {name}", _sklearn_logistic, _our_logistic, (rows, labels, TRAIN), rounds)
        rows = rng.normal(size=(12_000, 30)).astype("f4")
        labels = (rows @ rng.normal(size=(30, 10)) + 2 * rng.normal(size=(12_000, 10))).argmax(1)
        _compare("logistic, 10000 x 30", _sklearn_logistic, _our_logistic, (rows, labels, 10_000), rounds)


def _compare(name: str, sklearn_function, our_function, arguments: tuple, rounds: int) -> None:
    times = [(_seconds(sklearn_function, arguments), _seconds(our_function, arguments)) for _ in range(rounds)]
    ratio = statistics.median(a / b for a, b in times)
    print(f"  {name:24} {ratio:5.2f}   {sklearn_function(*arguments)} / {our_function(*arguments)}", flush=True)


def _seconds(function, arguments: tuple) -> float:
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def _sklearn_trustworthiness(images: np.ndarray, codes: np.ndarray) -> list[float]:
    pairs = (images, codes), (codes, images)
    return [round(float(trustworthiness(*pair, n_neighbors=NEIGHBOURS)), 6) for pair in pairs]


def _our_trustworthiness(images: np.ndarray, codes: np.ndarray) -> list[float]:
    return [round(value, 6) for value in faithfulness(torch.from_numpy(images), torch.from_numpy(codes), NEIGHBOURS)]


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
