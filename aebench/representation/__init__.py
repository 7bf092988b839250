"""The one place that runs a trained model for evaluation: arrays computed once and shared by all metrics.

settings.py    what conf/<dataset>.yaml:evaluation may say
view.py        a seed's model and the images it is shown: what the parts below are made from
density.py     how probable an unseen image is, by the model's own likelihood and by one it is lent (lent.py)
generation.py  what the decoder makes of codes that no image had
sampled.py     what a sample of q(z|x) decodes to
strange.py     what becomes of noise and of images whose pixels were permuted
quantised.py   what of an image survives when its code is quantised, and at how many bits
embedding.py   whether neighbours stay neighbours, and a map of the codes
jacobian.py    how far a code moves with its image, and in how many directions
degraded.py    what becomes of degraded images
search.py      which codes are nearest to a code
hits.py        what a search for similar codes finds
pictures.py    what the figures show of the first seed
portrait.py    what its first units look for, and where its posterior puts images
speed.py       how many images a second go through a replica

Randomness is of each seed's stream `evaluation`, by steps: 0 corrupts the test images; 1 draws the codes of the samples;
2 those whose quantiles span a manifold; 3 those of the sampled reconstructions; 4 a permutation of the pixels and then images
of noise; 5 images of noise off the data; 6 the codes that are judged as generated images; 7 the codes and noise of densities;
8 shakes the start of a map.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from aebench.representation.settings import Evaluation, evaluation
from aebench.representation.view import View
from aebench.runs import SPLITS, Split, Trained, load_split

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from torch import Tensor

    from aebench.judge import Judge
    from aebench.representation.degraded import Degraded
    from aebench.representation.density import Density
    from aebench.representation.embedding import Embedded
    from aebench.representation.generation import Generated
    from aebench.representation.hits import Hits
    from aebench.representation.jacobian import Contraction
    from aebench.representation.quantised import Quantised
    from aebench.representation.strange import Strange
    from aebench.training.ensemble import Ensemble

__all__ = [
    "Evaluation",
    "Representation",
    "View",
    "corrupted",
    "evaluation",
    "place",
    "represent",
    "revive",
    "view_of",
    "views",
]


@dataclass(frozen=True, eq=False)
class Representation:
    """What one seed of one model makes of a data set; equal only to itself.

    `images`, `reconstructions` (n, pixels), `codes` (n, k), `labels` (n,) are of the test set; an image is of `shape`.
    `reference_codes` (r, k) and `reference_labels` (r,) are of train and then validation, whose rows are the last
    `validation`: what a classifier of codes may look up. `corrupted_reconstructions` (n, pixels) are made from corrupted
    images, the same for every model with that seed; `sampled_reconstructions` (n, pixels) of one sample each of q(z|x), None
    where a code is a point. The other parts are told in their files; `generated` is None without a judge of images.
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
    generated: "Generated | None" = None
    sampled_reconstructions: "Tensor | None" = None
    strange: "Strange | None" = None
    quantised: "Quantised | None" = None
    embedding: "Embedded | None" = None
    density: "Density | None" = None
    contraction: "Contraction | None" = None
    degraded: "Degraded | None" = None
    hits: "Hits | None" = None


def views(
    trained: Trained,
    reference: tuple[Split, Split],
    test: Split,
    settings: Evaluation,
    device: "torch.device",
    judge: "Judge | None" = None,
    positions: Sequence[int] | None = None,
) -> Iterator[View]:
    """One view a seed, at all positions of `trained.seeds` or at these; `reference` is train and validation."""
    import torch

    past, labels = (torch.cat([torch.from_numpy(getattr(s, part)) for s in reference]) for part in ("images", "labels"))
    replicas = list(revive(trained, device).replicas())
    for i in range(len(replicas)) if positions is None else positions:
        yield View(
            replica=replicas[i],
            seed=trained.seeds[i],
            first=i == 0,
            shape=tuple(trained.shape),
            settings=settings,
            images=torch.from_numpy(test.images).to(device),
            labels=torch.from_numpy(test.labels).to(device),
            reference=past.to(device),
            reference_labels=labels.to(device),
            validation=len(reference[1].labels),
            judge=judge,
        )


def view_of(dataset: str, trained: Trained, position: int, judge_file: "Path | None" = None) -> View:
    """The view of the seed at a position, on the device and by the threads of conf/<dataset>.yaml:evaluation."""
    from aebench import judge

    settings = evaluation(dataset)
    device = place(settings)
    train, validation, test = (load_split(dataset, name) for name in SPLITS)
    critic = judge.load(judge_file, device) if judge_file else None
    (view,) = views(trained, (train, validation), test, settings, device, critic, [position])
    return view


def place(settings: Evaluation) -> "torch.device":
    """The device. The threads are for all libraries, not for torch alone: more than there are cores wait for each other."""
    from importlib import import_module

    from threadpoolctl import threadpool_limits

    from aebench import training

    for library in ("openTSNE", "scipy.optimize", "sklearn.cluster"):  # a limit holds for what is there
        import_module(library)
    threadpool_limits(settings.threads)
    return training.place(settings.device, settings.threads)


def represent(view: View) -> Representation:
    """Everything that metrics may ask of a seed."""
    from aebench.representation.degraded import degraded
    from aebench.representation.density import density
    from aebench.representation.embedding import embedded
    from aebench.representation.generation import generated
    from aebench.representation.hits import hits
    from aebench.representation.jacobian import contraction
    from aebench.representation.quantised import quantised
    from aebench.representation.sampled import sampled_reconstructions
    from aebench.representation.strange import strange

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
        generated=generated(view),
        sampled_reconstructions=sampled_reconstructions(view),
        strange=strange(view),
        quantised=quantised(view),
        embedding=embedded(view),
        density=density(view),
        contraction=contraction(view),
        degraded=degraded(view),
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
