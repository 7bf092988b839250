"""How well do error, likelihood and distance in code space detect images of an unseen class? AUROC and average precision.

    AUROC               P(s > t) + P(s = t) / 2,   s: score of a random anomaly, t: score of a random other image
    average precision   sum_i (R_i - R_{i-1}) P_i,   P_i, R_i: precision and recall of the images with the i highest scores

AUROC is 0.5 for a score without information, such as the error of raw pixels, which is 0 for every image, and below 0.5 if
anomalies have the lower scores. The average precision of a score without information is the fraction of anomalies among the
images, so it can only be compared at the same fraction. Both are computed by scikit-learn. They are measured by studies of the
kind `anomalies` (`aebench.studies.anomalies`), since models must be trained without the class.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from aebench.evaluation.arrays.anomalies import AnomalyScores

SCORES = {"error": "squared error", "likelihood": "likelihood", "distance": "distance in code space"}
"""The fields of `AnomalyScores`, and how they are printed."""


def auroc(anomalies: np.ndarray, others: np.ndarray) -> float:
    """Return the area under the ROC curve for the scores of anomalies (m,) and of other images (n,), in [0, 1]."""
    from sklearn.metrics import roc_auc_score

    return _measure(roc_auc_score, anomalies, others)


def average_precision(anomalies: np.ndarray, others: np.ndarray) -> float:
    """Return the average precision for the scores of anomalies (m,) and of other images (n,), in (0, 1]."""
    from sklearn.metrics import average_precision_score

    return _measure(average_precision_score, anomalies, others)


def _measure(function: Callable[[np.ndarray, np.ndarray], float], anomalies: np.ndarray, others: np.ndarray) -> float:
    scores = np.concatenate([anomalies, others])
    if not (len(anomalies) and len(others) and np.isfinite(scores).all()):
        return math.nan
    return float(function(np.arange(len(scores)) < len(anomalies), scores))


@dataclass(frozen=True)
class Detection:
    """A measure of how well a score tells anomalies from other images; higher is better, and 1 is perfect."""

    measure: Callable[[np.ndarray, np.ndarray], float]
    title: str


DETECTION = {"auroc": Detection(auroc, "AUROC"), "average_precision": Detection(average_precision, "Average precision")}


def detection(anomalies: "AnomalyScores", others: "AnomalyScores") -> dict[str, float]:
    """Compute `<score>/<measure>` for each score and measure; NaN for a score that the model lacks."""
    pairs = {score: [getattr(each, score).cpu().numpy() for each in (anomalies, others)] for score in SCORES}
    return {f"{score}/{name}": each.measure(*pairs[score]) for score in SCORES for name, each in DETECTION.items()}


UNDEFINED = {f"{score}/{name}": math.nan for score in SCORES for name in DETECTION}
"""The quantities of a seed that failed."""
