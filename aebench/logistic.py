"""Multinomial logistic regression with an L2 penalty: a convex problem, whose answer no learning rate decides.

    min over W (C, k), b (C,)   -sum_i q_i log softmax(W z_i + b)_{y_i} + λ/2 ‖W‖²_F,   q_i >= 0, sum_i q_i = 1

z is the code, each unit standardised by its mean and deviation over all training codes, which needs no label; q_i is 1 / n, or
0 for an image held out. scikit-learn's LogisticRegression has the same optimum at C = 1 / (λ n). As the loss is a mean, λ
means the same with few labels and with many.

L-BFGS (Liu & Nocedal 1989) in coordinates in which the problem is nearly round: z is turned to its principal axes, which
the penalty does not see, and axis j is scaled by sqrt(c s_j + λ), with s_j its variance. c s_j stands for the curvature of the
loss, as in the bound of Böhning (1992), which has c = 1/2; c is here the mean of p (1 - p) over images and classes, known
from the penalty before. Penalties are taken from the strongest to the weakest, each from the answer of the one before.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot, pad

TOLERANCE = 3e-4
"""Largest entry of the gradient, in the scaled coordinates, at which descent ends: accuracies are then within 0.1 points."""
NARROW = 128
"""Codes of so many units take float64; wider ones float32, in half the time."""
CONSTANT = 1e-6
"""A unit whose deviation is this share of its largest value is constant: it is left at 0, not blown up."""


@dataclass(frozen=True)
class Axes:
    """Where codes are looked at from: `mean`, `scale` (k,), rotation `turn` (k, k) and `spread` (k,), variances along it."""

    mean: Tensor
    scale: Tensor
    turn: Tensor
    spread: Tensor

    def __call__(self, codes: Tensor) -> Tensor:
        """Codes (n, k) -> rows (n, k + 1): standardised, turned, and a 1 for the intercept."""
        return pad((codes.to(self.mean.dtype) - self.mean).div_(self.scale) @ self.turn, (0, 1), value=1.0)


def principal(codes: Tensor) -> Axes:
    """The axes of codes (n, k): standardised, then their principal components."""
    z = codes.to(torch.float64 if codes.shape[1] <= NARROW else torch.float32)
    mean, sd = z.mean(0), z.std(0, correction=0)
    scale = torch.where(sd > CONSTANT * z.abs().amax(0), sd, 1.0)
    z = (z - mean).div_(scale)
    spread, turn = torch.linalg.eigh((z.T @ z / len(z)).double())
    return Axes(mean, scale, turn.to(z.dtype), spread.clamp(min=0))


@dataclass(frozen=True)
class Problem:
    """Rows (n, k + 1) by `axes`, their one-hot labels `truth` (C, n), and `shares` (F, n): the q of F fits side by side."""

    rows: Tensor
    truth: Tensor
    shares: Tensor
    spread: Tensor

    @classmethod
    def of(cls, rows: Tensor, labels: Tensor, shares: Tensor, axes: Axes, classes: int) -> "Problem":
        """The problem of `labels` (n,)."""
        return cls(rows, one_hot(labels, classes).T.to(rows.dtype), shares.to(rows.dtype), axes.spread)

    def path(self, penalties: Sequence[float]) -> Tensor:
        """Weights (penalties, F, C, k + 1), in the order of `penalties`."""
        weights = self.spread.new_zeros(len(self.shares), len(self.truth), self.rows.shape[1])
        curvature, found = self._curvature(weights), {}
        for penalty in sorted(penalties, reverse=True):
            found[penalty] = weights = self._fit(penalty, weights, curvature)
            curvature = self._curvature(weights)
        return torch.stack([found[penalty] for penalty in penalties])

    def _fit(self, penalty: float, start: Tensor, curvature: Tensor) -> Tensor:
        from scipy.optimize import minimize

        decay = pad(torch.full_like(self.spread, penalty), (0, 1))
        metric = (curvature * pad(self.spread, (0, 1), value=1.0) + decay).sqrt()

        def weights(point) -> Tensor:
            return torch.from_numpy(point).to(metric.device).view(start.shape) / metric

        def loss(point):
            value, slope = self._loss(weights(point), decay)
            return value.item(), (slope / metric).flatten().cpu().numpy()

        options = {"gtol": TOLERANCE, "ftol": 0.0, "maxiter": 5000, "maxfun": 5000}
        point = (start * metric).flatten().cpu().numpy()
        return weights(minimize(loss, point, jac=True, method="L-BFGS-B", options=options).x)

    def _loss(self, weights: Tensor, decay: Tensor) -> tuple[Tensor, Tensor]:
        """The sum of the fits' losses and its gradient."""
        logs, shares = torch.log_softmax(weights.to(self.rows.dtype) @ self.rows.T, 1), self.shares[:, None]
        value = (decay * weights.square()).sum() / 2 - (logs * self.truth * shares).sum((0, 1)).double().sum()
        errors = logs.exp_().sub_(self.truth).mul_(shares)
        return value, (errors @ self.rows).double() + decay * weights

    def _curvature(self, weights: Tensor) -> Tensor:
        """(F, 1, 1): the mean of p (1 - p)."""
        p = torch.softmax(weights.to(self.rows.dtype) @ self.rows.T, 1)
        return ((p * (1 - p)).mean(1) * self.shares).sum(1).double()[:, None, None]


def answers(weights: Tensor, rows: Tensor) -> Tensor:
    """The likeliest class (..., n) of rows (n, k + 1), by weights (..., C, k + 1)."""
    return (weights.to(rows.dtype) @ rows.T).argmax(-2)
