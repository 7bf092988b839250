"""The one place that runs a trained model for evaluation: arrays computed once and shared by all metrics.

jacobian.py    how far a code moves with its image
pictures.py    what the figures show of the first seed

Randomness is of each seed's stream `evaluation`: step 0 corrupts the test images, step 1 draws the codes of the samples,
step 2 those whose quantiles span a manifold.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt

from aebench.params import Schema
from aebench.randomness import Streams
from aebench.runs import Split, Trained

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from aebench.training.ensemble import Ensemble, Replica

BLOCK = 4096


class Evaluation(Schema):
    """How trained models are measured and pictured."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: PositiveInt = 1
    noise: Literal["masking", "subset_masking", "dropout", "gaussian", "salt_and_pepper"] = "masking"
    """How test images are corrupted, of `aebench.corruptions`."""
    corruption: float = Field(0.2, ge=0, lt=1)
    """A share of the pixels; a standard deviation for gaussian. Less than 1, which would leave nothing of an image."""
    jacobian_images: PositiveInt = 200
    """Test images whose encoder Jacobians are taken: a backward pass for every unit of the code."""
    images: PositiveInt = 10
    """Test images shown in the reconstruction figure."""
    scatter_per_class: PositiveInt = 500
    """Test images a class in the scatter of 2-D codes (the lecture's Fig. 3 shows 500)."""


@dataclass(frozen=True, eq=False)
class Representation:
    """What one seed of one model makes of a data set; equal only to itself.

    `images`, `reconstructions` (n, pixels), `codes` (n, k), `labels` (n,) are of the test set. `corrupted_reconstructions`
    (n, pixels) are made from corrupted images, the same for every model with that seed. `jacobian_norms` (m,) is ‖∂h/∂x‖_F
    at the first m test images. `reference_codes` (r, k) and `reference_labels` (r,) are of train and validation together:
    what a classifier of codes may look up.
    """

    images: "Tensor"
    reconstructions: "Tensor"
    corrupted_reconstructions: "Tensor"
    codes: "Tensor"
    jacobian_norms: "Tensor"
    labels: "Tensor"
    reference_codes: "Tensor"
    reference_labels: "Tensor"


def represent(
    trained: Trained, reference: Split, test: Split, settings: Evaluation, device: "torch.device"
) -> Iterator[Representation]:
    """One representation a seed, in the order of `trained.seeds`; `reference` is train and validation together."""
    import torch

    from aebench.representation.jacobian import norms

    images, labels, past, past_labels = (
        torch.from_numpy(a).to(device) for a in (test.images, test.labels, reference.images, reference.labels)
    )
    for seed, replica in zip(trained.seeds, revive(trained, device).replicas(), strict=True):
        codes = in_blocks(replica, "encode", images)
        yield Representation(
            images=images,
            reconstructions=in_blocks(replica, "decode", codes),
            corrupted_reconstructions=in_blocks(
                replica, "decode", in_blocks(replica, "encode", corrupted(images, settings, seed))
            ),
            codes=codes,
            jacobian_norms=norms(replica.function("encode"), images[: settings.jacobian_images]),
            labels=labels,
            reference_codes=in_blocks(replica, "encode", past),
            reference_labels=past_labels,
        )


def revive(trained: Trained, device: "torch.device") -> "Ensemble":
    """The trained replicas of every seed."""
    from aebench.models import build
    from aebench.training.ensemble import Ensemble

    ensemble = Ensemble(lambda: build(trained.block, prod(trained.shape)), trained.seeds[:1], device)
    ensemble.become(trained.seeds, trained.state)
    return ensemble


def in_blocks(replica: "Replica", method: str, rows: "Tensor") -> "Tensor":
    """A method of the model on rows (n, ...), `BLOCK` at a time."""
    import torch

    return torch.cat([replica(method, part) for part in rows.split(BLOCK)])


def corrupted(images: "Tensor", settings: Evaluation, seed: int) -> "Tensor":
    """x̃ of images (n, d); drawn on the CPU, so that every machine sees the same."""
    from aebench.corruptions import CORRUPTIONS, corrupt

    keep, add = CORRUPTIONS[settings.noise](*images.shape, settings.corruption, Streams(seed).torch("evaluation"))
    return corrupt(images, (keep.to(images.device), add.to(images.device)))
