"""The one place that runs a trained model for evaluation: arrays computed once and shared by all metrics."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Representation:
    """What one seed of one model makes of a data set.

    `images`, `reconstructions` (n, pixels), `codes` (n, k), `labels` (n,) are of the test set. `reference_codes` (m, k) and
    `reference_labels` (m,) are of train and validation together: what a classifier of codes may look up.
    """

    images: "Tensor"
    reconstructions: "Tensor"
    codes: "Tensor"
    labels: "Tensor"
    reference_codes: "Tensor"
    reference_labels: "Tensor"
