"""How probable is an unseen image? Importance weights of a model's own likelihood, and of one that any model is lent.

    own    log w = log p(x|z) + log p(z) - log q(z|x),   z ~ q(z|x),  p(z) = N(0, I)
    lent   the same with a density made of codes and decoder: aebench/representation/lent.py

In expectation log 1/K sum_k w_k <= log p(x) (Burda et al. 2016). Weights are kept (8 bytes each), decoded images are not. A
point model has no weights of its own: NaN. Images are spread evenly over the test set, whose first half may be easier, as
MNIST's is. Every image draws for itself, so that no number depends on how many are decoded at once.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Generator, Tensor

from aebench.objectives import gaussian_kl
from aebench.representation.lent import Lent
from aebench.representation.view import BLOCK, View, spread

STEP = 7
"""Of the stream `evaluation`. Each density draws from its start, so that what is lent does not depend on what is owned."""
Likelihood = Callable[[Tensor, Tensor], Tensor]
NUMBERS = 2**22
"""In the largest array of a block of images."""


@dataclass(frozen=True, eq=False)
class Density:
    """Of m test images, in nats. `log_weights` (m, K), `nll` = E_q -log p(x|z) (m,) and `kl` = D[q ‖ N(0, I)] (m,) are NaN
    of a model without posterior or likelihood; `lent_log_weights` (m, L) and the observation's variance, per pixel, are
    of the density that every model is lent. `spread` (k,) is the variance of q(z|x), mean over all test images; 0 of points.
    """

    log_weights: Tensor
    nll: Tensor
    kl: Tensor
    lent_log_weights: Tensor
    variance: float
    spread: Tensor


def density(view: View) -> Density:
    """Both densities of the same test images."""
    x = spread(view.images, view.settings.density.images)
    return Density(*_own(view, x), *_lent(view, x), posterior_variance(view))


def importance(x: Tensor, posterior: tuple[Tensor, Tensor], nll: Likelihood, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Log weights (n, K), their mean -log p(x|z) (n,) and the exact divergence (n,), in float64.

    x (n, d), mean and log-variance (n, k), noise (n, K, k) standard normal; `nll(x, z)` is the contract's.
    """
    mean, log_variance = (part.double() for part in posterior)
    z = mean[:, None] + (log_variance / 2).exp()[:, None] * noise
    cost = nll(x[:, None], z.to(x.dtype)).double()
    ratio = (noise.square() + log_variance[:, None] - z.square()).sum(-1) / 2  # log p(z) - log q(z|x)
    return ratio - cost, cost.mean(1), gaussian_kl(mean, log_variance)


def posterior_variance(view: View) -> Tensor:
    """The units' variances (k,) of q(z|x), mean over the test images, in float64."""
    found = [view.replica("posterior", rows) for rows in view.images.split(BLOCK)]
    if not found[0]:
        return torch.zeros_like(view.codes[0], dtype=torch.float64)
    return torch.cat([log_variance for _, log_variance in found]).double().exp().mean(0)


def _own(view: View, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    samples, generator = view.settings.density.samples, view.generator(STEP)
    posterior = view.replica("posterior", x)
    if not posterior or view.replica("nll", x, posterior[0]) is None:
        missing = x.new_full((len(x),), math.nan, dtype=torch.float64)
        return missing[:, None].expand(-1, samples), missing, missing
    units = posterior[0].shape[1]
    block = max(1, NUMBERS // (samples * max(x.shape[1], units)))
    nll, blocks = partial(view.replica, "nll"), zip(*(rows.split(block) for rows in (x, *posterior)), strict=True)
    found = [importance(rows, q, nll, normal(len(rows), samples, units, generator, x.device)) for rows, *q in blocks]
    return tuple(torch.cat(rows) for rows in zip(*found, strict=True))


def _lent(view: View, x: Tensor) -> tuple[Tensor, float]:
    told, generator = view.settings.density, view.generator(STEP)
    lent = Lent.to(view.replica.function("decode"), view.reference_codes[: -view.validation], told.directions)
    chosen = spread(view.reference[-view.validation :], told.validation_images)
    block = max(1, NUMBERS // (max(told.draws, lent.rank) * max(x.shape[1], view.codes.shape[1])))
    weights = []
    with torch.no_grad():
        variance = lent.observation_variance(chosen, view.encode(chosen), told.least_variance, block)
        for rows in x.split(block):
            noise = normal(len(rows), told.draws, lent.rank, generator, x.device)
            weights.append(lent.log_weights(rows, view.encode(rows), variance, told.steps, noise))
    return torch.cat(weights), variance


def normal(images: int, draws: int, units: int, generator: Generator, device: torch.device) -> Tensor:
    """Standard normal numbers (images, draws, units) in float64, drawn an image at a time on the CPU."""
    return torch.stack([torch.randn(draws, units, generator=generator) for _ in range(images)]).to(device, torch.float64)
