"""The ex-post density of any model (Ghosh et al. 2020): a Gaussian fitted to the codes, and a Gaussian observation model.

    p(u) = N(0, I_r),   h = μ + uA,   p(x|u) = N(g(h), σ² I)

g is the decoder and μ (k,) is the mean of the training codes. The rows of A (r, k) are the leading principal axes of the
training codes, each scaled by the standard deviation along it. If no axis is left out, h has the mean and the covariance
of the training codes; directions without variance (dead units) are always left out. σ² is chosen on validation images. With the
importance weights log w = log p(x|u) + log p(u) - log q(u|x), u ~ q, log 1/L sum w is in expectation a lower bound on log p(x).

q is the Laplace approximation. With the decoder's Jacobian J = ∂g/∂u (r, d),

    q(u|x) = N(m, Λ⁻¹),   Λ = I + J Jᵀ / σ²,   m = Λ⁻¹ J (x - g(u₀) + u₀J) / σ²          (a Gauss-Newton step from u₀)

u₀ is initially the coordinates u of the image's code f(x). After each step m replaces it, unless that lowers p(x, u). If g is
linear, q is the posterior and every weight equals the density of probabilistic PCA, N(g(μ), JᵀJ + σ² I) (Tipping & Bishop
1999), so that one draw is exact. Otherwise the effective sample size shows how close q is to the posterior. On MNIST it is
about 20 % of 500 draws for codes of 8 units and 2 % for codes of 30 or 1000 units, whose bounds may be several nats below
log p(x).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import jvp, vmap

from aebench.objectives import gaussian_nll, principal_axes

ROUNDING = 1e-6
"""Directions whose variance is at most this fraction of the largest variance are considered rounding errors."""
VARIANCES = 400
"""Number of candidates for σ² between its lower limit and 1, equally spaced on a logarithmic scale."""


@dataclass(frozen=True, eq=False)
class ExpostDensity:
    """A decoder `decode` (n, k) -> (n, d) in `dtype`, and mean μ (k,) and `directions` A (r, k) of the codes in float64."""

    decode: Callable[[Tensor], Tensor]
    mean: Tensor
    directions: Tensor
    dtype: torch.dtype

    @classmethod
    def fit(cls, decode: Callable[[Tensor], Tensor], codes: Tensor, most: int) -> "ExpostDensity":
        """Fit to codes (n, k) along at most `most` directions; the leading direction is kept even without variance."""
        mean = codes.double().mean(0)
        variances, axes = principal_axes(codes - mean.to(codes.dtype), len(codes))
        variances, axes = variances[-most:], axes[:, -most:]
        kept = variances > ROUNDING * variances[-1]
        kept[-1] = True
        return cls(decode, mean, (axes * variances.sqrt()).T[kept], codes.dtype)

    @property
    def rank(self) -> int:
        """Return the number of directions r."""
        return len(self.directions)

    def project(self, codes: Tensor) -> Tensor:
        """Compute the coordinates u (n, r) of codes (n, k); 0 along a direction without variance."""
        variances = self.directions.square().sum(1).clamp(min=torch.finfo(torch.float64).tiny)
        return (codes.double() - self.mean) @ self.directions.T / variances

    def decoded(self, u: Tensor) -> Tensor:
        """Decode coordinates u (..., r) to images g (..., d) in float64."""
        return self.decode(self._codes(u)).double()

    def jacobians(self, u: Tensor) -> Tensor:
        """Compute J (n, r, d) at u (n, r) with one forward-mode derivative per direction."""
        h = self._codes(u)
        along = vmap(lambda direction: jvp(self.decode, (h,), (direction.expand_as(h),))[1], out_dims=1)
        return along(self.directions.to(self.dtype)).double()

    def evidence(self, x: Tensor, u: Tensor, variances: Tensor) -> Tensor:
        """Compute log N(x; g(u) - uJ, JᵀJ + σ² I) (n, v) for variances σ² (v,), which is log p(x) with g linearised at u."""
        jacobians = self.jacobians(u)
        residual = self._residual(x, u, jacobians)
        values, vectors = torch.linalg.eigh(jacobians @ jacobians.mT)
        along = ((jacobians @ residual[..., None]).mT @ vectors).square()  # (n, 1, r)
        spread = values.clamp(min=0)[:, None] + variances[:, None]  # (n, v, r)
        distance = (residual.square().sum(1, keepdim=True) - (along / spread).sum(-1)) / variances
        volume = spread.log().sum(-1) + (x.shape[1] - self.rank) * variances.log()
        return -(x.shape[1] * math.log(2 * math.pi) + volume + distance) / 2

    def observation_variance(self, x: Tensor, codes: Tensor, least: float, block: int) -> float:
        """Choose the σ² in [least, 1] with the largest evidence for images x (n, d) and g linearised at their codes (n, k)."""
        candidates = torch.logspace(math.log10(least), 0, VARIANCES, dtype=torch.float64, device=x.device)
        pairs = zip(x.double().split(block), self.project(codes).split(block), strict=True)
        return float(candidates[sum(self.evidence(part, u, candidates).sum(0) for part, u in pairs).argmax()])

    def proposal(self, x: Tensor, u: Tensor, variance: float) -> tuple[Tensor, Tensor]:
        """Compute m (n, r) and the lower Cholesky factor (n, r, r) of Λ by a step from u (n, r), unless it lowers p(x, u)."""
        jacobians = self.jacobians(u)
        identity = torch.eye(self.rank, dtype=x.dtype, device=x.device)
        root = torch.linalg.cholesky(identity + jacobians @ jacobians.mT / variance)
        gradient = jacobians @ self._residual(x, u, jacobians)[..., None] / variance
        step = torch.cholesky_solve(gradient, root)[..., 0]
        better = self._log_joint(x, step, variance) >= self._log_joint(x, u, variance)
        return torch.where(better[:, None], step, u), root

    def log_weights(self, x: Tensor, codes: Tensor, variance: float, steps: int, noise: Tensor) -> Tensor:
        """Compute log w (n, L) of images x (n, d) with codes (n, k) after `steps` >= 1 steps, from N(0, I) noise (n, L, r)."""
        x, u = x.double(), self.project(codes)
        for _ in range(steps):
            u, root = self.proposal(x, u, variance)
        u = u[:, None] + torch.linalg.solve_triangular(root.mT, noise.mT, upper=True).mT
        ratio = (noise.square() - u.square()).sum(-1) / 2 - root.diagonal(dim1=-2, dim2=-1).log().sum(-1, keepdim=True)
        return ratio - gaussian_nll(x[:, None], self.decoded(u), math.log(variance))

    def _codes(self, u: Tensor) -> Tensor:
        return self.mean.to(self.dtype) + u.to(self.dtype) @ self.directions.to(self.dtype)

    def _residual(self, x: Tensor, u: Tensor, jacobians: Tensor) -> Tensor:
        """Compute x - g(u) + uJ (n, d), the residual of the linearised decoder at u = 0."""
        return x - self.decoded(u) + (u[:, None] @ jacobians)[:, 0]

    def _log_joint(self, x: Tensor, u: Tensor, variance: float) -> Tensor:
        """Compute log p(x, u) (n,) up to a constant."""
        return -(x - self.decoded(u)).square().sum(1) / (2 * variance) - u.square().sum(1) / 2
