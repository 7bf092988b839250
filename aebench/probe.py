"""How much of the class can be read off a code by a straight line? A linear probe in closed form.

Ridge regression of the one-hot labels on the codes (scikit-learn's RidgeClassifier, penalty 1); the class of the largest
output is the answer. Fitted on training codes, asked of others.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def ridge_accuracy(codes: "np.ndarray", labels: "np.ndarray", queries: "np.ndarray", truth: "np.ndarray") -> float:
    """Accuracy in % on `queries` (m, k) with labels `truth` (m,) of a probe fitted to `codes` (n, k) and `labels` (n,)."""
    from sklearn.linear_model import RidgeClassifier

    return 100 * float((RidgeClassifier(1.0).fit(codes, labels).predict(queries) == truth).mean())
