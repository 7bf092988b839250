"""Fine-tuning of a stacked autoencoder: as a classifier, with few and with many labels, and as an autoencoder.

The classifiers measure the benefit of pretraining (Erhan et al. 2010). For a given seed, all three use the same labelled
images and the same initial softmax layer:

    pretrained   the encoder after greedy pretraining
    unpretrained the same encoder before pretraining, trained for as many updates as pretraining and fine-tuning together
    modern       ReLU units with scaled weights (Glorot & Bengio 2010; He et al. 2015), trained for as many updates as those

The number of updates is fixed and the final weights are kept, so no validation labels are used.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from aebench import config, models, storage
from aebench.data.splits import stratified_subset
from aebench.models.classifier import Classifier, ClassifierSettings, labelled
from aebench.training.ensemble import Ensemble
from aebench.training.greedy import Pretrained, load_pretrained
from aebench.training.run import TrainingRun

INITIALISATIONS = ("pretrained", "unpretrained", "modern")


class Finetuning:
    """The classifiers of a stacked autoencoder; iteration yields pairs of initialisation and fraction of labels."""

    def __init__(self, run: TrainingRun):
        self.run = run
        settings = run.settings.get("classifier")
        self.settings = settings and config.check(ClassifierSettings, settings, f"{run.path}.classifier")

    def __iter__(self) -> Iterator[tuple[str, float]]:
        fractions = self.settings.fractions if self.settings else ()
        return ((initialisation, fraction) for initialisation in INITIALISATIONS for fraction in fractions)

    def classifiers(self, initialisation: str) -> Ensemble:
        """Return untrained classifiers. With `pretrained`, the pretrained weights still have to be loaded."""
        classes = self.run.classes
        return self._ensemble(lambda: Classifier(self._build(initialisation), classes))

    def encoders(self, initialisation: str) -> Ensemble:
        """Return untrained encoders, with the weights that the classifiers start from."""
        return self._ensemble(lambda: self._build(initialisation))

    def train(self, initialisation: str, fraction: float, pretrained: Pretrained) -> dict[str, Tensor]:
        """Train the classifiers; return weights and buffers (S, ...) by name."""
        ensemble, updates = self.classifiers(initialisation), self.settings.updates
        if initialisation == "pretrained":
            ensemble.load(pretrained.ensemble.state, "encoder.")
        else:
            updates += pretrained.updates
        images = self.labelled_images(fraction)
        changes = {"batch_size": self.settings.batch_size, "learning_rate": self.settings.learning_rate}
        per_epoch = self.run.training_settings(changes).batches(images.train.shape[-2])
        changes["epochs"] = max(1, round(updates / per_epoch))
        self.run.minimise(ensemble, images, changes, [self.run.settings, initialisation, fraction])
        return ensemble.state

    def labelled_images(self, fraction: float) -> models.Images:
        """Return pixels and one-hot labels: (n, d + C) for all labels, else a stratified subset per seed (S, m, d + C)."""
        split = storage.load_split(self.run.dataset, "train")
        images, labels = torch.from_numpy(split.images), torch.from_numpy(split.labels)
        images = labelled(images, labels, self.run.classes).to(self.run.device)
        if fraction < 1:
            images = torch.stack([images[stratified_subset(split.labels, fraction, s)] for s in self.run.seeds])
        return models.Images(images, images[..., :0, :])

    def _build(self, initialisation: str) -> models.Autoencoder:
        settings = self._modern() if initialisation == "modern" else self.run.settings
        return models.build(settings, self.run.pixels)

    def _ensemble(self, build: Callable[[], nn.Module]) -> Ensemble:
        return Ensemble(build, self.run.seeds, self.run.device)

    def _modern(self) -> dict[str, Any]:
        *hidden, latent_dim = [layer["latent_dim"] for layer in self.run.settings["layers"]]
        activations = {"activation": "relu", "code_activation": "relu"}
        return {"kind": "vanilla", "hidden": hidden, "latent_dim": latent_dim} | activations


def finetune(run: TrainingRun) -> None:
    """Train and save the classifiers of a pretrained model, then fine-tune the model itself, without labels."""
    pretrained, finetuning = load_pretrained(run), Finetuning(run)
    classifiers = {
        f"{initialisation}/{fraction}/{name}": value
        for initialisation, fraction in finetuning
        for name, value in finetuning.train(initialisation, fraction, pretrained).items()
    }
    trained = storage.Trained(run.settings, run.shape, run.seeds, classifiers)
    storage.save_trained(run.folder / "classifiers.safetensors", trained)
    start = time.perf_counter()
    history = run.minimise(pretrained.ensemble, run.images)
    run.save(pretrained.ensemble, history, pretrained.seconds + time.perf_counter() - start)
