"""All arrays of one seed of one model on a data set, computed once and shared by all metrics.

Random numbers are the same for all models and seeds (`aebench.randomness.EVALUATION`): those of the stream `evaluation`, one
step for each `Use`, and of one stream for each corruption in arrays/robustness.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from aebench.evaluation.replicas import configure_compute, first_trained, load_ensemble
from aebench.evaluation.settings import Evaluation, compute, evaluation
from aebench.evaluation.view import View, evenly_spaced
from aebench.storage import SPLITS, Split, Trained, load_split

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from aebench.classifiers.feature_classifier import FeatureClassifier
    from aebench.evaluation.arrays.compression import Quantised
    from aebench.evaluation.arrays.contraction import Jacobians
    from aebench.evaluation.arrays.density import Densities
    from aebench.evaluation.arrays.embedding import Embedded
    from aebench.evaluation.arrays.generation import Generated
    from aebench.evaluation.arrays.out_of_distribution import OutOfDistribution
    from aebench.evaluation.arrays.retrieval import Retrieved
    from aebench.evaluation.arrays.robustness import Corrupted


@dataclass(frozen=True, eq=False)
class Representation:
    """`images`, `reconstructions` (n, d), `codes` (n, k) and `labels` (n,) of the test set; `shape` is the shape of an image.
    `reference_codes` (r, k) and `reference_labels` (r,), which a classifier may look up, belong to the training images followed
    by `validation_count` validation images. `corrupted_reconstructions` (n, d) are reconstructed from corrupted test images.
    `sampled_reconstructions` (n, d) are decoded from one sample of each q(z|x), or None for a model without a posterior.
    `training_images` and `training_reconstructions` (m, d) are evenly spaced training images, at most as many as test images,
    and their reconstructions. The other arrays are described in the files of the same names in `aebench.evaluation.arrays`. Two
    representations are equal only if they are the same object.
    """

    shape: tuple[int, ...]
    images: "Tensor"
    labels: "Tensor"
    codes: "Tensor"
    reconstructions: "Tensor"
    reference_codes: "Tensor"
    reference_labels: "Tensor"
    validation_count: int
    corrupted_reconstructions: "Tensor"
    seed: int = 0
    sampled_reconstructions: "Tensor | None" = None
    training_images: "Tensor | None" = None
    training_reconstructions: "Tensor | None" = None
    robustness: "Corrupted | None" = None
    out_of_distribution: "OutOfDistribution | None" = None
    compression: "Quantised | None" = None
    retrieval: "Retrieved | None" = None
    embedding: "Embedded | None" = None
    contraction: "Jacobians | None" = None
    generation: "Generated | None" = None
    density: "Densities | None" = None


def views(
    trained: Trained,
    reference: tuple[Split, Split],
    test: Split,
    settings: Evaluation,
    device: "torch.device",
    feature_classifier: "FeatureClassifier | None" = None,
    indices: Sequence[int] | None = None,
) -> Iterator[View]:
    """Yield the views of the seeds at the indices `indices` of `trained.seeds`, or of all seeds.

    `reference` consists of the training and the validation images.
    """
    import torch

    images, labels = (torch.cat([torch.from_numpy(getattr(s, part)) for s in reference]) for part in ("images", "labels"))
    ensemble, first = load_ensemble(trained, device), first_trained(trained)
    replicas, missing = list(ensemble.replicas()), ensemble.model.missing
    for i in range(len(replicas)) if indices is None else indices:
        yield View(
            replica=replicas[i],
            seed=trained.seeds[i],
            first=i == first,
            shape=tuple(trained.shape),
            settings=settings,
            images=torch.from_numpy(test.images).to(device),
            labels=torch.from_numpy(test.labels).to(device),
            reference=images.to(device),
            reference_labels=labels.to(device),
            validation_count=len(reference[1].labels),
            feature_classifier=feature_classifier,
            missing=missing,
        )


def view_of(dataset: str, trained: Trained, index: int) -> View:
    """Return the view of the seed at `index` of `trained.seeds`, on the device that the data set is evaluated on."""
    from aebench.classifiers import feature_classifier

    device = configure_compute(compute(dataset))
    train, validation, test = (load_split(dataset, name) for name in SPLITS)
    classifier = feature_classifier.load(feature_classifier.file(dataset), device)
    (view,) = views(trained, (train, validation), test, evaluation(dataset), device, classifier, [index])
    return view


def represent(view: View) -> Representation:
    """Compute all arrays of one seed."""
    from aebench.evaluation.arrays.compression import compression
    from aebench.evaluation.arrays.contraction import contraction
    from aebench.evaluation.arrays.density import density
    from aebench.evaluation.arrays.embedding import embedding
    from aebench.evaluation.arrays.generation import generation
    from aebench.evaluation.arrays.out_of_distribution import out_of_distribution
    from aebench.evaluation.arrays.reconstruction import sampled_reconstructions
    from aebench.evaluation.arrays.retrieval import retrieval
    from aebench.evaluation.arrays.robustness import robustness

    return replace(
        represent_codes(view),
        sampled_reconstructions=sampled_reconstructions(view),
        robustness=robustness(view),
        out_of_distribution=out_of_distribution(view),
        compression=compression(view),
        retrieval=retrieval(view),
        embedding=embedding(view),
        contraction=contraction(view),
        generation=generation(view),
        density=density(view),
    )


def represent_codes(view: View) -> Representation:
    """Compute the codes and reconstructions of one seed, and no arrays of `aebench.evaluation.arrays`."""
    from aebench.evaluation.arrays.robustness import corrupted

    training = evenly_spaced(view.reference[: -view.validation_count], len(view.images))
    return Representation(
        shape=view.shape,
        images=view.images,
        labels=view.labels,
        codes=view.codes,
        reconstructions=view.reconstructions,
        reference_codes=view.reference_codes,
        reference_labels=view.reference_labels,
        validation_count=view.validation_count,
        corrupted_reconstructions=view.decode(view.encode(corrupted(view.images, view.settings.robustness))),
        seed=view.seed,
        training_images=training,
        training_reconstructions=view.decode(view.encode(training)),
    )
