"""One row on one data set: what its training starts from, and the loop that a killed training goes on with.

The stages train, pretrain and finetune share it. It reads train and validation images, never the test set.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch

from aebench import models, params, provenance, runs
from aebench.params import Training
from aebench.training import place
from aebench.training.checkpoint import Checkpoint
from aebench.training.cost import cost
from aebench.training.ensemble import Ensemble
from aebench.training.minimise import minimise

PARTS = ("train", "validation")


class Experiment:
    """The row's parameters, checked, with the suite's seeds; one replica for a model without randomness."""

    def __init__(self, dataset: str, row: str):
        wanted, conf = params.suite(), params.dataset(dataset)
        self.dataset, self.row = dataset, row
        self.path = f"{params.conf_file(dataset)}:{conf.part(row)}.{row}"
        self.block, self.base = params.rows(dataset, wanted)[row], conf.training
        self.settings = self.training(self.block.get("training", {}))
        self.kind, self.about = models.find(self.block, self.path), runs.load_about(dataset)
        self.seeds = tuple(wanted.seeds if self.kind.stochastic else wanted.seeds[:1])
        self.device = place(self.settings.device, self.settings.threads)
        self.folder = runs.folder(dataset, row)

    @cached_property
    def images(self) -> models.Images:
        """Train and validation images."""
        return models.Images(*(torch.from_numpy(runs.load_split(self.dataset, p).images).to(self.device) for p in PARTS))

    @cached_property
    def origin(self) -> list[Any]:
        """Everything but parameters that decides the weights: seeds, code, data."""
        code = provenance.fingerprint("aebench.experiment", self.kind.__module__)
        return [self.seeds, code, [runs.sha256(runs.split_file(self.dataset, part)) for part in PARTS]]

    def ensemble(self) -> Ensemble:
        """The replicas as they start."""
        return Ensemble(lambda: models.build(self.block, self.about.pixels, self.path), self.seeds, self.device)

    def training(self, changes: dict[str, Any]) -> Training:
        """The data set's settings with `changes`."""
        return params.check(Training, self.base.model_dump() | changes, f"{self.path}.training")

    def minimise(
        self, ensemble: Ensemble, images: models.Images, changes: dict[str, Any] | None = None, subject: Sequence[Any] = ()
    ) -> runs.History:
        """Descend, resuming what was killed.

        `changes` of the data set's settings stand in place of the row's own; `subject` is what identifies this training
        beside its origin and settings, by default the row's block.
        """
        settings = self.settings if changes is None else self.training(changes)
        shapes = {name: list(shape) for name, shape in ensemble.layout.shapes.items()}
        identity = [self.origin, settings.model_dump(), shapes, *(subject or [self.block])]
        return minimise(ensemble, images, settings, Checkpoint(runs.checkpoint_file(self.dataset, self.row), identity))

    def save(self, ensemble: Ensemble, history: runs.History, seconds: float) -> None:
        """weights.safetensors, history.csv and cost.json of the finished row; `seconds` are those of this process."""
        spent = cost(ensemble, history, history.earlier + seconds, self.settings.threads)
        trained = runs.Trained(self.block, self.about.shape, self.seeds, ensemble.state)
        runs.save_training(self.dataset, self.row, trained, history, spent)
