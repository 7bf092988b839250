"""Anomaly scores of images: the higher, the less an image is like those that the model was fitted to.

    error        ‖x - x̂‖²
    likelihood   -log 1/K sum_k w_k,   log w = log p(x|z) + log p(z) - log q(z|x),   z ~ q(z|x)   (Burda et al. 2016)
    distance     ‖s(h) - s(h_k)‖,   h_k: the k-th nearest reference code,   s: each unit divided by its standard deviation

The distance to the k-th neighbour is that of Ramaswamy et al. (2000). The reference codes, whose standard deviations are used,
belong to training and validation images. A unit without variance among them is not divided. In expectation the likelihood is
an upper bound of -log p(x); it is NaN for a model without a posterior or likelihood. Its noise is drawn from the stream
`anomalies`, image by image.
"""

import math
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from aebench.evaluation.arrays.density import ENTRIES, importance_weights, standard_normal
from aebench.evaluation.arrays.neighbours import neighbours
from aebench.evaluation.view import View
from aebench.objectives import squared_error
from aebench.randomness import EVALUATION

ROUNDING = 1e-6
"""A standard deviation of at most this fraction of the largest is considered a rounding error."""


@dataclass(frozen=True)
class AnomalyScores:
    """One score of each kind (n,) in float64 per image."""

    error: Tensor
    likelihood: Tensor
    distance: Tensor

    def split(self, sizes: list[int]) -> list["AnomalyScores"]:
        """Divide the scores among successive groups of images."""
        parts = zip(*(scores.split(sizes) for scores in (self.error, self.likelihood, self.distance)), strict=True)
        return [AnomalyScores(*each) for each in parts]


def anomaly_scores(view: View, images: Tensor, k: int, draws: int) -> AnomalyScores:
    """Compute the scores of images (n, d): the distance to the `k`-th neighbour, the likelihood from `draws` samples."""
    codes = view.encode(images)
    error = squared_error(images.double(), view.decode(codes).double())
    return AnomalyScores(error, _likelihood(view, images, draws), distances(codes, view.reference_codes, k))


def distances(codes: Tensor, reference: Tensor, k: int) -> Tensor:
    """Compute the distance (n,) of standardised codes (n, u) to the `k`-th nearest of the reference codes (r, u)."""
    sd = reference.double().std(0, correction=0)
    scale = torch.where(sd > ROUNDING * sd.max(), sd, 1).to(codes.dtype)
    queries, known = codes / scale, reference / scale
    nearest = known[neighbours(queries, known, k)[:, k - 1]]
    return squared_error(queries.double(), nearest.double()).sqrt()


def _likelihood(view: View, images: Tensor, draws: int) -> Tensor:
    posterior, generator = view.replica("posterior", images[:1]), EVALUATION.torch("anomalies")
    if not posterior or view.replica("nll", images[:1], posterior[0]) is None:
        return images.new_full((len(images),), math.nan, dtype=torch.float64)
    units, nll, bounds = posterior[0].shape[1], partial(view.replica, "nll"), []
    for x in images.split(max(1, ENTRIES // (draws * max(images.shape[1], units)))):
        noise = standard_normal(len(x), draws, units, generator, x.device)
        weights, _, _ = importance_weights(x, view.replica("posterior", x), nll, noise)
        bounds.append(weights.logsumexp(1) - math.log(draws))
    return -torch.cat(bounds)
