"""How probable are test images under the model? Lower bounds of log p(x) in nats, mean over test images.

    ELBO    = E_q log p(x|z) - D[q(z|x) ‖ p(z)]                                    (Kingma & Welling 2014)
    IWAE_K  = E log 1/K sum_k w_k,   w_k = p(x|z_k) p(z_k) / q(z_k|x),  z_k ~ q    (Burda et al. 2016, equation 8)
    ELBO = IWAE_1 <= IWAE_K <= IWAE_K' <= log p(x),  K < K'
    log p(x) - ELBO = D[q(z|x) ‖ p(z|x)],   posterior gap = IWAE_K - ELBO <= log p(x) - ELBO in expectation
    KL of q(z) = D[N(m, S) ‖ N(0, I)],   m and S mean and covariance of q(z) = E q(z|x) over test images

`aebench.evaluation.arrays.density` draws the samples and computes log w, E_q -log p(x|z) and D[q(z|x) ‖ p(z)] of test images. β
is 1, whatever a model was trained with; the *effective β* of its loss is defined in `aebench.models.variational`. There are two
sets of bounds. The first is of the model's own likelihood and NaN for a model without a posterior. The second is of the ex-post
density (Ghosh et al. 2020): a Gaussian fitted to the training codes, with Gaussian noise on the reconstructions. It is computed
in the same way for every model and is exact for linear decoders; see `aebench.evaluation.arrays.expost_density`. The effective
sample size, ESS = (sum w)² / sum w², shows how tight a bound is: if the ESS of K samples is near 1, log p(x) may be many nats
higher, and the posterior gap is a small part of log p(x) - ELBO. This happens when q(z|x) is far too narrow: its samples stay
close to the mean and miss the other codes that explain the image.

No direction is better and there is no perfect value: the best attainable one is minus the entropy of the images, which is
unknown. A Bernoulli observation model gives a probability and a Gaussian one a density, so the two are not comparable; for grey
pixels the Bernoulli term is a cross-entropy, not the likelihood of a binary image. On pixels that never change, a density is
bounded only by the lower limit of its variance, so it may disagree with how images look (Theis et al. 2016). Bits per pixel
are -nats / (pixels ln 2).
"""

import math
from typing import TYPE_CHECKING

from aebench.evaluation.metrics.base import Metric, Profile
from aebench.evaluation.representation import Representation
from aebench.statistics import estimate

if TYPE_CHECKING:
    from torch import Tensor

ACTIVE = 0.01
"""Variance of a posterior mean above which a unit counts as active."""
SINGULAR = 1e-10
"""Smallest over largest variance at which a covariance counts as singular."""


def elbo(r: Representation) -> float:
    """Return the ELBO, with the exact divergence and a Monte Carlo estimate of the reconstruction term."""
    return -expected_nll(r) - posterior_kl(r)


def expected_nll(r: Representation) -> float:
    """Return the reconstruction term E_q -log p(x|z), which may be negative for a Gaussian."""
    return float(r.density.nll.mean())


def posterior_kl(r: Representation) -> float:
    """Return the KL divergence D[q(z|x) ‖ N(0, I)], >= 0, which is exact."""
    return float(r.density.kl.mean())


def iwae(r: Representation) -> float:
    """Return IWAE_K, where K is the number of samples drawn."""
    return float(bounds(r.density.log_weights).mean())


def posterior_gap(r: Representation) -> float:
    """Return IWAE_K - ELBO. It is >= 0 in expectation, and 0 if q(z|x) is the posterior p(z|x)."""
    return iwae(r) - elbo(r)


def iwae_half_width(r: Representation) -> float:
    """Return the half-width of the 95 % interval of the mean of `iwae` over test images; NaN for one image."""
    return half_width(r.density.log_weights)


def iwae_ess(r: Representation) -> float:
    """Return the effective sample size of the weights of `iwae` in % of the samples, in (0, 100]."""
    return effective_share(r.density.log_weights)


def effective_beta(r: Representation) -> float:
    """Return the effective β of the loss, >= 0. If the variance is learnt, the trained variance is used."""
    return r.density.effective_beta


def active_units(r: Representation) -> float:
    """Return the number of active units among the codes of all test images; NaN without a posterior or likelihood."""
    return count_active(r.codes) if r.density.kl.isfinite().all() else math.nan


def count_active(codes: "Tensor") -> float:
    """Return the number of units for which E[z|x] (n, k) has a variance above `ACTIVE` over n images.

    This is the definition of Burda et al. (2016), section 5.3.
    """
    return float((codes.double().var(0, correction=0) > ACTIVE).sum())


def aggregate_kl(r: Representation) -> float:
    """Return the KL of q(z) as defined above, >= 0 and at most the divergence of q(z) itself.

    It is NaN if S is not finite, or if its smallest eigenvalue is at most `SINGULAR` times its largest.
    """
    import torch

    from aebench.objectives import general_gaussian_kl

    codes = r.codes.double()
    mean, identity = codes.mean(0), torch.eye(codes.shape[1], dtype=codes.dtype, device=codes.device)
    covariance = (codes - mean).T @ (codes - mean) / len(codes) + torch.diag(r.density.posterior_variance)
    if not covariance.isfinite().all():
        return math.nan
    variances = torch.linalg.eigvalsh(covariance)
    singular = bool(variances[0] <= SINGULAR * variances[-1])
    return math.nan if singular else float(general_gaussian_kl(mean, covariance, torch.zeros_like(mean), identity))


def expost_density(r: Representation) -> float:
    """Return the importance-weighted lower bound on the ex-post log p(x)."""
    return float(bounds(r.density.expost_log_weights).mean())


def expost_half_width(r: Representation) -> float:
    """Return the half-width of the 95 % interval of the mean of `expost_density` over test images; NaN for one image."""
    return half_width(r.density.expost_log_weights)


def expost_ess(r: Representation) -> float:
    """Return the effective sample size of the weights of `expost_density` in % of the samples, in (0, 100]."""
    return effective_share(r.density.expost_log_weights)


def expost_deviation(r: Representation) -> float:
    """Return the standard deviation σ > 0 of a pixel about its reconstruction, under the ex-post density."""
    return math.sqrt(r.density.variance)


def iwae_by_samples(r: Representation) -> dict[str, float]:
    """Return IWAE_K by K, for the powers of ten below the number of samples, and for all samples."""
    log_weights = r.density.log_weights
    total = log_weights.shape[1]
    samples = [*(10**e for e in range(len(str(total))) if 10**e < total), total]
    return {str(k): float(bounds(log_weights, k).mean()) for k in samples}


def bounds(log_weights: "Tensor", samples: int | None = None) -> "Tensor":
    """Return log 1/K sum_k w_k of each image, given the logarithms of its weights: (n, K') -> (n,).

    It is averaged over disjoint groups of K = `samples` weights; by default there is one group of all weights.
    """
    from aebench.objectives import log_mean_exp

    samples = samples or log_weights.shape[1]
    return log_mean_exp(log_weights.unfold(1, samples, samples)).mean(1)


def half_width(log_weights: "Tensor") -> float:
    """Return the half-width of Student's 95 % interval of the mean of `bounds` over images; NaN if one is not finite."""
    values = bounds(log_weights)
    return estimate(values.tolist()).half_width if values.isfinite().all() else math.nan


def effective_share(log_weights: "Tensor") -> float:
    """Return 100 (sum w)² / (K sum w²), averaged over images: (n, K) -> scalar (Kish 1965)."""
    sizes = 2 * log_weights.logsumexp(1) - (2 * log_weights).logsumexp(1)
    return float(100 * sizes.exp().mean() / log_weights.shape[1])


OWN = "under the model's own likelihood; Bernoulli (for grey pixels a cross-entropy) and Gaussian values are not comparable."
EXPOST = "under the ex-post density: a Gaussian fitted to the training codes, with Gaussian noise on the reconstructions."

METRICS = {
    "effective_beta": Metric(
        effective_beta,
        "Effective β",
        better=None,
        unit="no unit",
        perfect=None,
        decimals=2,
        meaning="Weight of the KL divergence relative to the reconstruction error in the training loss. The error is the "
        "squared error, summed over pixels, or for a Bernoulli observation model the cross-entropy in nats; the two "
        "are not comparable. The effective β of MSE + KL is 1 if the squared error is summed over pixels, and "
        "equals the number of pixels if it is averaged over them.",
    ),
    "elbo": Metric(
        elbo,
        "ELBO",
        better=None,
        unit="nats",
        perfect=None,
        decimals=2,
        meaning=f"Evidence lower bound on log p(x) at β = 1, {OWN}",
    ),
    "expected_nll": Metric(
        expected_nll,
        "E -log p(x|z)",
        better=None,
        unit="nats",
        perfect=None,
        decimals=2,
        meaning=f"Reconstruction term of the negative ELBO, {OWN}",
    ),
    "posterior_kl": Metric(
        posterior_kl,
        "KL",
        better=None,
        unit="nats",
        perfect=None,
        decimals=2,
        meaning="KL(q(z|x) ‖ N(0, I)), the divergence term of the negative ELBO; 0 if the code carries no information.",
    ),
    "iwae": Metric(
        iwae,
        "IWAE",
        better=None,
        unit="nats",
        perfect=None,
        decimals=2,
        meaning=f"Importance-weighted lower bound on log p(x), {OWN}",
    ),
    "posterior_gap": Metric(
        posterior_gap,
        "Posterior gap",
        better=None,
        unit="nats",
        perfect=None,
        decimals=2,
        meaning="IWAE - ELBO, in expectation a lower bound on log p(x) - ELBO = KL(q(z|x) ‖ p(z|x)): how far q(z|x) is from "
        "the posterior.",
    ),
    "iwae_half_width": Metric(
        iwae_half_width,
        "IWAE ±",
        better=None,
        unit="nats",
        perfect=None,
        decimals=2,
        meaning="Half-width of the 95 % interval of the mean IWAE over test images.",
    ),
    "iwae_ess": Metric(
        iwae_ess,
        "IWAE ESS",
        better=None,
        unit="%",
        perfect=None,
        decimals=2,
        meaning="Effective sample size of the importance weights, in % of the samples: the higher, the tighter the bound.",
    ),
    "active_units": Metric(
        active_units,
        "Active units",
        better=None,
        unit="number",
        perfect=None,
        decimals=1,
        meaning="Number of units whose posterior mean has a variance above 0.01 over test images, under a prior of N(0, I); "
        "undefined for models without a posterior.",
    ),
    "aggregate_kl": Metric(
        aggregate_kl,
        "KL of q(z)",
        better=None,
        unit="nats",
        perfect=None,
        decimals=2,
        meaning="KL divergence from N(0, I) of the Gaussian with the mean and covariance of the aggregate posterior q(z); "
        "undefined if that Gaussian has no variance in some direction.",
    ),
    "expost_density": Metric(
        expost_density,
        "Ex-post log density",
        better=None,
        unit="nats",
        perfect=None,
        decimals=2,
        meaning=f"Importance-weighted lower bound on log p(x) {EXPOST}",
    ),
    "expost_half_width": Metric(
        expost_half_width,
        "Ex-post ±",
        better=None,
        unit="nats",
        perfect=None,
        decimals=2,
        meaning="Half-width of the 95 % interval of the mean ex-post log density over test images.",
    ),
    "expost_ess": Metric(
        expost_ess,
        "Ex-post ESS",
        better=None,
        unit="%",
        perfect=None,
        decimals=2,
        meaning="Effective sample size of the importance weights of the ex-post density, in % of the samples; 100 for linear "
        "decoders, where the bound is exact.",
    ),
    "expost_deviation": Metric(
        expost_deviation,
        "Ex-post σ",
        better=None,
        unit="per pixel",
        perfect=None,
        decimals=4,
        meaning=f"Standard deviation of a pixel, chosen on validation images, {EXPOST}",
    ),
}
PROFILES = {
    "iwae_by_samples": Profile(
        iwae_by_samples,
        "IWAE by samples",
        axis="number of samples K",
        better=None,
        unit="nats",
        decimals=2,
        meaning=f"Importance-weighted lower bound on log p(x) with K samples, {OWN}",
    ),
}
