"""The table of contents of the metrics: one function and one line here, and a metric is in every table.

A metric takes a `Representation` (arrays of the test set, never a model) and returns a number. Its line says where better
lies, in which unit, what a perfect representation scores and what it means; the reports print these.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from aebench.metrics.neighbours import knn_1, knn_5
from aebench.metrics.reconstruction import mse, psnr, sse
from aebench.representation import Representation


@dataclass(frozen=True)
class Metric:
    """One number a seed; `decimals` is how many the tables print."""

    measure: Callable[[Representation], float]
    title: str
    better: Literal["lower", "higher"]
    unit: str
    perfect: float
    decimals: int
    meaning: str


METRICS = {
    "sse": Metric(
        sse, "SSE", "lower", "per image", 0.0, 3, "Squared error summed over the pixels of an image, pixels in [0, 1]."
    ),
    "mse": Metric(
        mse, "MSE", "lower", "per pixel", 0.0, 5, "Squared error of a pixel in [0, 1], averaged over pixels and images."
    ),
    "psnr": Metric(
        psnr, "PSNR", "higher", "dB", float("inf"), 2, "-10 log10(MSE), of the mean over images: peak 1 against error."
    ),
    "knn_1": Metric(
        knn_1, "1-NN", "higher", "%", 100.0, 2, "Test images whose nearest train or validation code has their class."
    ),
    "knn_5": Metric(knn_5, "5-NN", "higher", "%", 100.0, 2, "The same by vote of the five nearest codes."),
}
