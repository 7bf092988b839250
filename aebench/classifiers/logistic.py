"""Multinomial logistic regression with an L2 penalty: a convex problem, so its solution depends on no learning rate.

    min over W (C, k), b (C,)   -sum_i q_i log softmax(W z_i + b)_{y_i} + λ/2 ‖W‖²_F,   q_i >= 0, sum_i q_i = 1

z is the code, each unit standardised by its mean and standard deviation over all training codes (no labels are needed); q_i is
1 / n for the n images of the fit and 0 for an image that is held out. scikit-learn's LogisticRegression has the same optimum at
C = 1 / (λ n). The loss is a mean, so the strength of a penalty λ does not depend on the number of labels.

The problem is solved by L-BFGS (Liu & Nocedal 1989) in coordinates in which it is well conditioned: z is rotated to its
principal axes, which leaves the penalty unchanged, and axis j is scaled by sqrt(c v_j + λ), with v_j its variance. c v_j
approximates the curvature of the loss as in the bound of Böhning (1992), which has c = 1/2; here c is the mean of p (1 - p)
over images and classes at the solution for the previous penalty. Problems are solved from the strongest penalty to the weakest,
each initialised at the previous solution.

scikit-learn's solver (compared in reports/benchmarks.md) is not used because it can neither fit all folds at once nor use a
GPU, and because its other stopping rule changes accuracies by up to two test images of digits.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot, pad

from aebench.objectives import principal_axes

TOLERANCE = 3e-4
"""Largest entry of the gradient, in the scaled coordinates, at which L-BFGS stops: accuracies are then exact to 0.1 points."""
NARROW = 128
"""Codes of at most this many units are fitted in float64; wider ones in float32, which takes half the time."""
ROUNDING = 1e-6
"""A unit is constant, and not scaled, if its standard deviation is below this fraction of its largest absolute value."""


@dataclass(frozen=True)
class Axes:
    """Standardised principal coordinates: `mean`, `scale` (k,), `rotation` (k, k), and `variances` (k,) along the axes."""

    mean: Tensor
    scale: Tensor
    rotation: Tensor
    variances: Tensor

    @classmethod
    def of(cls, codes: Tensor) -> "Axes":
        """Compute the coordinates from codes (n, k)."""
        z = codes.to(torch.float64 if codes.shape[1] <= NARROW else torch.float32)
        mean, deviation = z.mean(0), z.std(0, correction=0)
        scale = torch.where(deviation > ROUNDING * z.abs().amax(0), deviation, 1.0)
        variances, rotation = principal_axes((z - mean).div_(scale), len(z))
        return cls(mean, scale, rotation.to(z.dtype), variances)

    def __call__(self, codes: Tensor) -> Tensor:
        """Transform codes (n, k) to rows (n, k + 1): standardised, rotated, with a 1 for the intercept."""
        return pad((codes.to(self.mean.dtype) - self.mean).div_(self.scale) @ self.rotation, (0, 1), value=1.0)


@dataclass(frozen=True)
class Problem:
    """Rows (n, k + 1) in principal coordinates, one-hot labels (C, n), `q` (F, n) of F simultaneous fits, variances (k,)."""

    rows: Tensor
    targets: Tensor
    q: Tensor
    variances: Tensor

    @classmethod
    def of(cls, rows: Tensor, labels: Tensor, q: Tensor, axes: Axes, classes: int) -> "Problem":
        """Create the problem from `labels` (n,) in 0 ... `classes` - 1."""
        return cls(rows, one_hot(labels, classes).T.to(rows.dtype), q.to(rows.dtype), axes.variances)

    def path(self, penalties: Sequence[float]) -> Tensor:
        """Weights (penalties, F, C, k + 1) of the solutions, in the order of `penalties`."""
        weights = self.variances.new_zeros(len(self.q), len(self.targets), self.rows.shape[1])
        curvature, solutions = self._curvature(weights), {}
        for penalty in sorted(penalties, reverse=True):
            solutions[penalty] = weights = self._solve(penalty, weights, curvature)
            curvature = self._curvature(weights)
        return torch.stack([solutions[penalty] for penalty in penalties])

    def _solve(self, penalty: float, start: Tensor, curvature: Tensor) -> Tensor:
        from scipy.optimize import minimize

        decay = pad(torch.full_like(self.variances, penalty), (0, 1))
        metric = (curvature * pad(self.variances, (0, 1), value=1.0) + decay).sqrt()

        def weights(point) -> Tensor:
            return torch.from_numpy(point).to(metric.device).view(start.shape) / metric

        def loss(point):
            value, gradient = self._loss(weights(point), decay)
            return value.item(), (gradient / metric).flatten().cpu().numpy()

        options = {"gtol": TOLERANCE, "ftol": 0.0, "maxiter": 5000, "maxfun": 5000}
        point = (start * metric).flatten().cpu().numpy()
        return weights(minimize(loss, point, jac=True, method="L-BFGS-B", options=options).x)

    def _loss(self, weights: Tensor, decay: Tensor) -> tuple[Tensor, Tensor]:
        """The sum of the fits' losses and its gradient."""
        logs, q = torch.log_softmax(weights.to(self.rows.dtype) @ self.rows.T, 1), self.q[:, None]
        value = (decay * weights.square()).sum() / 2 - (logs * self.targets * q).sum((0, 1)).double().sum()
        errors = logs.exp_().sub_(self.targets).mul_(q)
        return value, (errors @ self.rows).double() + decay * weights

    def _curvature(self, weights: Tensor) -> Tensor:
        """Mean of p (1 - p) over images and classes, (F, 1, 1)."""
        p = torch.softmax(weights.to(self.rows.dtype) @ self.rows.T, 1)
        return ((p * (1 - p)).mean(1) * self.q).sum(1).double()[:, None, None]


def predict(weights: Tensor, rows: Tensor) -> Tensor:
    """Most probable class (..., n) of rows (n, k + 1), for weights (..., C, k + 1)."""
    return (weights.to(rows.dtype) @ rows.T).argmax(-2)
