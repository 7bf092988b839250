"""Importance weights of test images under the model's own likelihood and under its ex-post density.

    own      log w = log p(x|z) + log p(z) - log q(z|x),   z ~ q(z|x),  p(z) = N(0, I)
    ex post  log w = log p(x|u) + log p(u) - log q(u|x),   u ~ q(u|x),  defined in `aebench.evaluation.arrays.expost_density`

In expectation log 1/K sum_k w_k <= log p(x) (Burda et al. 2016). The own weights of a model without a posterior are NaN.
Weights are stored (8 bytes each), decoded images are not. Test images are evenly spaced, because the first half of a test set
may be easier than the second, as on MNIST. Noise is drawn image by image, so no number depends on how many images are decoded
at once.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Generator, Tensor
from torch.linalg import LinAlgError

from aebench.evaluation.arrays.expost_density import ExpostDensity
from aebench.evaluation.replicas import BLOCK
from aebench.evaluation.view import View, evenly_spaced
from aebench.models.external.adapter import DECODER_DERIVATIVE
from aebench.objectives import gaussian_kl, reparameterise
from aebench.randomness import Use

Likelihood = Callable[[Tensor, Tensor], Tensor]
ENTRIES = 2**22
"""Maximum number of entries of the largest array that a block of images needs."""


@dataclass(frozen=True, eq=False)
class Densities:
    """Importance weights of m test images, in nats.

    `log_weights` (m, K), `nll` = E_q -log p(x|z) (m,) and `kl` = D[q ‖ N(0, I)] (m,) belong to the model's own likelihood and
    are NaN for a model without a posterior or likelihood. `expost_log_weights` (m, L) and the variance per pixel of the
    observation model, `variance`, belong to the ex-post density; they are NaN without the decoder's derivative, or where the
    decoder is so steep that its Jacobian cannot be squared in float64. `posterior_variance` (k,) is the variance of q(z|x),
    averaged over all test images; 0 for a model without a posterior. `effective_beta` is defined in
    `aebench.models.variational`; NaN for a model without a divergence.
    """

    log_weights: Tensor
    nll: Tensor
    kl: Tensor
    expost_log_weights: Tensor
    variance: float
    posterior_variance: Tensor
    effective_beta: float = math.nan


def density(view: View) -> Densities:
    """Compute the importance weights of both densities at the same test images."""
    x = evenly_spaced(view.images, view.settings.density.images)
    beta = view.replica("effective_beta")
    beta = math.nan if beta is None else float(beta)
    try:
        expost = _expost(view, x)
    except LinAlgError:
        expost = x.new_full((len(x), view.settings.density.draws), math.nan, dtype=torch.float64), math.nan
    own = own_weights(view, x, view.settings.density.samples, view.generator(Use.DENSITY))
    return Densities(*own, *expost, posterior_variance(view), beta)


def importance_weights(
    x: Tensor, posterior: tuple[Tensor, Tensor], nll: Likelihood, noise: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Compute log weights (n, K), the mean of -log p(x|z) (n,) and the exact divergence D[q ‖ N(0, I)] (n,) in float64.

    `x` (n, d) are images, `posterior` is the mean and the log-variance (n, k), `nll(x, z)` is the model's -log p(x|z), and
    `noise` (n, K, k) is standard normal.
    """
    mean, log_variance = (part.double() for part in posterior)
    z = reparameterise(mean[:, None], log_variance[:, None], noise)
    cost = nll(x[:, None], z.to(x.dtype)).double()
    ratio = (noise.square() + log_variance[:, None] - z.square()).sum(-1) / 2  # log p(z) - log q(z|x)
    return ratio - cost, cost.mean(1), gaussian_kl(mean, log_variance)


def posterior_variance(view: View) -> Tensor:
    """Average the variance of each unit under q(z|x) over the test images: (k,) in float64, 0 without a posterior."""
    posteriors = [view.replica("posterior", rows) for rows in view.images.split(BLOCK)]
    if not posteriors[0]:
        return torch.zeros_like(view.codes[0], dtype=torch.float64)
    return torch.cat([log_variance for _, log_variance in posteriors]).double().exp().mean(0)


def own_weights(view: View, x: Tensor, samples: int, generator: Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Compute the own log weights (n, K), -log p(x|z) (n,) and divergence (n,) of images (n, d) from K = `samples` samples.

    They are NaN for a model without a posterior or likelihood.
    """
    posterior = view.replica("posterior", x)
    if not posterior or view.replica("nll", x, posterior[0]) is None:
        missing = x.new_full((len(x),), math.nan, dtype=torch.float64)
        return missing[:, None].expand(-1, samples), missing, missing
    units = posterior[0].shape[1]
    block = max(1, ENTRIES // (samples * max(x.shape[1], units)))
    nll, blocks = partial(view.replica, "nll"), zip(*(rows.split(block) for rows in (x, *posterior)), strict=True)
    parts = [
        importance_weights(rows, q, nll, standard_normal(len(rows), samples, units, generator, x.device)) for rows, *q in blocks
    ]
    return tuple(torch.cat(rows) for rows in zip(*parts, strict=True))


def _expost(view: View, x: Tensor) -> tuple[Tensor, float]:
    settings, generator = view.settings.density, view.generator(Use.EXPOST_DENSITY)
    if DECODER_DERIVATIVE in view.missing:
        return x.new_full((len(x), settings.draws), math.nan, dtype=torch.float64), math.nan
    model = ExpostDensity.fit(
        view.replica.function("decode"), view.reference_codes[: -view.validation_count], settings.directions
    )
    validation = evenly_spaced(view.reference[-view.validation_count :], settings.validation_images)
    block = max(1, ENTRIES // (max(settings.draws, model.rank) * max(x.shape[1], view.codes.shape[1])))
    weights = []
    with torch.no_grad():
        variance = model.observation_variance(validation, view.encode(validation), settings.least_variance, block)
        for rows in x.split(block):
            noise = standard_normal(len(rows), settings.draws, model.rank, generator, x.device)
            weights.append(model.log_weights(rows, view.encode(rows), variance, settings.steps, noise))
    return torch.cat(weights), variance


def standard_normal(images: int, draws: int, units: int, generator: Generator, device: torch.device) -> Tensor:
    """Draw noise (images, draws, units) on the CPU, one image at a time, and convert it to float64."""
    return torch.stack([torch.randn(draws, units, generator=generator) for _ in range(images)]).to(device, torch.float64)
