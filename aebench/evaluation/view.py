"""The input of the evaluation: one seed of a trained model and the images on which it is evaluated."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from aebench.evaluation.replicas import in_blocks
from aebench.evaluation.settings import Evaluation
from aebench.randomness import EVALUATION, Use

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from aebench.classifiers.feature_classifier import FeatureClassifier
    from aebench.training.ensemble import Replica


@dataclass(frozen=True, eq=False)
class View:
    """A replica, the test images (n, d) with labels (n,), and the reference images (r, d) with labels (r,).

    The reference consists of the training images followed by `validation_count` validation images. `first` is true for the
    first seed that did not fail, which the figures show; `shape` is the shape of an image. Without a `feature_classifier`,
    generated images are not evaluated. `missing` says what an external model lacks.
    """

    replica: "Replica"
    seed: int
    first: bool
    shape: tuple[int, ...]
    settings: Evaluation
    images: "Tensor"
    labels: "Tensor"
    reference: "Tensor"
    reference_labels: "Tensor"
    validation_count: int
    feature_classifier: "FeatureClassifier | None" = None
    missing: Mapping[str, str] = field(default_factory=dict)

    def encode(self, images: "Tensor") -> "Tensor":
        """Encode images (n, d) as codes (n, k)."""
        return in_blocks(self.replica, "encode", images)

    def decode(self, codes: "Tensor") -> "Tensor":
        """Decode codes (n, k) to images (n, d)."""
        return in_blocks(self.replica, "decode", codes)

    @cached_property
    def codes(self) -> "Tensor":
        """Codes (n, k) of the test images."""
        return self.encode(self.images)

    @cached_property
    def reference_codes(self) -> "Tensor":
        """Codes (r, k) of the reference images."""
        return self.encode(self.reference)

    @cached_property
    def reconstructions(self) -> "Tensor":
        """Reconstructions (n, d) of the test images."""
        return self.decode(self.codes)

    @cached_property
    def measurable(self) -> bool:
        """Whether all codes, and the reconstructions of the test images, are finite and not too large to be squared.

        False if training failed, which makes all weights NaN, or if it diverged; no metrics are computed then. Without a
        decoder only the codes are checked.
        """
        from aebench.models.external.adapter import DECODER
        from aebench.objectives import bounded

        reconstructions = () if DECODER in self.missing else (self.reconstructions,)
        return bounded(self.codes, self.reference_codes, *reconstructions)

    def generator(self, use: Use, device: "torch.device | str" = "cpu") -> "torch.Generator":
        """Return the stream `evaluation` for one use; it is the same for every model and seed."""
        return EVALUATION.torch("evaluation", use, device)


def evenly_spaced(rows: "Tensor", count: int) -> "Tensor":
    """Select `count` evenly spaced rows of (n, ...), or all rows if there are fewer.

    The first rows are not representative of every test set: the first half of MNIST's is easier than the second.
    """
    import torch

    count = min(count, len(rows))
    return rows[torch.arange(count, device=rows.device) * len(rows) // count]
