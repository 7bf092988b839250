"""Downstream use: what pretraining is worth to a classifier, with few labels and with many (Erhan et al. 2010).

Three starts of one shape, every seed with the same labelled images, batches and head:

    pretrained  the encoder as greedy pretraining left it
    random      the encoder as pretraining found it; its updates are those of pretraining and fine-tuning together
    modern      ReLU units with scaled weights (Glorot & Bengio 2010; He et al. 2015); as many updates as `random`

Nothing is chosen: the number of updates is fixed and the last weights are kept, so no validation labels are spent.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from aebench import models, params, runs
from aebench.experiment import Experiment
from aebench.models.classifier import Classifier, Downstream
from aebench.randomness import Streams
from aebench.stacking import Greedy
from aebench.training.ensemble import Ensemble

STARTS = ("pretrained", "random", "modern")


class Finetuning:
    """The classifiers of a row: for each start and fraction of labels, every seed at once."""

    def __init__(self, row: Experiment):
        self.row = row
        block = row.block.get("classifier")
        self.settings = block and params.check(Downstream, block, f"{row.path}.classifier")

    def __iter__(self) -> Iterator[tuple[str, float]]:
        fractions = self.settings.fractions if self.settings else ()
        return ((start, fraction) for start in STARTS for fraction in fractions)

    def classifiers(self, start: str) -> Ensemble:
        """Heads that know nothing on encoders as they start; those of `pretrained` have to be loaded."""
        block = self._modern() if start == "modern" else self.row.block
        pixels, classes = self.row.about.pixels, len(self.row.about.classes)
        return Ensemble(lambda: Classifier(models.build(block, pixels), classes), self.row.seeds, self.row.device)

    def train(self, start: str, fraction: float, pretrained: Greedy) -> dict[str, Tensor]:
        """The classifiers' weights and buffers, (S, ...) by name."""
        ensemble, updates = self.classifiers(start), self.settings.updates
        if start == "pretrained":
            ensemble.load(pretrained.ensemble.state, "encoder.")
        else:
            updates += pretrained.updates
        images = self._labelled(fraction)
        size = self.settings.batch_size
        changes = {"epochs": max(1, round(updates / -(-images.train.shape[-2] // size))), "batch_size": size}
        changes |= {"learning_rate": self.settings.learning_rate}
        self.row.minimise(ensemble, images, changes, [self.row.block, start, fraction])
        return ensemble.state

    def _labelled(self, fraction: float) -> models.Images:
        """Rows of pixels and one-hot labels: all of them, or of each seed its own part, the classes in proportion."""
        split = runs.load_split(self.row.dataset, "train")
        labels = torch.eye(len(self.row.about.classes))[torch.from_numpy(split.labels)]
        rows = torch.cat([torch.from_numpy(split.images), labels], 1).to(self.row.device)
        if fraction < 1:
            rows = torch.stack([rows[_part(split.labels, fraction, seed)] for seed in self.row.seeds])
        return models.Images(rows, rows[..., :0, :])

    def _modern(self) -> dict[str, Any]:
        *hidden, code = [layer["code"] for layer in self.row.block["layers"]]
        return {"kind": "vanilla", "hidden": hidden, "code": code, "activation": "relu", "code_activation": "relu"}


def _part(labels: np.ndarray, fraction: float, seed: int) -> list[int]:
    """Indices of a `fraction` of the images, at least one a class."""
    from sklearn.model_selection import train_test_split

    size = max(round(fraction * len(labels)), len(set(labels.tolist())))
    state = Streams(seed).state("labels") % 2**32
    return train_test_split(range(len(labels)), train_size=size, stratify=labels, random_state=state)[0]
