"""Pretraining by depth: what the features of each layer of a stack are worth, and what fine-tuning adds.

    series      one per kind of layer with which all layers are pretrained, and two without pretraining:
                unpretrained, the initialisation of the first kind; modern, scaled weights and ReLU units
    position    depth D: the first D layers are the encoder
    frozen      test accuracy of a linear probe on the D-th code
    fine-tuned  test accuracy of the D layers and a softmax layer, trained with labels

Fine-tuned encoders of the same depth have had the same number of updates: those without pretraining are trained with labels for
as many additional updates as the pretraining of D layers took. For a seed, all series use the same labelled images.
"""

from collections.abc import Callable, Iterator

import torch

from aebench import config, models, storage
from aebench.classifiers.linear_probe import LabelledCodes, LinearProbeSettings, probe
from aebench.evaluation.classify import accuracies
from aebench.storage import SPLITS
from aebench.studies.point import Point
from aebench.studies.settings import CONTROLS, Depth
from aebench.training.ensemble import Ensemble
from aebench.training.finetuning import Finetuning
from aebench.training.greedy import Pretrained
from aebench.training.run import TrainingRun


def compute_points(study: Depth, dataset: str, name: str, task: str) -> list[Point]:
    """Pretrain all layers of a series, for all seeds of the suite, then measure each depth; `name` is the name of the study."""
    path, pretrained = f"{config.conf_file(dataset)}:studies.{name}", task in study.pretraining
    kind, points = task if pretrained else next(iter(study.pretraining)), []
    stack = TrainingRun(dataset, f"{name}-{task}", study.stack(kind, len(study.latent_dims)), path)
    ensemble, updates = stack.ensemble(), _updates(study, stack)
    if pretrained:
        ensemble.model.pretrain(ensemble, stack.images, _train_layer(study, stack))
    for depth in range(1, len(study.latent_dims) + 1):
        run = TrainingRun(dataset, f"{name}-{task}-{depth}", study.stack(kind, depth), path)
        encoder = run.ensemble()
        encoder.load({n: value for n, value in ensemble.state.items() if int(n.split(".")[1]) < depth})
        points.append(Point(task, depth, dict(_measure(run, task, Pretrained(encoder, 0.0, depth * updates)))))
    return points


def _train_layer(study: Depth, stack: TrainingRun) -> Callable[[int, Ensemble, models.Images], None]:
    def train(i: int, layer: Ensemble, images: models.Images) -> None:
        stack.minimise(layer, images, study.training | {"patience": None}, stack.settings["layers"][: i + 1])

    return train


def _updates(study: Depth, stack: TrainingRun) -> int:
    """Return the number of updates of the pretraining of one layer."""
    training = stack.training_settings(study.training)
    return training.epochs * training.batches(len(stack.images.train))


def _measure(run: TrainingRun, task: str, pretrained: Pretrained) -> Iterator[tuple[str, list[float]]]:
    """Yield quantities with one value per seed: accuracies on test images, frozen and fine-tuned."""
    splits = [storage.load_split(run.dataset, split) for split in SPLITS]
    images, labels = (
        [torch.from_numpy(getattr(split, part)).to(run.device) for split in splits] for part in ("images", "labels")
    )
    finetuning, initialisation = Finetuning(run), task if task in CONTROLS else "pretrained"
    encoder = finetuning.encoders(initialisation) if task in CONTROLS else pretrained.ensemble
    codes = zip(*(encoder.codes(each) for each in images), strict=True)
    settings = LinearProbeSettings(per_class=[], fractions=finetuning.settings.fractions)
    probes = [probe(*map(LabelledCodes, each, labels), settings, s) for each, s in zip(codes, run.seeds, strict=True)]
    for fraction in settings.fractions:
        yield f"frozen/{fraction}", [each[str(fraction)].accuracy for each in probes]
    for fraction in settings.fractions:
        classifiers = finetuning.classifiers(initialisation)
        classifiers.load(finetuning.train(initialisation, fraction, pretrained))
        yield f"fine-tuned/{fraction}", accuracies(classifiers, images[-1], labels[-1])
