"""A sweep: models trained with several values of one setting, or with several numbers of training images.

With n of N training images, an epoch has fewer batches. The number of epochs grows accordingly, so that the number of updates
stays the same, up to rounding to whole epochs. The n images are a random subset for each seed, stratified by class. Probes are
fitted to them. All validation images are still used, for early stopping and to choose the penalty of the probe with all labels.
"""

import math
from collections.abc import Sequence

import torch

from aebench import config, models, storage
from aebench.data.splits import stratified_subset
from aebench.errors import InputError
from aebench.evaluation.metrics import METRICS, PROFILES
from aebench.evaluation.replicas import configure_compute
from aebench.evaluation.representation import Representation, represent_codes, views
from aebench.evaluation.settings import compute, evaluation
from aebench.storage import Split, Trained
from aebench.studies.point import Point
from aebench.studies.settings import TRAINING_IMAGES, Sweep
from aebench.training.ensemble import Ensemble
from aebench.training.run import TRAINING_SPLITS, TrainingRun


def compute_points(study: Sweep, dataset: str, name: str, task: str) -> list[Point]:
    """Train one model with one value, for all seeds of the suite, and measure it; `name` is the name of the study."""
    model, value = next((m, v) for v in study.values for m in study.models if f"{m}={v:g}" == task)
    path = f"{config.conf_file(dataset)}:studies.{name}.models.{model}"
    run = TrainingRun(dataset, f"{name}-{task}", study.settings_at(model, value), path)
    ensemble, images, changes, subsets = run.ensemble(), run.images, None, None
    if study.vary == TRAINING_IMAGES:
        subsets = _subsets(run, int(value))
        images = _of_each_seed(images, subsets)
        epochs = {"epochs": _epochs(run, int(value)), "patience": None}
        changes = run.settings.get("training", {}) | epochs
    if not study.early_stopping:
        images = images._replace(validation=images.validation[:0])
    run.minimise(ensemble, images, changes, [run.settings, value, study.early_stopping])
    return [Point(model, value, _measure(study, run, ensemble, subsets))]


def _subsets(run: TrainingRun, count: int) -> list[Sequence[int]]:
    """Return the indices of the training images for each seed."""
    labels = storage.load_split(run.dataset, "train").labels
    classes = run.classes
    if not (classes <= count <= len(labels) - classes or count == len(labels)):
        constraint = f"{classes} to {len(labels) - classes}, which include every class, or all {len(labels)}"
        raise InputError(f"{run.path}: training_images must be {constraint}, got {count}")
    if count == len(labels):
        return [range(count)] * len(run.seeds)
    return [stratified_subset(labels, count / len(labels), seed) for seed in run.seeds]


def _of_each_seed(images: models.Images, subsets: list[Sequence[int]]) -> models.Images:
    """Return the training images (S, n, d) at the indices of each seed; all seeds have the same validation images."""
    train, probabilities = (
        None if rows is None else torch.stack([rows[indices] for indices in subsets])
        for rows in (images.train, images.probabilities)
    )
    return models.Images(train, images.validation, probabilities)


def _epochs(run: TrainingRun, images: int) -> int:
    """Return the number of epochs of `images` images with as many updates as with all training images."""
    training = run.training
    return max(1, round(training.epochs * training.batches(len(run.images.train)) / training.batches(images)))


def _measure(study: Sweep, run: TrainingRun, ensemble: Ensemble, subsets: list[Sequence[int]] | None) -> dict[str, list[float]]:
    """Return quantity -> one value per seed, on test images; NaN for a seed that failed."""
    dataset, device = run.dataset, configure_compute(compute(run.dataset))
    trained = Trained(run.settings, run.shape, run.seeds, ensemble.state)
    train, validation = (storage.load_split(dataset, split) for split in TRAINING_SPLITS)
    test, values = storage.load_split(dataset, "test"), {quantity: [] for quantity in study.metrics}
    for i in range(len(run.seeds)):
        rows = slice(None) if subsets is None else list(subsets[i])
        reference = Split(train.images[rows], train.labels[rows]), validation
        (view,) = views(trained, reference, test, evaluation(dataset), device, None, [i])
        representation = represent_codes(view)
        for quantity in study.metrics:
            values[quantity].append(_value(quantity, representation) if view.measurable else math.nan)
    return values


def _value(quantity: str, representation: Representation) -> float:
    """Return a metric, or a profile at a position: `<profile>/<position>`."""
    name, _, position = quantity.partition("/")
    return PROFILES[name].measure(representation)[position] if position else METRICS[name].measure(representation)
