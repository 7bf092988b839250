"""The one place that runs a trained model for evaluation: arrays computed once and shared by all metrics.

settings.py    what conf/<dataset>.yaml:evaluation may say
view.py        a seed's model and the images it is shown: what the parts below are made from
jacobian.py    how far a code moves with its image
search.py      which codes are nearest to a code
hits.py        what a search for similar codes finds
pictures.py    what the figures show of the first seed

Randomness is of each seed's stream `evaluation`: step 0 corrupts the test images, step 1 draws the codes of the samples,
step 2 those whose quantiles span a manifold.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from aebench.representation.settings import Evaluation
from aebench.representation.view import View
from aebench.runs import Split, Trained

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from aebench.representation.hits import Hits
    from aebench.training.ensemble import Ensemble

__all__ = ["Evaluation", "Representation", "View", "corrupted", "represent", "revive"]


@dataclass(frozen=True, eq=False)
class Representation:
    """What one seed of one model makes of a data set; equal only to itself.

    `images`, `reconstructions` (n, pixels), `codes` (n, k), `labels` (n,) are of the test set; an image is of `shape`.
    `corrupted_reconstructions` (n, pixels) are made from corrupted images, the same for every model with that seed.
    `jacobian_norms` (m,) is ‖∂h/∂x‖_F at the first m test images. `reference_codes` (r, k) and `reference_labels` (r,) are
    of train and then validation, whose rows are the last `validation`: what a classifier of codes may look up.
    `hits` are of the first seed, if its codes differ.
    """

    shape: tuple[int, ...]
    images: "Tensor"
    labels: "Tensor"
    codes: "Tensor"
    reconstructions: "Tensor"
    reference_codes: "Tensor"
    reference_labels: "Tensor"
    validation: int
    corrupted_reconstructions: "Tensor"
    jacobian_norms: "Tensor"
    hits: "Hits | None" = None


def represent(
    trained: Trained, reference: tuple[Split, Split], test: Split, settings: Evaluation, device: "torch.device"
) -> Iterator[Representation]:
    """One representation a seed, in the order of `trained.seeds`; `reference` is train and validation."""
    for view in views(trained, reference, test, settings, device):
        yield representation(view)


def views(
    trained: Trained, reference: tuple[Split, Split], test: Split, settings: Evaluation, device: "torch.device"
) -> Iterator[View]:
    """One view a seed, in the order of `trained.seeds`; `reference` is train and validation."""
    import torch

    past, labels = (torch.cat([torch.from_numpy(getattr(s, part)) for s in reference]) for part in ("images", "labels"))
    for i, replica in enumerate(revive(trained, device).replicas()):
        yield View(
            replica=replica,
            seed=trained.seeds[i],
            first=i == 0,
            shape=tuple(trained.shape),
            settings=settings,
            images=torch.from_numpy(test.images).to(device),
            labels=torch.from_numpy(test.labels).to(device),
            reference=past.to(device),
            reference_labels=labels.to(device),
            validation=len(reference[1].labels),
        )


def representation(view: View) -> Representation:
    """Everything that metrics may ask of a seed."""
    from aebench.representation.hits import hits
    from aebench.representation.jacobian import norms

    return Representation(
        shape=view.shape,
        images=view.images,
        labels=view.labels,
        codes=view.codes,
        reconstructions=view.decode(view.codes),
        reference_codes=view.reference_codes,
        reference_labels=view.reference_labels,
        validation=view.validation,
        corrupted_reconstructions=view.decode(view.encode(corrupted(view.images, view.settings, view.seed))),
        jacobian_norms=norms(view.replica.function("encode"), view.images[: view.settings.jacobian_images]),
        hits=hits(view),
    )


def revive(trained: Trained, device: "torch.device") -> "Ensemble":
    """The trained replicas of every seed."""
    from aebench.models import build
    from aebench.training.ensemble import Ensemble

    ensemble = Ensemble(lambda: build(trained.block, prod(trained.shape)), trained.seeds[:1], device)
    ensemble.become(trained.seeds, trained.state)
    return ensemble


def corrupted(images: "Tensor", settings: Evaluation, seed: int) -> "Tensor":
    """x̃ of images (n, d); drawn on the CPU, so that every machine sees the same."""
    from aebench.corruptions import CORRUPTIONS, corrupt
    from aebench.randomness import Streams

    keep, add = CORRUPTIONS[settings.noise](*images.shape, settings.corruption, Streams(seed).torch("evaluation"))
    return corrupt(images, (keep.to(images.device), add.to(images.device)))
