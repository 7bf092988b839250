"""A training run: one model on one data set, trained with all seeds of the suite.

Used by the stages train, pretrain, finetune, classify and study, and by `aebench tune`. It reads training and validation
images, never test images.
"""

import math
import time
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from aebench import config, models, storage
from aebench.code_hashes import code_hashes
from aebench.errors import unknown
from aebench.training import memory
from aebench.training.checkpoint import Checkpoint
from aebench.training.cost import cost
from aebench.training.device import configure_device
from aebench.training.ensemble import Ensemble
from aebench.training.minimise import minimise

TRAINING_SPLITS = ("train", "validation")


class TrainingRun:
    """Settings, data, seeds and device of a training run. A deterministic model is fitted once, for the first seed.

    `settings` are those of conf/<dataset>.yaml unless given, with the `path` where they are written, as for models of a study.
    """

    def __init__(self, dataset: str, model: str, settings: dict[str, Any] | None = None, path: str = ""):
        suite, self.conf = config.suite(), config.dataset(dataset)
        self.dataset, self.model = dataset, model
        self.path = path or f"{config.conf_file(dataset)}:{self.conf.section_of(model)}.{model}"
        if settings is None and model not in self.conf.all_models:
            raise unknown(f"{config.conf_file(dataset)}:models", model, self.conf.all_models)
        self.settings = self.conf.all_models[model] if settings is None else settings
        self.training = training = self.training_settings()
        self.kind = models.find(self.settings, self.path)
        self.shape, self.classes = storage.load_dimensions(dataset)
        self.seeds = tuple(suite.seeds if self.kind.stochastic else suite.seeds[:1])
        self.device = configure_device(training.device, training.threads, training.blas, training.precision == "tf32")
        self.folder = storage.run_folder(dataset, model)

    @property
    def pixels(self) -> int:
        """Values per image."""
        return math.prod(self.shape)

    @cached_property
    def images(self) -> models.Images:
        """Training and validation images."""
        return models.Images.of(*(storage.load_split(self.dataset, split) for split in TRAINING_SPLITS), self.device)

    @cached_property
    def origin(self) -> list[Any]:
        """Seeds, code and data: everything that determines the weights, except the settings."""
        code = code_hashes("aebench.training.run", *models.modules(self.settings, self.path))
        return [self.seeds, code, [storage.sha256(storage.split_file(self.dataset, split)) for split in TRAINING_SPLITS]]

    def ensemble(self) -> Ensemble:
        """Return the replicas with their initial weights; raises `InputError` if one of them does not fit into memory."""
        memory.check_size(self.settings, self.pixels, self.path, self.device, 1 + memory.COPIES)
        return Ensemble(lambda: models.build(self.settings, self.pixels, self.path), self.seeds, self.device)

    def training_settings(self, changes: dict[str, Any] | None = None) -> config.Training:
        """Return the data set's training settings, overridden by the model's or, if given, by `changes` instead."""
        changed = self.settings if changes is None else {"training": changes}
        return config.training(self.conf, changed, f"{self.path}.training")

    def minimise(
        self, ensemble: Ensemble, images: models.Images, changes: dict[str, Any] | None = None, identity: Sequence[Any] = ()
    ) -> storage.History:
        """Train by gradient descent; an interrupted training run is resumed.

        `changes` replace the model's own changes to the training settings. `identity` distinguishes training runs with the
        same origin and training settings; the default is the model's settings.
        """
        training = self.training_settings(changes)
        shapes = {name: list(shape) for name, shape in ensemble.shapes.items()}
        identity = [self.origin, training.model_dump(), shapes, *(identity or [self.settings])]
        return minimise(ensemble, images, training, Checkpoint(storage.checkpoint_file(self.dataset, self.model), identity))

    def save(self, ensemble: Ensemble, history: storage.History, seconds: float) -> None:
        """Write weights, history and cost of a finished training run; `seconds` is the time spent by this process."""
        total = cost(ensemble, history, history.earlier + seconds, self.training.threads)
        trained = storage.Trained(self.settings, self.shape, self.seeds, ensemble.state)
        storage.save_training(self.dataset, self.model, trained, history, total)

    def train(self) -> None:
        """Fit the model for all seeds and save it."""
        ensemble = self.ensemble()
        start = time.perf_counter()
        history = ensemble.model.fit(ensemble, self.images, self.minimise)
        self.save(ensemble, history, time.perf_counter() - start)
