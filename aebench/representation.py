"""The one place that runs a trained model for evaluation: arrays computed once and shared by all metrics."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import PositiveInt

from aebench.params import Schema
from aebench.runs import Split, Trained

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import Tensor

BLOCK = 4096


class Evaluation(Schema):
    """How trained models are measured and pictured."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: PositiveInt = 1
    images: PositiveInt = 10
    """Test images shown in the reconstruction figure."""
    scatter_per_class: PositiveInt = 500
    """Test images a class in the scatter of 2-D codes (the lecture's Fig. 3 shows 500)."""


@dataclass(frozen=True, eq=False)
class Representation:
    """What one seed of one model makes of a data set; equal only to itself.

    `images`, `reconstructions` (n, pixels), `codes` (n, k), `labels` (n,) are of the test set. `reference_codes` (m, k) and
    `reference_labels` (m,) are of train and validation together: what a classifier of codes may look up.
    """

    images: "Tensor"
    reconstructions: "Tensor"
    codes: "Tensor"
    labels: "Tensor"
    reference_codes: "Tensor"
    reference_labels: "Tensor"


def represent(trained: Trained, reference: Split, test: Split, device: "torch.device") -> Iterator[Representation]:
    """One representation a seed, in the order of `trained.seeds`; `reference` is train and validation together."""
    import torch

    from aebench.models import build
    from aebench.training.ensemble import Ensemble

    ensemble = Ensemble(lambda: build(trained.block, test.images.shape[1]), trained.seeds[:1], device)
    ensemble.become(trained.seeds, trained.state)
    images, labels, past, past_labels = (
        torch.from_numpy(a).to(device) for a in (test.images, test.labels, reference.images, reference.labels)
    )
    for replica in ensemble.replicas():
        codes, past_codes = (torch.cat([replica("encode", part) for part in x.split(BLOCK)]) for x in (images, past))
        reconstructions = torch.cat([replica("decode", part) for part in codes.split(BLOCK)])
        yield Representation(images, reconstructions, codes, labels, past_codes, past_labels)


def pictures(r: Representation, count: int, per_class: int) -> dict[str, "np.ndarray"]:
    """What the figures show, of the first seed.

    `images` and `reconstructions` (count, pixels): the first test image of each class, then the second, and so on. Where
    the code has two numbers, `scatter` (p, 2) and `scatter_labels` (p,): the first `per_class` test images of each class.
    """
    member = r.labels[:, None] == r.labels.unique()
    rank = (member.cumsum(0) * member).sum(1)
    shown = (rank * member.shape[1] + member.int().argmax(1)).argsort()[:count]
    arrays = {"images": r.images[shown], "reconstructions": r.reconstructions[shown]}
    if r.codes.shape[1] == 2:
        arrays |= {"scatter": r.codes[rank <= per_class], "scatter_labels": r.labels[rank <= per_class]}
    return {name: value.cpu().numpy() for name, value in arrays.items()}
