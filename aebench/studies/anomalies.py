"""Anomalies: a model that has seen no image of a class should detect the images of this class.

    series      one per model
    position    the class that is left out of training and validation, whose test images are the anomalies; or noise, permuted
                and each of the other data sets, which are the anomalies for the model trained with all classes
    quantity    <score>/<measure>, see `aebench.evaluation.metrics.anomalies`

The other images are the test images of the classes that the model was trained with. The epoch is chosen on validation images of
these classes, and codes are compared with those of their training and validation images.
"""

from itertools import count

import numpy as np
import torch

from aebench import config, data, models, storage
from aebench.data.splits import divide
from aebench.errors import InputError
from aebench.evaluation.arrays.anomalies import anomaly_scores
from aebench.evaluation.arrays.out_of_distribution import out_of_distribution
from aebench.evaluation.metrics.anomalies import UNDEFINED, detection
from aebench.evaluation.replicas import configure_compute
from aebench.evaluation.representation import views
from aebench.evaluation.settings import compute, evaluation
from aebench.evaluation.view import View
from aebench.storage import Split, Trained
from aebench.studies.point import Point
from aebench.studies.settings import NONE, OUT_OF_DISTRIBUTION, Anomalies
from aebench.training.ensemble import Ensemble
from aebench.training.run import TRAINING_SPLITS, TrainingRun


def compute_points(study: Anomalies, dataset: str, name: str, task: str) -> list[Point]:
    """Train one model without one class, for all seeds of the suite, and measure it; `name` is the name of the study."""
    (model, left_out), path = task.split("="), f"{config.conf_file(dataset)}:studies.{name}"
    run = TrainingRun(dataset, f"{name}-{task}", study.models[model], f"{path}.models.{model}")
    run.seeds = run.seeds[: study.seeds]
    seen = tuple(without(storage.load_split(dataset, split), left_out) for split in TRAINING_SPLITS)
    _check(study, run.classes, seen, path)
    others = other_images(study, run, f"{path}.others") if left_out == NONE else {}
    ensemble = _train(run, seen, left_out)

    device, test = configure_compute(compute(dataset)), storage.load_split(dataset, "test")
    trained = Trained(run.settings, run.shape, run.seeds, ensemble.state)
    each = views(trained, seen, test, evaluation(dataset), device)
    detected = [_detect(study, view, left_out, others) if view.measurable else {} for view in each]
    detected += [{}] * (len(config.suite().seeds) - len(detected))  # seeds that are not used
    positions = [*OUT_OF_DISTRIBUTION, *others] if left_out == NONE else [left_out]
    return [Point(model, p, {q: [seed.get(p, UNDEFINED)[q] for seed in detected] for q in UNDEFINED}) for p in positions]


def without(split: Split, left_out: str) -> Split:
    """Return the images of all classes but `left_out`, a number or "none"."""
    if left_out == NONE:
        return split
    return split.select(split.labels != int(left_out))


def other_images(study: Anomalies, run: TrainingRun, path: str) -> dict[str, np.ndarray]:
    """Read the test images (n, d) of the other data sets, by name; `path` is where their settings are written."""
    images = {}
    for name, settings in study.others.items():
        source = data.check(settings, f"{path}.{name}")
        raw = data.read(source)
        if raw.about.shape != run.shape:
            shapes = [" x ".join(map(str, shape)) for shape in (run.shape, raw.about.shape)]
            raise InputError(f"{path}.{name} must have images of {shapes[0]} pixels, got {shapes[1]}")
        images[name] = divide(raw, source, f"{path}.{name}")["test"].images
    return images


def _check(study: Anomalies, classes: int, seen: tuple[Split, Split], path: str) -> None:
    """Raise `InputError` unless the data set has the classes and enough images of others, known once it is prepared."""
    if unknown := [each for each in study.classes if each >= classes]:
        raise InputError(f"{path}.classes must be 0 to {classes - 1}, the numbers of the classes, got {unknown[0]}")
    counts = [len(split.labels) for split in seen]
    if not all(counts):
        raise InputError(f"{path}.classes must leave images of another class, got {study.classes}")
    if study.neighbours > sum(counts):
        raise InputError(f"{path}.neighbours must be at most {sum(counts)}, the number of images, got {study.neighbours}")


def _train(run: TrainingRun, seen: tuple[Split, Split], left_out: str) -> Ensemble:
    """Fit the model to images of the classes seen. A stack is trained in several phases, each with its own checkpoint."""
    ensemble, phase = run.ensemble(), count()
    images = models.Images.of(*seen, run.device)

    def minimise(ensemble: Ensemble, images: models.Images, changes: dict | None = None) -> storage.History:
        return run.minimise(ensemble, images, changes, [run.settings, left_out, next(phase)])

    ensemble.model.fit(ensemble, images, minimise)
    return ensemble


def _detect(study: Anomalies, view: View, left_out: str, others: dict[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """Return position -> quantity -> value of one seed."""
    if left_out == NONE:
        drawn = out_of_distribution(view)
        anomalies = {name: getattr(drawn, name) for name in OUT_OF_DISTRIBUTION}
        anomalies |= {name: torch.from_numpy(images).to(view.images) for name, images in others.items()}
        usual = view.images
    else:
        rows = view.labels == int(left_out)
        anomalies, usual = {left_out: view.images[rows]}, view.images[~rows]
    groups = [usual, *anomalies.values()]
    scores = anomaly_scores(view, torch.cat(groups), study.neighbours, study.draws)
    first, *rest = scores.split(list(map(len, groups)))
    return {position: detection(each, first) for position, each in zip(anomalies, rest, strict=True)}
