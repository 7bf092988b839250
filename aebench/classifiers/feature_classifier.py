"""A classifier of a data set whose features measure generated images, as an Inception network's features measure photographs.

    features(x) = relu(relu(x W_0 + b_0) W_1 + b_1)   (n, f),     class(x) = argmax_c [features(x) W_2 + b_2]_c

It is trained once, on the labelled training images, by scikit-learn's MLPClassifier (Adam on the cross-entropy), and shares no
code with the models that it measures. Nothing is selected: validation images are used only to report the accuracy, and test
images are never read. Training uses one thread, so that the weights do not depend on the number of cores. Distances are
comparable only in the features of the same classifier, which is identified by its `name`.
"""

import hashlib
import json
import sys
import warnings
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, PositiveFloat, PositiveInt

from aebench import config, storage
from aebench.config import Schema, Seed
from aebench.data.limits import must_fit
from aebench.randomness import Streams

if TYPE_CHECKING:
    import torch
    from torch import Tensor

BYTES_PER_WEIGHT = 4 * 4
"""A weight, its gradient and the two moments of Adam, in float32."""


class FeatureClassifierSettings(Schema):
    """Settings of the training, conf/<dataset>.yaml:feature_classifier."""

    hidden: list[PositiveInt] = Field([128, 64], min_length=1)
    """Numbers of units of the hidden layers; features are the activations of the last one."""
    updates: PositiveInt = 2000
    """Number of Adam steps, rounded to full epochs: the same for data sets of any size."""
    batch_size: PositiveInt = 128
    """Number of images per batch."""
    learning_rate: PositiveFloat = 0.001
    """Learning rate of Adam."""
    seed: Seed = 0
    """Seed of the weights and batches, independent of `suite.seeds`: one classifier measures all models and seeds."""


@dataclass(frozen=True, eq=False)
class FeatureClassifier:
    """A trained feature classifier: `weights` (in, out) and `biases` (out,) of each layer, and validation `accuracy` in %."""

    weights: "tuple[Tensor, ...]"
    biases: "tuple[Tensor, ...]"
    accuracy: float

    @cached_property
    def name(self) -> str:
        """First 8 hexadecimal digits of the SHA-256 of weights and biases."""
        digest = hashlib.sha256()
        for part in (*self.weights, *self.biases):
            digest.update(part.cpu().numpy().tobytes())
        return digest.hexdigest()[:8]

    def features(self, images: "Tensor") -> "Tensor":
        """Features (n, f) >= 0 of images (n, d)."""
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            images = (images @ weight + bias).relu()
        return images

    def logits(self, features: "Tensor") -> "Tensor":
        """Logits (n, C) of features (n, f)."""
        return features @ self.weights[-1] + self.biases[-1]


def fit(train: storage.Split, validation: storage.Split, settings: FeatureClassifierSettings) -> FeatureClassifier:
    """Train a feature classifier; bitwise reproducible on the same machine."""
    import torch
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier
    from threadpoolctl import threadpool_limits

    size = min(settings.batch_size, len(train.images))
    epochs = max(1, round(settings.updates / -(-len(train.images) // size)))
    net = MLPClassifier(
        settings.hidden,
        batch_size=size,
        learning_rate_init=settings.learning_rate,
        max_iter=epochs,
        n_iter_no_change=epochs,
        random_state=Streams(settings.seed).state("feature_classifier") % 2**32,
    )
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # training ends after `updates`, converged or not
        net.fit(train.images, train.labels)
    weights, biases = (tuple(torch.from_numpy(p).contiguous() for p in parts) for parts in (net.coefs_, net.intercepts_))
    if net.out_activation_ == "logistic":  # with two classes scikit-learn has one logit: the other one is 0
        weights, biases = ((*p[:-1], torch.nn.functional.pad(p[-1], (1, 0))) for p in (weights, biases))
    return FeatureClassifier(weights, biases, 100 * float(net.score(validation.images, validation.labels)))


def train(dataset: str) -> None:
    """Train the feature classifier of a data set and save it."""
    path = f"{config.conf_file(dataset)}:feature_classifier"
    settings = config.check(FeatureClassifierSettings, config.dataset(dataset).feature_classifier, path)
    splits = [storage.load_split(dataset, part) for part in ("train", "validation")]
    sizes = [splits[0].images.shape[1], *settings.hidden, int(splits[0].labels.max()) + 1]
    must_fit(BYTES_PER_WEIGHT * sum(i * o for i, o in pairwise(sizes)), f"{path}.hidden")
    classifier = fit(*splits, settings)
    save(classifier, file(dataset))
    print(f"feature classifier {classifier.name}: validation accuracy {classifier.accuracy:.2f} %", file=sys.stderr)


def file(dataset: str) -> Path:
    """Path of the feature classifier, outside the folder of the models because the report stage depends on that folder."""
    return storage.RUNS / "feature_classifiers" / f"{dataset}.safetensors"


def save(classifier: FeatureClassifier, path: Path) -> None:
    """Write the weights as safetensors, with name and accuracy in the metadata."""
    from safetensors.torch import save_file

    state = {f"{i}.weight": w for i, w in enumerate(classifier.weights)} | {
        f"{i}.bias": b for i, b in enumerate(classifier.biases)
    }
    facts = {"name": classifier.name, "accuracy": classifier.accuracy}
    with storage.atomic_write(path) as partial:
        save_file(state, partial, {"aebench": json.dumps(facts)})


def load(path: Path, device: "torch.device | str" = "cpu") -> FeatureClassifier:
    """Read a file written by `save`; `InputError` if there is no such file."""
    from safetensors.torch import load_file

    accuracy, state = summary(path)["accuracy"], load_file(path, str(device))
    layers = range(len(state) // 2)
    return FeatureClassifier(tuple(state[f"{i}.weight"] for i in layers), tuple(state[f"{i}.bias"] for i in layers), accuracy)


def summary(path: Path) -> dict[str, Any]:
    """Read `name` and `accuracy` without importing torch; `InputError` if there is no such file."""
    from safetensors import safe_open

    with safe_open(storage.written(path), "np") as opened:
        return json.loads(opened.metadata()["aebench"])
