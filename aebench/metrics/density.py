"""How probable does the model find an unseen image? Lower bounds of log p(x) in nats, mean over test images.

    ELBO    = E_q log p(x|z) - D[q(z|x) ‖ p(z)]                                    (Kingma & Welling 2014)
    IWAE_K  = E log 1/K sum_k w_k,   w_k = p(x|z_k) p(z_k) / q(z_k|x),  z_k ~ q    (Burda et al. 2016, equation 8)
    ELBO = IWAE_1 <= IWAE_K <= IWAE_K' <= log p(x),  K < K'
    KL of q(z) = D[N(m, S) ‖ N(0, I)],   m and S mean and covariance of q(z) = E q(z|x) over test images

β = 1 whatever a model was trained with. Twice: of the model's own likelihood, which point models lack (NaN); and of a density
that every model is lent, a Gaussian of its training codes with Gaussian noise on its reconstructions (representation/lent.py),
the same recipe for all, exact for linear decoders. ESS, the effective sample size (sum w)² / sum w², tells how far a bound can
be trusted: near 1 / K of the draws, log p(x) may be many nats higher.

Nothing here is judged. The best attainable is minus the entropy of the images, which nobody knows. A Bernoulli observation has
a probability and a Gaussian one a density, so they do not compare; and of grey pixels a Bernoulli's is a cross-entropy, not the
likelihood of a binary image. A density rewards pixels that never change without limit but for its least variance, so it may
differ from what looks good (Theis et al. 2016). Bits per pixel are -nats / (pixels ln 2).
"""

import math
from typing import TYPE_CHECKING

from aebench.metrics.base import Metric, Profile
from aebench.representation import Representation
from aebench.statistics import estimate

if TYPE_CHECKING:
    from torch import Tensor

ACTIVE, SINGULAR = 0.01, 1e-10


def elbo(r: Representation) -> float:
    """With the exact divergence and a sampled reconstruction."""
    return -expected_nll(r) - posterior_kl(r)


def expected_nll(r: Representation) -> float:
    """E_q -log p(x|z); of a Gaussian it may be negative."""
    return float(r.density.nll.mean())


def posterior_kl(r: Representation) -> float:
    """D[q(z|x) ‖ N(0, I)], exact; >= 0."""
    return float(r.density.kl.mean())


def iwae(r: Representation) -> float:
    """With as many samples as were drawn."""
    return float(bounds(r.density.log_weights).mean())


def iwae_half_width(r: Representation) -> float:
    """Of the mean's 95 % interval over test images; NaN of one image."""
    return half_width(r.density.log_weights)


def iwae_ess(r: Representation) -> float:
    """In % of the draws, in (0, 100]."""
    return effective_share(r.density.log_weights)


def active_units(r: Representation) -> float:
    """Units with a variance of E[z|x], the code, over all test images above `ACTIVE` (Burda et al. 2016, section 5.3)."""
    return float((r.codes.double().var(0, correction=0) > ACTIVE).sum()) if r.density.kl.isfinite().all() else math.nan


def aggregate_kl(r: Representation) -> float:
    """Of Gaussians, >= 0: at most the divergence of q(z) itself; NaN where S is singular to one part in 10^10."""
    import torch

    from aebench.objectives import general_gaussian_kl

    codes = r.codes.double()
    mean, identity = codes.mean(0), torch.eye(codes.shape[1], dtype=codes.dtype, device=codes.device)
    covariance = (codes - mean).T @ (codes - mean) / len(codes) + torch.diag(r.density.spread)
    sizes = torch.linalg.eigvalsh(covariance)
    singular = bool(sizes[0] <= SINGULAR * sizes[-1])
    return math.nan if singular else float(general_gaussian_kl(mean, covariance, torch.zeros_like(mean), identity))


def lent_density(r: Representation) -> float:
    """As `iwae`, of the density that every model is lent."""
    return float(bounds(r.density.lent_log_weights).mean())


def lent_half_width(r: Representation) -> float:
    """As `iwae_half_width`."""
    return half_width(r.density.lent_log_weights)


def lent_ess(r: Representation) -> float:
    """As `iwae_ess`."""
    return effective_share(r.density.lent_log_weights)


def lent_deviation(r: Representation) -> float:
    """s, a pixel's standard deviation about the reconstruction; > 0."""
    return math.sqrt(r.density.variance)


def iwae_by_samples(r: Representation) -> dict[str, float]:
    """IWAE_K for powers of ten below the draws and for all of them: an unbiased estimate each, and never falling."""
    log_weights = r.density.log_weights
    most = log_weights.shape[1]
    samples = [*(10**e for e in range(len(str(most))) if 10**e < most), most]
    return {str(k): float(bounds(log_weights, k).mean()) for k in samples}


def bounds(log_weights: "Tensor", samples: int | None = None) -> "Tensor":
    """log 1/K sum_k w_k of disjoint groups of K = `samples` weights, by default all, mean over groups, (n, K') -> (n,)."""
    samples = samples or log_weights.shape[1]
    groups = log_weights.unfold(1, samples, samples)
    return (groups.logsumexp(2) - math.log(samples)).mean(1)


def half_width(log_weights: "Tensor") -> float:
    """Student's, of the mean over images of `bounds`."""
    return estimate(bounds(log_weights).tolist()).half_width


def effective_share(log_weights: "Tensor") -> float:
    """100 (sum w)² / (K sum w²), mean over images, (n, K) -> scalar (Kish 1965)."""
    sizes = 2 * log_weights.logsumexp(1) - (2 * log_weights).logsumexp(1)
    return float(100 * sizes.exp().mean() / log_weights.shape[1])


OWN = "of the model's own likelihood: a Bernoulli's (of grey pixels a cross-entropy) and a Gaussian's do not compare."
LENT = "of the density lent to every model: Gaussian codes, Gaussian noise."

METRICS = {
    "elbo": Metric(elbo, "ELBO", None, "nats", None, 2, f"Lower bound of log p(x), β = 1, {OWN}"),
    "expected_nll": Metric(expected_nll, "E -log p(x|z)", None, "nats", None, 2, f"The ELBO's reconstruction term, {OWN}"),
    "posterior_kl": Metric(
        posterior_kl, "KL", None, "nats", None, 2, "The ELBO's divergence of q(z|x) from N(0, I); 0: the code says nothing."
    ),
    "iwae": Metric(iwae, "IWAE", None, "nats", None, 2, f"Importance-weighted lower bound of log p(x), {OWN}"),
    "iwae_half_width": Metric(
        iwae_half_width, "IWAE ±", None, "nats", None, 2, "Half-width of the 95 % interval of IWAE's mean over test images."
    ),
    "iwae_ess": Metric(
        iwae_ess, "IWAE ESS", None, "%", None, 2, "Effective sample size of IWAE's weights: the higher, the tighter the bound."
    ),
    "active_units": Metric(
        active_units,
        "Active units",
        None,
        "units",
        None,
        1,
        "Units of variance above 0.01 over test images; prior N(0, I).",
    ),
    "aggregate_kl": Metric(
        aggregate_kl,
        "KL of q(z)",
        None,
        "nats",
        None,
        2,
        "Divergence from N(0, I) of a Gaussian with mean and covariance of all codes, as q(z|x) spreads them; none of codes "
        "that vary in fewer directions than they have numbers.",
    ),
    "lent_density": Metric(lent_density, "Lent log density", None, "nats", None, 2, f"Lower bound of log p(x) {LENT}"),
    "lent_half_width": Metric(
        lent_half_width, "Lent ±", None, "nats", None, 2, "Half-width of the 95 % interval of its mean over test images."
    ),
    "lent_ess": Metric(
        lent_ess, "Lent ESS", None, "%", None, 2, "Effective sample size of its weights; 100: exact, as of linear decoders."
    ),
    "lent_deviation": Metric(
        lent_deviation, "Lent s", None, "per pixel", None, 4, f"A pixel's standard deviation, chosen on validation, {LENT}"
    ),
}
PROFILES = {
    "iwae_by_samples": Profile(
        iwae_by_samples, "IWAE by samples", "samples K", None, "nats", 2, f"How the bound rises with its samples, {OWN}"
    ),
}
