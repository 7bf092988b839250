"""Downstream use: a softmax head on an encoder, both trained with labels (Hinton & Salakhutdinov 2006; Erhan et al. 2009).

    p(c|x) = softmax(U f(x) + u)_c,  loss = E -log p(label|x) in nats;  U (C, k) starts at 0, so every class at 1/C

A labelled image is one row: its d pixels, then its label one-hot (C,).
"""

from typing import Annotated

import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Generator, Tensor, nn

from aebench.models.base import Autoencoder
from aebench.params import Schema


class Downstream(Schema):
    """`fractions` of the training labels, and how a classifier is trained with each: so many `updates` of Adam."""

    fractions: list[Annotated[float, Field(gt=0, le=1)]] = Field(min_length=1)
    updates: PositiveInt
    batch_size: PositiveInt
    learning_rate: PositiveFloat


class Classifier(nn.Module):
    """`encoder` and a head for `classes`; what it was trained from is the encoder's."""

    def __init__(self, encoder: Autoencoder, classes: int):
        super().__init__()
        self.encoder, self.classes = encoder, classes
        self.head = nn.utils.skip_init(nn.Linear, encoder.code, classes)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def encode(self, x: Tensor) -> Tensor:
        """(n, d) -> (n, C): logits."""
        return self.head(self.encoder.encode(x))

    def draw(self, n: int, generator: Generator, progress: float = 1.0) -> tuple[Tensor, ...]:
        """Nothing."""
        return ()

    def terms(self, x: Tensor, noise: tuple) -> dict[str, Tensor]:
        """Rows (n, d + C) -> the cross-entropy."""
        images, labels = x.split([x.shape[1] - self.classes, self.classes], 1)
        return {"cross_entropy": -(labels * torch.log_softmax(self.encode(images), 1)).sum(1).mean()}
