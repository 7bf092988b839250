"""A fixed classifier of a data set, whose features measure generated images as an Inception network's measure photographs.

    features(x) = relu(relu(x W_0 + b_0) W_1 + b_1)   (n, 64),     class(x) = argmax_c [features(x) W_2 + b_2]_c

It is trained once, on training images and their labels, by scikit-learn's MLPClassifier (Adam on the cross-entropy): no line
of it is of the models that it judges. Nothing is chosen, so validation images only tell its accuracy; test images are never
read. One thread, so that its weights do not depend on how many cores a machine has. A distance in its features means
something beside distances by the same judge alone: `name` tells which.
"""

import hashlib
import json
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt

from aebench import runs
from aebench.errors import InputError
from aebench.params import Schema
from aebench.randomness import Streams

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Judging(Schema):
    """How a judge is trained: conf/<dataset>.yaml:evaluation.judge. Features are what the last of the `hidden` layers gives."""

    hidden: list[PositiveInt] = Field([128, 64], min_length=1)
    updates: PositiveInt = 2000
    """Steps of Adam, to the nearest whole epoch: the same for data sets of any size."""
    batch_size: PositiveInt = 128
    learning_rate: PositiveFloat = 0.001
    seed: NonNegativeInt = 0
    """Its own: every row and every seed of the suite has the same judge."""


@dataclass(frozen=True, eq=False)
class Judge:
    """`weights` (in, out) and `biases` (out,), layer by layer; `accuracy` in % on validation images."""

    weights: "tuple[Tensor, ...]"
    biases: "tuple[Tensor, ...]"
    accuracy: float

    @cached_property
    def name(self) -> str:
        """The first 8 hexadecimal digits of SHA-256 over its weights."""
        digest = hashlib.sha256()
        for part in (*self.weights, *self.biases):
            digest.update(part.cpu().numpy().tobytes())
        return digest.hexdigest()[:8]

    def features(self, images: "Tensor") -> "Tensor":
        """(n, d) -> (n, f), >= 0."""
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            images = (images @ weight + bias).relu()
        return images

    def logits(self, features: "Tensor") -> "Tensor":
        """(n, f) -> (n, C), the largest of the class."""
        return features @ self.weights[-1] + self.biases[-1]


def train(train: runs.Split, validation: runs.Split, settings: Judging) -> Judge:
    """The judge of a data set; the same bits on the same machine."""
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
        random_state=Streams(settings.seed).state("judge") % 2**32,
    )
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # as many epochs as were asked for
        net.fit(train.images, train.labels)
    weights, biases = (tuple(torch.from_numpy(p).contiguous() for p in parts) for parts in (net.coefs_, net.intercepts_))
    if net.out_activation_ == "logistic":  # two classes, one logit: the other's is 0
        weights, biases = ((*p[:-1], torch.nn.functional.pad(p[-1], (1, 0))) for p in (weights, biases))
    return Judge(weights, biases, 100 * float(net.score(validation.images, validation.labels)))


def file(dataset: str) -> Path:
    """Where the data set's judge is: outside of the folder of its rows, which reports depend on."""
    return runs.RUNS / "judges" / f"{dataset}.safetensors"


def save(judge: Judge, path: Path) -> None:
    """Weights as safetensors; what `told` tells in the metadata."""
    from safetensors.torch import save_file

    state = {f"{i}.weight": w for i, w in enumerate(judge.weights)} | {f"{i}.bias": b for i, b in enumerate(judge.biases)}
    facts = {"name": judge.name, "accuracy": judge.accuracy}
    with runs.whole(path) as partial:
        save_file(state, partial, {"aebench": json.dumps(facts)})


def load(path: Path, device: "torch.device | str" = "cpu") -> Judge:
    """What `save` saved."""
    from safetensors.torch import load_file

    accuracy, state = told(path)["accuracy"], load_file(path, str(device))
    layers = range(len(state) // 2)
    return Judge(tuple(state[f"{i}.weight"] for i in layers), tuple(state[f"{i}.bias"] for i in layers), accuracy)


def told(path: Path) -> dict[str, Any]:
    """`name` and `accuracy`, without torch: for reports."""
    from safetensors import safe_open

    if not path.exists():
        raise InputError(f"{path} must have been written by the stage judge, got no such file: run dvc repro")
    with safe_open(path, "np") as opened:
        return json.loads(opened.metadata()["aebench"])
