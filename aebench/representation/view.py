"""One seed of a trained model and the images it is shown: what the parts of a representation are made from."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from aebench.randomness import Streams
from aebench.representation.settings import Evaluation

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from aebench.judge import Judge
    from aebench.training.ensemble import Replica

BLOCK = 4096


@dataclass(frozen=True, eq=False)
class View:
    """Test images (n, d) and labels (n,); the reference, train and then `validation` images of validation, and its labels.

    `first` is true of the first seed, the one that pictures are made of; `shape` is an image's. `judge` is the data set's
    classifier, if there is one: what needs it is left out without.
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
    validation: int
    judge: "Judge | None" = None

    def encode(self, images: "Tensor") -> "Tensor":
        """(n, d) -> (n, k), `BLOCK` rows at a time."""
        return in_blocks(self.replica, "encode", images)

    def decode(self, codes: "Tensor") -> "Tensor":
        """(n, k) -> (n, d), `BLOCK` rows at a time."""
        return in_blocks(self.replica, "decode", codes)

    @cached_property
    def codes(self) -> "Tensor":
        """(n, k) of the test images."""
        return self.encode(self.images)

    @cached_property
    def reference_codes(self) -> "Tensor":
        """(r, k) of the reference."""
        return self.encode(self.reference)

    def generator(self, step: int, device: "torch.device | str" = "cpu") -> "torch.Generator":
        """A step of the seed's stream `evaluation`; each part has its own, told in this package's docstring."""
        return Streams(self.seed).torch("evaluation", step, device)


def spread(rows: "Tensor", count: int) -> "Tensor":
    """`count` of the rows (n, ...), evenly spaced, or all: the first of MNIST's test images are by neater writers."""
    import torch

    count = min(count, len(rows))
    return rows[torch.arange(count, device=rows.device) * len(rows) // count]


def in_blocks(replica: "Replica", method: str, rows: "Tensor") -> "Tensor":
    """A method of the model on rows (n, ...), `BLOCK` at a time."""
    import torch

    return torch.cat([replica(method, part) for part in rows.split(BLOCK)])
