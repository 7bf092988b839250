"""Every formula of the family once: pure functions of tensors, a number an image (sums over pixels or units).

Shapes: (..., d) pixels, (..., k) code units; the last axis is summed, those before it are kept, and a chapter's terms take
the mean over them. `activation_kl` alone is of a batch. Likelihoods and divergences are in nats.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus


def squared_error(x: Tensor, x_hat: Tensor) -> Tensor:
    """‖x - x̂‖², (..., d) and (..., d) -> (...); >= 0."""
    return (x - x_hat).square().sum(-1)


def bernoulli_nll(x: Tensor, logits: Tensor) -> Tensor:
    """-sum_j [x_j log p_j + (1 - x_j) log(1 - p_j)], p = sigmoid(logits), (..., d) -> (...); >= 0 for x in [0, 1].

    Written as softplus(l) - x l, which never takes the log of a rounded 0. For x strictly between 0 and 1 this is a
    cross-entropy with a floor above 0, not the likelihood of a binary image.
    """
    return (softplus(logits) - x * logits).sum(-1)


def gaussian_nll(x: Tensor, mean: Tensor, log_variance: Tensor | float) -> Tensor:
    """-log N(x; mean, diag(exp(log_variance))), (..., d) -> (...); a density's, so it may be negative."""
    log_variance = log_variance + torch.zeros_like(x - mean)
    return 0.5 * (math.log(2 * math.pi) + log_variance + (x - mean).square() * (-log_variance).exp()).sum(-1)


def gaussian_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """D[N(mean, diag(exp(log_variance))) ‖ N(0, I)], (..., k) -> (...); >= 0 (Kingma & Welling 2014, appendix B)."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(-1)


def general_gaussian_kl(mean_0: Tensor, covariance_0: Tensor, mean_1: Tensor, covariance_1: Tensor) -> Tensor:
    """D[N(μ0, Σ0) ‖ N(μ1, Σ1)] = ½ [tr(Σ1⁻¹ Σ0) + (μ1 - μ0)ᵀ Σ1⁻¹ (μ1 - μ0) - k + log det Σ1 - log det Σ0]; >= 0.

    Means (..., k), covariances (..., k, k) positive definite -> (...). (Doersch 2016, equation 6.)
    """
    root_0, root_1 = torch.linalg.cholesky(covariance_0), torch.linalg.cholesky(covariance_1)
    spread = torch.linalg.solve_triangular(root_1, root_0, upper=False).square().sum((-1, -2))
    shift = torch.linalg.solve_triangular(root_1, (mean_1 - mean_0)[..., None], upper=False).square().sum((-1, -2))
    halves = [root.diagonal(dim1=-2, dim2=-1).log().sum(-1) for root in (root_0, root_1)]
    return 0.5 * (spread + shift - mean_0.shape[-1]) + halves[1] - halves[0]


def importance_bound(nll: Tensor, z: Tensor, mean: Tensor, log_variance: Tensor, beta: Tensor) -> Tensor:
    """log 1/K sum_k p(x|z_k) [p(z_k) / q(z_k)]^β, z_k ~ q = N(mean, diag(exp(log_variance))), p(z) = N(0, I).

    nll = -log p(x|z_k) (..., K), z (..., K, k), mean and log_variance (..., k), beta (...) -> (...). At β = 1 in expectation
    at most log p(x), and rising with K (Burda et al. 2016, equation 8).
    """
    zero = torch.zeros_like(z)
    ratio = gaussian_nll(z, mean[..., None, :], log_variance[..., None, :]) - gaussian_nll(z, zero, zero)
    return torch.logsumexp(beta[..., None] * ratio - nll, -1) - math.log(nll.shape[-1])


def activation_kl(h: Tensor, target: float) -> Tensor:
    """sum_j KL(ρ ‖ ρ̂_j), ρ̂_j the mean over the batch of unit j, h (n, k) in (0, 1) -> scalar >= 0 (Ng 2011, section 3).

    ρ̂ is held in [1e-6, 1 - 1e-6]: a unit that is off for a whole batch costs much but not infinitely, and is not pulled back.
    """
    mean = h.mean(0).clamp(1e-6, 1 - 1e-6)
    return (target * (target / mean).log() + (1 - target) * ((1 - target) / (1 - mean)).log()).sum()


def l1(h: Tensor) -> Tensor:
    """sum_j |h_j|, (..., k) -> (...); >= 0."""
    return h.abs().sum(-1)


def layer_contraction(slopes: Tensor, weight: Tensor) -> Tensor:
    """‖J‖²_F of one layer h = f(W x + b): sum_j f'(z_j)² ‖W_j‖², slopes f'(z) (..., k), W (k, d) -> (...).

    For sigmoids f' = h (1 - h) (Rifai et al. 2011, equation 7).
    """
    return (slopes.square() * weight.square().sum(1)).sum(-1)


def squared_norm(rows: Tensor) -> Tensor:
    """‖R‖²_F, (..., p, d) -> (...): of the p = k rows of a Jacobian, or of p random probes of it."""
    return rows.square().sum((-1, -2))
