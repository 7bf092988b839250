"""Formulas of the models and of their evaluation, as pure functions of tensors.

Shapes: (..., d) pixels, (..., k) code units. Except for `activation_kl` and `principal_axes`, which are defined for a set of
codes, losses and likelihoods have one value per image; the models take the mean. Likelihoods and divergences are in nats.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

ROWS = 4096
"""Number of rows that are multiplied in their own dtype before sums continue in float64."""
LARGEST = 1e15
"""Values of at least this size are treated as too large to be squared: the largest float32 is 3.4e38."""


def squared_error(x: Tensor, x_hat: Tensor) -> Tensor:
    """‖x - x̂‖² >= 0: (..., d) -> (...)."""
    return (x - x_hat).square().sum(-1)


def bernoulli_nll(x: Tensor, logits: Tensor) -> Tensor:
    """-sum_j [x_j log p_j + (1 - x_j) log(1 - p_j)] with p = sigmoid(logits): (..., d) -> (...); >= 0 for x in [0, 1].

    Computed as softplus(l) - x l, which never takes the log of a rounded 0. For grey values 0 < x < 1 it is a cross-entropy
    whose minimum is above 0, not the likelihood of a binary image.
    """
    return (softplus(logits) - x * logits).sum(-1)


def gaussian_nll(x: Tensor, mean: Tensor, log_variance: Tensor | float) -> Tensor:
    """-log N(x; mean, diag exp(log_variance)): (..., d) -> (...); negative where the density exceeds 1."""
    log_variance = log_variance + torch.zeros_like(x - mean)
    return 0.5 * (math.log(2 * math.pi) + log_variance + (x - mean).square() * (-log_variance).exp()).sum(-1)


def reparameterise(mean: Tensor, log_variance: Tensor, epsilon: Tensor) -> Tensor:
    """z = μ + σ ε, a sample of N(μ, diag σ²) for ε ~ N(0, I): (..., k) each -> (..., k) (Kingma & Welling 2014)."""
    return mean + (log_variance / 2).exp() * epsilon


def gaussian_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, diag exp(log_variance)) ‖ N(0, I)) >= 0: (..., k) -> (...) (Kingma & Welling 2014, appendix B)."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(-1)


def general_gaussian_kl(mean_0: Tensor, covariance_0: Tensor, mean_1: Tensor, covariance_1: Tensor) -> Tensor:
    """KL(N(μ0, Σ0) ‖ N(μ1, Σ1)) = ½ [tr(Σ1⁻¹ Σ0) + (μ1 - μ0)ᵀ Σ1⁻¹ (μ1 - μ0) - k + log det Σ1 - log det Σ0] >= 0.

    Means (..., k) and positive definite covariances (..., k, k) -> (...) (Doersch 2016, equation 6).
    """
    root_0, root_1 = torch.linalg.cholesky(covariance_0), torch.linalg.cholesky(covariance_1)
    trace = _inverse_norm(root_1, root_0)
    distance = _inverse_norm(root_1, (mean_1 - mean_0)[..., None])
    return 0.5 * (trace + distance - mean_0.shape[-1]) + _half_log_det(root_1) - _half_log_det(root_0)


def bhattacharyya(mean_0: Tensor, covariance_0: Tensor, mean_1: Tensor, covariance_1: Tensor) -> Tensor:
    """-log ∫ sqrt(p q) = ⅛ (μ1 - μ0)ᵀ Σ⁻¹ (μ1 - μ0) + ½ log(det Σ / sqrt(det Σ0 det Σ1)) >= 0, Σ = (Σ0 + Σ1) / 2.

    p = N(μ0, Σ0), q = N(μ1, Σ1); means (..., k) and positive definite covariances (..., k, k) -> (...) (Kailath 1967).
    Symmetric, and at most ½ KL(p ‖ q) and ½ KL(q ‖ p).
    """
    root, root_0, root_1 = map(torch.linalg.cholesky, ((covariance_0 + covariance_1) / 2, covariance_0, covariance_1))
    distance = _inverse_norm(root, (mean_1 - mean_0)[..., None])
    return distance / 8 + _half_log_det(root) - (_half_log_det(root_0) + _half_log_det(root_1)) / 2


def _inverse_norm(root: Tensor, columns: Tensor) -> Tensor:
    """‖R⁻¹ C‖²_F = tr(Cᵀ (R Rᵀ)⁻¹ C) with a lower triangular R: (..., k, k) and (..., k, p) -> (...)."""
    return torch.linalg.solve_triangular(root, columns, upper=False).square().sum((-1, -2))


def _half_log_det(root: Tensor) -> Tensor:
    """½ log det(R Rᵀ) with a lower triangular R: (..., k, k) -> (...)."""
    return root.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def log_mean_exp(x: Tensor) -> Tensor:
    """log 1/K sum_k exp(x_k): (..., K) -> (...)."""
    return x.logsumexp(-1) - math.log(x.shape[-1])


def importance_bound(nll: Tensor, z: Tensor, mean: Tensor, log_variance: Tensor, beta: Tensor) -> Tensor:
    """log 1/K sum_k p(x|z_k) [p(z_k) / q(z_k)]^β with z_k ~ q = N(mean, diag exp(log_variance)) and p(z) = N(0, I).

    nll = -log p(x|z_k) (..., K), z (..., K, k), mean and log_variance (..., k), beta (...) -> (...). At β = 1 its expectation
    is at most log p(x) and increases with K (Burda et al. 2016, equation 8).
    """
    zero = torch.zeros_like(z)
    ratio = gaussian_nll(z, mean[..., None, :], log_variance[..., None, :]) - gaussian_nll(z, zero, zero)
    return log_mean_exp(beta[..., None] * ratio - nll)


def activation_kl(h: Tensor, target: float) -> Tensor:
    """sum_j KL(ρ ‖ ρ̂_j) >= 0 with ρ̂_j the batch mean of unit j: h (n, k) in (0, 1) -> scalar (Ng 2011, section 3).

    ρ̂ is clamped to [1e-6, 1 - 1e-6], so the penalty of a unit that is 0 for the entire batch is finite, but has no gradient.
    """
    mean = h.mean(0).clamp(1e-6, 1 - 1e-6)
    return (target * (target / mean).log() + (1 - target) * ((1 - target) / (1 - mean)).log()).sum()


def l1(h: Tensor) -> Tensor:
    """sum_j |h_j| >= 0: (..., k) -> (...)."""
    return h.abs().sum(-1)


def layer_contraction(slopes: Tensor, weight: Tensor) -> Tensor:
    """‖J‖²_F = sum_j f'(z_j)² ‖W_:j‖² of one layer h = f(x W + b): slopes f'(z) (..., k), W (d, k) -> (...).

    For a sigmoid f' = h (1 - h) (Rifai et al. 2011, equation 7).
    """
    return (slopes.square() * weight.square().sum(0)).sum(-1)


def squared_norm(rows: Tensor) -> Tensor:
    """‖R‖²_F: (..., p, d) -> (...). R holds the p = k rows of a Jacobian, or its products with p probes.

    Rows in bfloat16, which products return when training in that precision, are summed in float32.
    """
    rows = rows.float() if rows.dtype == torch.bfloat16 else rows
    return rows.square().sum((-1, -2))


def bounded(*values: Tensor) -> bool:
    """Whether all values are finite and below `LARGEST` in absolute value, so that float32 holds sums of their squares."""
    return all(bool((value.abs() < LARGEST).all()) for value in values)


def principal_axes(centred: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Variances (k,) >= 0, ascending, and principal axes (k, k) in columns of centred rows (n, k), in float64.

    Both are of sum_i c_i c_iᵀ / `count`. Products are taken in the rows' dtype, `ROWS` at a time, and summed in float64.
    """
    total = sum((part.T @ part).double() for part in centred.split(ROWS))
    variances, axes = torch.linalg.eigh(total / count)
    return variances.clamp(min=0), axes
