"""What is measured for a paper: metrics of the evaluation, with accuracies as errors in %, as papers print them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from aebench.evaluation.metrics import METRICS
from aebench.evaluation.metrics.neighbours import knn_accuracy
from aebench.evaluation.representation import Representation


@dataclass(frozen=True)
class Measure:
    """A number per seed, computed from codes and reconstructions of the test images."""

    measure: Callable[[Representation], float]
    title: str
    unit: str
    decimals: int
    better: Literal["lower", "higher"] | None = "lower"


def knn_error(k: int, r: Representation) -> float:
    """Test error in % of a vote of the k nearest training and validation codes."""
    return 100 - knn_accuracy(r, k)


def linear_probe_error(r: Representation) -> float:
    """Test error in % of multinomial logistic regression on frozen codes, with all training labels."""
    return 100 - METRICS["linear_probe"].measure(r)


MEASURES = {
    "sse": Measure(METRICS["sse"].measure, "SSE", "per image", 3),
    "knn_1_error": Measure(partial(knn_error, 1), "1-NN error", "%", 2),
    "knn_3_error": Measure(partial(knn_error, 3), "3-NN error", "%", 2),
    "knn_5_error": Measure(partial(knn_error, 5), "5-NN error", "%", 2),
    "linear_probe_error": Measure(linear_probe_error, "Linear probe error", "%", 2),
}
