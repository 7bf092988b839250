"""Classifier: a softmax layer on an encoder, trained together with labels (Hinton & Salakhutdinov 2006; Erhan et al. 2009).

    p(c|x) = softmax(f(x) U + u)_c,   loss = E[-log p(label|x)] in nats

x (n, d); f(x) (n, k); U (k, C) and u (C,) are initialised to 0, so every class has probability 1/C at first. A labelled
image is a vector of d + C numbers: its pixels, then its one-hot label.
"""

from typing import Annotated

import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Generator, Tensor, nn

from aebench.config import Schema
from aebench.models.base import Autoencoder
from aebench.models.layers import Linear


class ClassifierSettings(Schema):
    """`fractions` of the training labels, and `updates`, the number of Adam updates for each."""

    fractions: list[Annotated[float, Field(gt=0, le=1)]] = Field(min_length=1)
    updates: PositiveInt
    batch_size: PositiveInt
    learning_rate: PositiveFloat


class Classifier(nn.Module):
    """An encoder with a linear layer to the logits of C classes."""

    def __init__(self, encoder: Autoencoder, classes: int):
        super().__init__()
        self.encoder, self.classes = encoder, classes
        self.head = Linear(encoder.latent_dim, classes)

    def encode(self, x: Tensor) -> Tensor:
        """Return the logits (n, C) of images (n, d)."""
        return self.head(self.encoder.encode(x))

    def draw(self, n: int, generator: Generator, progress: float = 1.0) -> tuple[Tensor, ...]:
        """Return no noise: the classifier is deterministic."""
        return ()

    def terms(self, x: Tensor, noise: tuple) -> dict[str, Tensor]:
        """Return the cross-entropy of labelled images (n, d + C)."""
        images, labels = self._parts(x)
        return {"cross_entropy": -(labels * torch.log_softmax(self.encode(images), 1)).sum(1).mean()}

    def error(self, x: Tensor) -> Tensor:
        """Return the fraction of labelled images (n, d + C) that are misclassified."""
        images, labels = self._parts(x)
        return (self.encode(images).argmax(1) != labels.argmax(1)).float().mean()

    def _parts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x.split([x.shape[1] - self.classes, self.classes], 1)


def labelled(images: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Join images (n, d) and their labels (n,) in 0 ... C - 1 to labelled images (n, d + C)."""
    return torch.cat([images, torch.eye(classes, dtype=images.dtype)[labels]], 1)
