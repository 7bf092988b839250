"""Which images fine-tuned classifiers are trained and scored on."""

import numpy as np
import pytest
import torch
from project import copy_settings

from aebench import data, storage
from aebench.config import edit
from aebench.data.splits import stratified_subset
from aebench.evaluation import classify
from aebench.storage import Trained
from aebench.training.finetuning import INITIALISATIONS, Finetuning
from aebench.training.greedy import Pretrained
from aebench.training.run import TrainingRun

FEW = 0.05


@pytest.fixture
def smoke(tmp_path, monkeypatch):
    """A project with the data of smoke and two stacks, of which `other` has other layers."""
    copy_settings(tmp_path)
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "conf/smoke.yaml"
    text = file.read_text()
    stack = text[text.index("  stacked:\n") : text.index("studies:")].rstrip() + "\n"
    other = stack.replace("stacked:", "other:", 1).replace("latent_dim: 16", "latent_dim: 20")
    file.write_text(text.replace(stack, stack + other))
    edit.select({"datasets": ["smoke"], "models": ["ae", "stacked", "other"], "seeds": [3, 5]})
    data.prepare("smoke")
    return tmp_path


def test_fine_tuning_uses_the_same_labelled_images_for_every_model_and_initialisation(smoke, monkeypatch):
    split, used = storage.load_split("smoke", "train"), {}
    monkeypatch.setattr(TrainingRun, "minimise", lambda self, _, images, *__: used.setdefault(self.model, []).append(images))
    for model in ("stacked", "other"):
        experiment = TrainingRun("smoke", model)
        for initialisation in INITIALISATIONS:
            Finetuning(experiment).train(initialisation, FEW, Pretrained(experiment.ensemble(), 0.0, 0))
    expected = np.stack([split.images[stratified_subset(split.labels, FEW, seed)] for seed in (3, 5)])
    assert len(used["stacked"]) == len(used["other"]) == len(INITIALISATIONS)
    for images in used["stacked"] + used["other"]:
        np.testing.assert_array_equal(images.train[..., : split.images.shape[1]], expected)


def test_fine_tuned_classifiers_are_scored_on_test_images(smoke):
    experiment = TrainingRun("smoke", "stacked")
    finetuning, weights = Finetuning(experiment), {}
    generator = torch.Generator().manual_seed(0)
    for initialisation, fraction in finetuning:
        ensemble = finetuning.classifiers(initialisation)
        state = {n: v + 0.3 * torch.randn(v.shape, generator=generator) for n, v in ensemble.state.items()}
        weights |= {f"{initialisation}/{fraction}/{name}": value for name, value in state.items()}
    trained = Trained(experiment.settings, experiment.shape, experiment.seeds, weights)
    storage.save_trained(experiment.folder / "classifiers.safetensors", trained)
    columns = classify.finetuned(finetuning)
    test = storage.load_split("smoke", "test")
    images, labels = torch.from_numpy(test.images), torch.from_numpy(test.labels)
    for initialisation, fraction in finetuning:
        ensemble, prefix = finetuning.classifiers(initialisation), f"{initialisation}/{fraction}/"
        ensemble.load({n.removeprefix(prefix): v for n, v in weights.items() if n.startswith(prefix)})
        predicted = [replica("encode", images).argmax(1) for replica in ensemble.replicas()]
        expected = [100 * float((each == labels).double().mean()) for each in predicted]
        assert columns[f"{initialisation}.{fraction}"] == pytest.approx(expected, rel=1e-12)
