"""The density that every model is lent, so that all are asked alike: Gaussian codes, a Gaussian observation.

    p(u) = N(0, I_r),   h = μ + uA,   p(x|u) = N(g(h), s² I)

μ (k,) is the mean of the training codes, A (r, k) their leading principal directions, each as long as its deviation, so that h
has their mean and covariance; directions without variance (dead units) drop out. s² is chosen on validation. Importance
weights log w = log p(x|u) + log p(u) - log q(u|x), u ~ q, make log 1/L sum w a lower bound of log p(x) in expectation.

q is Laplace's approximation: with the decoder's slopes J = ∂g/∂u (r, d),

    q(u|x) = N(m, Λ⁻¹),   Λ = I + J Jᵀ / s²,   m = Λ⁻¹ J (x - g(u₀) + u₀J) / s²          (a Gauss-Newton step from u₀)

from u₀ = f(x), a step being kept where it raises p(x, u). Where g is linear q is the posterior, and every weight is p(x)
itself: probabilistic PCA's N(g(μ), JᵀJ + s² I) (Tipping & Bishop 1999), exact with one draw. Where g bends, the effective
sample size tells how good q is: of 500 draws about a fifth with 8 units, 2 % with 30 and with 1000 on MNIST, whose bounds may
lie some nats below log p(x).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import jvp, vmap

from aebench.objectives import gaussian_nll

TOLERANCE = 1e-6
"""Directions with less of the largest direction's variance are rounding."""
VARIANCES = 400
"""How many s² are tried between the least and 1, equally spaced in their logarithms: 3 % apart."""
ROWS = 4096


@dataclass(frozen=True, eq=False)
class Lent:
    """`decode` (n, k) -> (n, d) with the mean (k,) and directions (r, k), float64, of codes; `kind` is the decoder's dtype."""

    decode: Callable[[Tensor], Tensor]
    mean: Tensor
    directions: Tensor
    kind: torch.dtype

    @classmethod
    def to(cls, decode: Callable[[Tensor], Tensor], codes: Tensor, most: int) -> "Lent":
        """With the Gaussian of codes (n, k) along at most `most` directions; the first stays, even if it has no variance."""
        mean = codes.double().mean(0)
        centred = (part - mean.to(codes.dtype) for part in codes.split(ROWS))
        values, vectors = torch.linalg.eigh(sum((part.T @ part).double() for part in centred) / len(codes))
        values, vectors = values[-most:], vectors[:, -most:]
        kept = values > TOLERANCE * values[-1]
        kept[-1] = True
        return cls(decode, mean, (vectors * values.clamp(min=0).sqrt()).T[kept], codes.dtype)

    @property
    def rank(self) -> int:
        """r."""
        return len(self.directions)

    def place(self, codes: Tensor) -> Tensor:
        """u (n, r) of codes (n, k); 0 along a direction without variance."""
        variances = self.directions.square().sum(1).clamp(min=torch.finfo(torch.float64).tiny)
        return (codes.double() - self.mean) @ self.directions.T / variances

    def observe(self, u: Tensor) -> Tensor:
        """g (..., d) of u (..., r)."""
        return self.decode(self._code(u)).double()

    def slopes(self, u: Tensor) -> Tensor:
        """J (n, r, d) at u (n, r), a forward derivative along every direction."""
        h = self._code(u)
        along = vmap(lambda direction: jvp(self.decode, (h,), (direction.expand_as(h),))[1], out_dims=1)
        return along(self.directions.to(self.kind)).double()

    def evidence(self, x: Tensor, u: Tensor, variances: Tensor) -> Tensor:
        """log N(x; g(u) - uJ, JᵀJ + s² I) (n, v), what log p(x) would be if g were linear, for variances (v,)."""
        slopes = self.slopes(u)
        rest = self._rest(x, u, slopes)
        values, vectors = torch.linalg.eigh(slopes @ slopes.mT)
        along = ((slopes @ rest[..., None]).mT @ vectors).square()  # (n, 1, r)
        spread = values.clamp(min=0)[:, None] + variances[:, None]  # (n, v, r)
        distance = (rest.square().sum(1, keepdim=True) - (along / spread).sum(-1)) / variances
        volume = spread.log().sum(-1) + (x.shape[1] - self.rank) * variances.log()
        return -(x.shape[1] * math.log(2 * math.pi) + volume + distance) / 2

    def observation_variance(self, x: Tensor, codes: Tensor, least: float, block: int) -> float:
        """The s² in [least, 1] that makes images x (n, d) most probable, by the evidence linearised at their codes."""
        tried = torch.logspace(math.log10(least), 0, VARIANCES, dtype=torch.float64, device=x.device)
        pairs = zip(x.double().split(block), self.place(codes).split(block), strict=True)
        return float(tried[sum(self.evidence(part, u, tried).sum(0) for part, u in pairs).argmax()])

    def proposal(self, x: Tensor, u: Tensor, variance: float) -> tuple[Tensor, Tensor]:
        """m (n, r) and the lower root (n, r, r) of Λ by a step from u (n, r), which stays where the step is for the worse."""
        slopes = self.slopes(u)
        identity = torch.eye(self.rank, dtype=x.dtype, device=x.device)
        root = torch.linalg.cholesky(identity + slopes @ slopes.mT / variance)
        pull = slopes @ self._rest(x, u, slopes)[..., None] / variance
        step = torch.cholesky_solve(pull, root)[..., 0]
        better = self._joint(x, step, variance) >= self._joint(x, u, variance)
        return torch.where(better[:, None], step, u), root

    def log_weights(self, x: Tensor, codes: Tensor, variance: float, steps: int, noise: Tensor) -> Tensor:
        """log w (n, L) of images x (n, d) with codes (n, k), by `steps` >= 1 steps; noise (n, L, r) standard normal."""
        x, u = x.double(), self.place(codes)
        for _ in range(steps):
            u, root = self.proposal(x, u, variance)
        u = u[:, None] + torch.linalg.solve_triangular(root.mT, noise.mT, upper=True).mT
        ratio = (noise.square() - u.square()).sum(-1) / 2 - root.diagonal(dim1=-2, dim2=-1).log().sum(-1, keepdim=True)
        return ratio - gaussian_nll(x[:, None], self.observe(u), math.log(variance))

    def _code(self, u: Tensor) -> Tensor:
        return self.mean.to(self.kind) + u.to(self.kind) @ self.directions.to(self.kind)

    def _rest(self, x: Tensor, u: Tensor, slopes: Tensor) -> Tensor:
        """x - g(u) + uJ (n, d): what a linear g with these slopes would have to explain."""
        return x - self.observe(u) + (u[:, None] @ slopes)[:, 0]

    def _joint(self, x: Tensor, u: Tensor, variance: float) -> Tensor:
        return -(x - self.observe(u)).square().sum(1) / (2 * variance) - u.square().sum(1) / 2
