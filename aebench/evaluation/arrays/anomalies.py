"""Anomaly scores of images: the higher, the less an image is like those that the model was fitted to.

    error        ‖x - x̂‖²
    likelihood   -log 1/K sum_k w_k,   log w = log p(x|z) + log p(z) - log q(z|x),   z ~ q(z|x)   (Burda et al. 2016)
    distance     ‖s(h) - s(h_k)‖,   h_k: the k-th nearest reference code,   s: each unit divided by its standard deviation

The distance to the k-th neighbour is that of Ramaswamy et al. (2000). The reference codes, whose standard deviations are used,
belong to training and validation images. A unit without variance among them is not divided. In expectation the likelihood is
an upper bound on -log p(x); it is NaN for a model without a posterior or likelihood. Its noise is drawn from the stream
`anomalies`, image by image.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from aebench.evaluation.arrays.density import own_weights
from aebench.evaluation.arrays.neighbours import neighbours
from aebench.evaluation.view import View
from aebench.objectives import log_mean_exp, squared_error
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
    log_weights, *_ = own_weights(view, images, draws, EVALUATION.torch("anomalies"))
    return AnomalyScores(error, -log_mean_exp(log_weights), distances(codes, view.reference_codes, k))


def distances(codes: Tensor, reference: Tensor, k: int) -> Tensor:
    """Compute the distance (n,) of standardised codes (n, u) to the `k`-th nearest of the reference codes (r, u)."""
    sd = reference.double().std(0, correction=0)
    scale = torch.where(sd > ROUNDING * sd.max(), sd, 1).to(codes.dtype)
    queries, known = codes / scale, reference / scale
    nearest = known[neighbours(queries, known, k)[:, k - 1]]
    return squared_error(queries.double(), nearest.double()).sqrt()
