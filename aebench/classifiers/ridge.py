"""The ridge probe: ridge regression of the one-hot labels on frozen codes (scikit-learn's RidgeClassifier, penalty 1).

The predicted class is the one with the largest output. Unlike the linear probe it has a closed-form solution and no
hyperparameter to choose, so it is cheap enough to be fitted often.
"""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from sklearn.linear_model import RidgeClassifier


def fit(codes: "np.ndarray", labels: "np.ndarray") -> "RidgeClassifier":
    """Fit the probe to codes (n, k) with labels (n,)."""
    from sklearn.linear_model import RidgeClassifier

    return RidgeClassifier(alpha=1.0).fit(codes, labels)


def ridge_accuracy(codes: "np.ndarray", labels: "np.ndarray", queries: "np.ndarray", query_labels: "np.ndarray") -> float:
    """Accuracy in % on `queries` (m, k) of a probe fitted to `codes` (n, k); NaN if a code is not finite."""
    import numpy as np

    if not (np.isfinite(codes).all() and np.isfinite(queries).all()):
        return math.nan
    return 100 * float((fit(codes, labels).predict(queries) == query_labels).mean())
