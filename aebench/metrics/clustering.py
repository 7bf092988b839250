"""Do classes form clusters by themselves? k-means of the test codes, as many clusters as classes, against the labels.

    NMI      = I(class; cluster) / mean of H(class) and H(cluster)         (Strehl & Ghosh 2002, arithmetic mean)
    ARI      = pairs that both agree on, 0 where chance expects, at most 1 (Hubert & Arabie 1985)
    accuracy = share of images right under the best one-to-one naming of clusters by classes   (Kuhn 1955)

Labels are looked at when the clusters are made. k-means (Lloyd 1982) starts `RESTARTS` times from k-means++ (Arthur &
Vassilvitskii 2007) and keeps the least inertia; its draws are the same for every model and seed, stream `clustering` of seed 0.
A code of fewer values than classes makes as many clusters as it has: a constant code one, which scores 0, 0 and the share of
the largest class. Chance in n images is a little above 0 for NMI and above 1 / classes for accuracy, and 0 for ARI.
"""

import warnings
from functools import lru_cache
from typing import TYPE_CHECKING

from aebench.metrics.base import Metric
from aebench.randomness import Streams
from aebench.representation import Representation

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

RESTARTS = 10


def nmi(r: Representation) -> float:
    """Normalised mutual information in [0, 1]; 1 if clusters are classes."""
    from sklearn.metrics import normalized_mutual_info_score

    return float(normalized_mutual_info_score(r.labels.cpu().numpy(), clusters(r)))


def ari(r: Representation) -> float:
    """Adjusted Rand index in [-1/2, 1]; 1 if clusters are classes."""
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(r.labels.cpu().numpy(), clusters(r)))


def cluster_accuracy(r: Representation) -> float:
    """Percent of the images whose cluster is named by their class; no two clusters have the same name."""
    from scipy.optimize import linear_sum_assignment
    from sklearn.metrics.cluster import contingency_matrix

    counts = contingency_matrix(r.labels.cpu().numpy(), clusters(r))
    return 100 * float(counts[linear_sum_assignment(counts, maximize=True)].sum() / len(r.labels))


@lru_cache(maxsize=1)
def clusters(r: Representation) -> "np.ndarray":
    """The cluster (n,) of each test code, found once for all metrics; on one thread, since sums depend on their number."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    classes, state = len(r.labels.unique()), Streams(0).state("clustering") % 2**32
    with threadpool_limits(1), warnings.catch_warnings():
        # Fewer different codes than classes make fewer clusters, which the scores count against the code.
        warnings.filterwarnings("ignore", "Number of distinct clusters", ConvergenceWarning)
        return KMeans(classes, n_init=RESTARTS, random_state=state).fit_predict(_scaled(r.codes))


def _scaled(codes: "Tensor") -> "np.ndarray":
    """Centred, the largest number 1: the same clusters, without rounding where a code's numbers are large or hardly differ."""
    centred = codes.double() - codes.double().mean(0)
    return (centred / centred.abs().max().clamp(min=1e-300)).float().cpu().numpy()


METRICS = {
    "nmi": Metric(nmi, "NMI", "higher", "at most 1", 1.0, 3, "Normalised mutual information of classes and clusters of codes."),
    "ari": Metric(
        ari,
        "ARI",
        "higher",
        "at most 1",
        1.0,
        3,
        "Adjusted Rand index: pairs that classes and clusters join or part alike; chance is 0.",
    ),
    "cluster_accuracy": Metric(
        cluster_accuracy,
        "Cluster accuracy",
        "higher",
        "%",
        100.0,
        2,
        "Test images in the cluster of their class, clusters named one to one as suits best.",
    ),
}
