"""Small instances of every registered model: the laws run over these, so a new model inherits every test."""

import torch

from aebench.models import MODELS, Images, build
from aebench.params import Training
from aebench.training.ensemble import Ensemble
from aebench.training.minimise import minimise

PIXELS = 16
EXTRA = {
    "random_encoder": {"hidden": [16], "code": 4},
    "pca": {"code": 4},
    "vanilla": {"hidden": [16], "code": 4},
    "denoising": {"hidden": [16], "code": 4, "corruption": 0.3},
}
KINDS = sorted(MODELS)


def block(kind, **changes):
    """A small params block; of a kind that is not listed above, its defaults."""
    return {"kind": kind} | EXTRA.get(kind, {}) | changes


def ensemble(kind, seeds=(0,), **changes):
    return Ensemble(lambda: build(block(kind, **changes), PIXELS), seeds)


def pictures(n=112, pixels=PIXELS, seed=0):
    """Images in [0, 1] with two strong factors and a little noise: there is something to learn."""
    generator = torch.Generator().manual_seed(seed)
    factors = torch.rand(n, 2, generator=generator) - 0.5
    patterns = torch.linalg.qr(torch.randn(pixels, 2, generator=torch.Generator().manual_seed(7))).Q.T
    noise = 0.02 * torch.randn(n, pixels, generator=generator)
    return (0.5 + factors * torch.tensor([1.0, 0.6]) @ patterns + noise).clamp(0, 1)


def images():
    """Batches of 32 leave a ragged last one of 16."""
    return Images(pictures(112), pictures(32, seed=1))


def settings(**changes):
    return Training(**{"epochs": 3, "batch_size": 32, "learning_rate": 0.01} | changes)


def fitted(kind, seeds=(0,), data=None, training=None, **changes):
    """A trained ensemble and its history."""
    family = ensemble(kind, seeds, **changes)
    history = family.model.fit(family, data or images(), lambda e, i: minimise(e, i, training or settings()))
    return family, history


def draws(family, n, stream="noise"):
    return family.draw(n, family.generators(stream))
