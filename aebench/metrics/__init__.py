"""The table of contents of the metrics: one function and one line here, and a metric is in every table.

A metric takes a `Representation` (arrays of the test set, never a model) and returns a number. Its line says where better
lies, in which unit, what a perfect representation scores and what it means; the reports print these. Some numbers describe a
representation and do not judge it: they have neither.
"""

from collections import ChainMap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from aebench.metrics.contraction import jacobian
from aebench.metrics.neighbours import knn_1, knn_5
from aebench.metrics.reconstruction import mse, psnr, sse
from aebench.metrics.robustness import sse_corrupted
from aebench.metrics.sparsity import activation
from aebench.registry import Registry
from aebench.representation import Representation


@dataclass(frozen=True)
class Metric:
    """One number a seed; `decimals` is how many the tables print, `printed` whether others than table.csv have it."""

    measure: Callable[[Representation], float]
    title: str
    better: Literal["lower", "higher"] | None
    unit: str
    perfect: float | None
    decimals: int
    meaning: str
    printed: bool = True


METRICS = {
    "sse": Metric(
        sse, "SSE", "lower", "per image", 0.0, 3, "Squared error summed over the pixels of an image, pixels in [0, 1]."
    ),
    "sse_corrupted": Metric(
        sse_corrupted, "SSE corrupted", "lower", "per image", 0.0, 3, "The same, of reconstructions from corrupted images."
    ),
    "mse": Metric(mse, "MSE", "lower", "per pixel", 0.0, 5, "SSE / pixels: comparable between image sizes.", printed=False),
    "psnr": Metric(
        psnr, "PSNR", "higher", "dB", float("inf"), 2, "-10 log10(SSE / pixels), of the mean error: peak 1 against error."
    ),
    "knn_1": Metric(
        knn_1, "1-NN", "higher", "%", 100.0, 2, "Test images whose nearest train or validation code has their class."
    ),
    "knn_5": Metric(knn_5, "5-NN", "higher", "%", 100.0, 2, "The same by vote of the five nearest codes."),
    "activation": Metric(
        activation, "Activation", None, "per unit", None, 3, "Mean of the code's numbers over test images; low: sparse."
    ),
    "jacobian": Metric(
        jacobian, "Jacobian", None, "norm", None, 3, "How far a code moves with its image: ‖∂code/∂image‖; low: contractive."
    ),
}


class _BuiltInFirst(ChainMap[str, Metric]):
    """Looked up and told in the order of its parts; another package's metrics are imported when they are asked for."""

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name for part in self.maps for name in part))


PLUGGED = Registry("aebench.metrics", {})
METRICS = _BuiltInFirst(METRICS, PLUGGED)
"""Another package adds a `Metric` through the entry point group `aebench.metrics`; a built-in name wins."""
