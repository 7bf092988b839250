"""Small instances of every registered model. Tests are parametrised over them and so include every new
model; a kind whose settings have no defaults also needs an entry in `EXTRA`."""

from pathlib import Path

import torch
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from aebench.config import Training
from aebench.models import MODELS, Images, build
from aebench.randomness import Streams
from aebench.storage import read_yaml
from aebench.training.ensemble import Ensemble
from aebench.training.minimise import minimise

PIXELS = 16
CONF = Path(__file__).parent.parent / "conf"
EXTRA = {
    "random_encoder": {"hidden": [16], "latent_dim": 4},
    "pca": {"latent_dim": 4},
    "vanilla": {"hidden": [16], "latent_dim": 4},
    "denoising": {"hidden": [16], "latent_dim": 4, "level": 0.3},
    "sparse": {"latent_dim": 32, "weight": 0.1},
    "sparse/l1": {"latent_dim": 32, "weight": 0.1, "penalty": "l1", "code_activation": "relu", "tied": True},
    "contractive": {"latent_dim": 32, "weight": 0.1},
    "contractive/exact": {"hidden": [16], "latent_dim": 4, "weight": 0.1, "jacobian": "exact", "activation": "tanh"},
    "contractive/hutchinson": {"hidden": [16], "latent_dim": 4, "weight": 0.1, "jacobian": "hutchinson", "probes": 2},
    "stacked": {
        "layers": [
            {"kind": "denoising", "latent_dim": 16, "code_activation": "sigmoid", "level": 0.3},
            {"kind": "vanilla", "latent_dim": 4, "training": {"epochs": 2}},
        ]
    },
    "variational": {"hidden": [16], "latent_dim": 4, "warm_up": 0.5},
    "variational/gaussian": {"hidden": [16], "latent_dim": 4, "observation": "gaussian", "variance": "learnt", "samples": 2},
    "variational/iwae": {"hidden": [16], "latent_dim": 4, "bound": "iwae", "samples": 3},
}
"""Settings by kind or kind/variant, to train every model with; every branch of a model is in tests/examples.py.

Widths are multiples of 4, since layers of odd width can differ in the last bit.
"""
MODELS_IN_CONF = [settings for file in sorted(CONF.glob("*.yaml")) for settings in read_yaml(file)["models"].values()]
EXTRA |= {s["kind"]: s for s in MODELS_IN_CONF if ":" in s["kind"]}
KINDS = sorted({*MODELS, *(kind for kind in EXTRA if ":" in kind)} - {"external"})  # which is not trained: test_external.py
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


X = random_images(20).double()
"""Images for single replicas, which are in float64."""


def equal(a, b):
    """Whether two states have the same names and values, bit for bit."""
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def same(a, b):
    """Whether two fitted ensembles have the same weights and histories, bit for bit."""
    return equal(a[0].state, b[0].state) and all((a[1].terms[n] == b[1].terms[n]).all() for n in b[1].terms)


def model(kind, **changes):
    """One replica in float64, with random changes to its initial weights and biases."""
    with Streams(0).initialising():
        replica = build(small_settings(kind, **changes), PIXELS).double()
        with torch.no_grad():
            for weight in replica.parameters():
                weight += 0.3 * torch.randn_like(weight)
    return replica


def noise(net, n=20, progress=1.0):
    """Noise for n images, in float64."""
    return tuple(part.double() for part in net.draw(n, Streams(0).torch("noise"), progress))


def assign(replica, **weights):
    """Set parameters of a model by name (dots as in its state), all others to 0."""
    with torch.no_grad():
        for name, weight in replica.named_parameters():
            weight.copy_(torch.as_tensor(weights.get(name.replace(".", "_"), 0.0)).expand_as(weight))


def linear_gaussian(posterior_variance=1.0, **changes):
    """A variational model with the weights of probabilistic PCA, and images near ½, where the sigmoid is linear.

    p(x|z) = N(½ + W z, s²) with orthogonal columns, so that the posterior is diagonal and a linear encoder can be exact;
    `posterior_variance` is a factor that makes q wrong. Returns model, images (20, d), log p(x), D[q ‖ p(z|x)].
    """
    variance = 1e-4
    columns = torch.linalg.qr(torch.randn(PIXELS, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(2))).Q
    weight = columns * torch.tensor([0.02, 0.01], dtype=torch.float64)
    spread = 1 / (1 + weight.square().sum(0) / variance)
    up = spread[:, None] * weight.T / variance
    net = model("variational", hidden=[], latent_dim=2, observation="gaussian", variance=variance, warm_up=0.0, **changes)
    assign(
        net,
        encoder_layers_0_weight=torch.cat([up, torch.zeros_like(up)]).T,
        encoder_layers_0_bias=torch.cat([-0.5 * up.sum(1), (posterior_variance * spread).log()]),
        decoder_layers_0_weight=4 * weight.T,
    )
    identity = torch.eye(PIXELS, dtype=torch.float64)
    density = MultivariateNormal(identity[0] * 0 + 0.5, weight @ weight.T + variance * identity)
    x = 0.5 + torch.randn(20, PIXELS, dtype=torch.float64, generator=torch.Generator().manual_seed(3)) @ density.scale_tril.T
    gap = kl_divergence(Normal(0.0, (posterior_variance * spread).sqrt()), Normal(0.0, spread.sqrt())).sum()
    return net, x, density.log_prob(x).mean().item(), gap.item()
