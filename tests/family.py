"""Small instances of every registered model. Tests are parametrised over them and so include every new
model; a kind whose settings have no defaults also needs an entry in `EXTRA`."""

from pathlib import Path

import torch

from aebench.config import Training, read_yaml
from aebench.models import MODELS, Images, build
from aebench.training.ensemble import Ensemble
from aebench.training.minimise import minimise

PIXELS = 16
CONF = Path(__file__).parent.parent / "conf"
EXTRA = {
    "random_encoder": {"hidden": [16], "latent_dim": 4},
    "pca": {"latent_dim": 4},
    "vanilla": {"hidden": [16], "latent_dim": 4},
    "denoising": {"hidden": [16], "latent_dim": 4, "corruption": 0.3},
    "sparse": {"latent_dim": 32, "weight": 0.1},
    "sparse/l1": {"latent_dim": 32, "weight": 0.1, "penalty": "l1", "code_activation": "relu", "tied": True},
    "contractive": {"latent_dim": 32, "weight": 0.1},
    "contractive/exact": {"hidden": [16], "latent_dim": 4, "weight": 0.1, "jacobian": "exact", "activation": "tanh"},
    "contractive/hutchinson": {"hidden": [16], "latent_dim": 4, "weight": 0.1, "jacobian": "hutchinson", "probes": 2},
    "stacked": {
        "layers": [
            {"pretrainer": "dae", "latent_dim": 16, "code_activation": "sigmoid", "corruption": 0.3},
            {"pretrainer": "ae", "latent_dim": 4, "training": {"epochs": 2}},
        ]
    },
    "variational": {"hidden": [16], "latent_dim": 4, "warm_up": 0.5},
    "variational/gaussian": {"hidden": [16], "latent_dim": 4, "observation": "gaussian", "variance": "learnt", "samples": 2},
    "variational/iwae": {"hidden": [16], "latent_dim": 4, "bound": "iwae", "samples": 3},
}
"""Settings by kind or kind/variant. Widths are multiples of 4, since layers of odd width can differ in the last bit."""
MODELS_IN_CONF = [settings for file in sorted(CONF.glob("*.yaml")) for settings in read_yaml(file)["models"].values()]
EXTRA |= {s["kind"]: s for s in MODELS_IN_CONF if ":" in s["kind"]}
KINDS = sorted([*MODELS, *(kind for kind in EXTRA if ":" in kind)])
VARIANTS = [name for name in EXTRA if "/" in name]


def small_settings(kind, **changes):
    """Small settings of a kind; the defaults if it is not in `EXTRA`."""
    return {"kind": kind.partition("/")[0]} | EXTRA.get(kind, {}) | changes


def model_class(kind):
    """The model class of a kind or kind/variant."""
    return MODELS[kind.partition("/")[0]]


def make_ensemble(kind, seeds=(0,), **changes):
    return Ensemble(lambda: build(small_settings(kind, **changes), PIXELS), seeds)


def random_images(n=112, pixels=PIXELS, seed=0):
    """Images in [0, 1] with two strong factors and a little noise."""
    generator = torch.Generator().manual_seed(seed)
    factors = torch.rand(n, 2, generator=generator) - 0.5
    patterns = torch.linalg.qr(torch.randn(pixels, 2, generator=torch.Generator().manual_seed(7))).Q.T
    noise = 0.02 * torch.randn(n, pixels, generator=generator)
    return (0.5 + factors * torch.tensor([1.0, 0.6]) @ patterns + noise).clamp(0, 1)


def images():
    """112 training images, so that the last batch of 32 has only 16, and 32 validation images."""
    return Images(random_images(112), random_images(32, seed=1))


def settings(**changes):
    return Training(**{"epochs": 3, "batch_size": 32, "learning_rate": 0.01} | changes)


def descend(training):
    """A function with these training settings for the argument `minimise` of a model's `fit`."""
    return lambda ensemble, data, changes=None: minimise(ensemble, data, Training(**training.model_dump() | (changes or {})))


def fitted(kind, seeds=(0,), data=None, training=None, **changes):
    """A trained ensemble and its history."""
    ensemble = make_ensemble(kind, seeds, **changes)
    return ensemble, ensemble.model.fit(ensemble, data or images(), descend(training or settings()))


def draws(ensemble, n, stream="noise", progress=1.0):
    return ensemble.draw(n, ensemble.generators(stream), progress)
