"""Do the codes cluster by class? k-means clusters of the test codes, as many as classes, are compared with the labels.

    NMI      = I(class; cluster) / mean of H(class) and H(cluster)                     (Strehl & Ghosh 2002, arithmetic mean)
    ARI      = agreement on pairs of images, scaled to 0 by chance and at most 1       (Hubert & Arabie 1985)
    accuracy = fraction of images in the cluster of their class, for the best matching (Kuhn 1955)

k-means (Lloyd 1982) uses no labels. It is initialised `RESTARTS` times by k-means++ (Arthur & Vassilvitskii 2007), and the
solution with the lowest inertia is kept. All models and seeds use the same random numbers, stream `clustering` of seed 0.

A code with fewer distinct values than classes gives one cluster per value. A constant code gives one cluster, which scores an
NMI and ARI of 0 and an accuracy equal to the fraction of the largest class. For finitely many images, chance is slightly above
0 for NMI and above 1 / classes for accuracy, and 0 for ARI.
"""

import warnings
from functools import lru_cache
from typing import TYPE_CHECKING

from aebench.evaluation.metrics.base import Metric
from aebench.evaluation.representation import Representation
from aebench.randomness import EVALUATION

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

RESTARTS = 10


def nmi(r: Representation) -> float:
    """Return the normalised mutual information of classes and clusters, in [0, 1]; it is 1 if the clusters are the classes."""
    from sklearn.metrics import normalized_mutual_info_score

    return float(normalized_mutual_info_score(r.labels.cpu().numpy(), clusters(r)))


def ari(r: Representation) -> float:
    """Return the adjusted Rand index of classes and clusters, in [-1/2, 1]; it is 1 if the clusters are the classes."""
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(r.labels.cpu().numpy(), clusters(r)))


def cluster_accuracy(r: Representation) -> float:
    """Return the accuracy in % of the best one-to-one assignment of clusters to classes."""
    from scipy.optimize import linear_sum_assignment
    from sklearn.metrics.cluster import contingency_matrix

    counts = contingency_matrix(r.labels.cpu().numpy(), clusters(r))
    return 100 * float(counts[linear_sum_assignment(counts, maximize=True)].sum() / len(r.labels))


@lru_cache(maxsize=1)
def clusters(r: Representation) -> "np.ndarray":
    """Return the cluster (n,) of each test code.

    The result is cached. It is computed on one thread, because sums depend on the number of threads.
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    classes, state = len(r.labels.unique()), EVALUATION.state("clustering") % 2**32
    with threadpool_limits(1), warnings.catch_warnings():
        # With fewer distinct codes than classes there are fewer clusters; the scores already account for that.
        warnings.filterwarnings("ignore", "Number of distinct clusters", ConvergenceWarning)
        return KMeans(classes, n_init=RESTARTS, random_state=state).fit_predict(_scaled(r.codes))


def _scaled(codes: "Tensor") -> "np.ndarray":
    """Centre the codes and divide them by their largest absolute value: the clusters are equal, the rounding errors smaller."""
    centred = codes.double() - codes.double().mean(0)
    return (centred / centred.abs().max().clamp(min=1e-300)).float().cpu().numpy()


METRICS = {
    "nmi": Metric(
        nmi,
        "NMI",
        better="higher",
        unit="in [0, 1]",
        perfect=1.0,
        decimals=3,
        meaning="Normalised mutual information between the classes and the k-means clusters of the codes.",
    ),
    "ari": Metric(
        ari,
        "ARI",
        better="higher",
        unit="in [-0.5, 1]",
        perfect=1.0,
        decimals=3,
        meaning="Adjusted Rand index: agreement of classes and clusters on whether two images belong together; 0 for chance.",
    ),
    "cluster_accuracy": Metric(
        cluster_accuracy,
        "Cluster accuracy",
        better="higher",
        unit="%",
        perfect=100.0,
        decimals=2,
        meaning="Test accuracy if each cluster predicts one class, for the best one-to-one assignment of clusters to classes.",
    ),
}
