"""What is measured for a paper: metrics of the evaluation, with accuracies as errors in %, as papers print them.

jacobian    E ‖∂h/∂x‖_F over validation images, before fine-tuning                      (Rifai et al. 2011, section 5)
saturated   fraction of activations of the code below 0.05 or above 0.95, likewise
softmax     min over W   E[-log softmax(W h)_label] + λ/2 ‖W‖²_F,  λ = 0.0001, without intercept, h not standardised
            (UFLDL, exercise on softmax regression)
nll         -E L_K over test images, L_K = log 1/K sum_k p(x|z_k) p(z_k) / q(z_k|x), z_k ~ q, K = 5000   (Burda et al. 2016)
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from aebench.evaluation.arrays.density import own_weights
from aebench.evaluation.metrics import METRICS
from aebench.evaluation.metrics.density import bounds, count_active
from aebench.evaluation.metrics.neighbours import knn_accuracy
from aebench.evaluation.representation import Representation
from aebench.evaluation.view import View, evenly_spaced
from aebench.randomness import Use

if TYPE_CHECKING:
    import torch

    from aebench.training.ensemble import Ensemble

SOFTMAX_PENALTY, SOFTMAX_ITERATIONS = 1e-4, 100
"""λ and the maximum number of L-BFGS iterations of `softmax_error`."""
SAMPLES, BLOCK = 5000, 100
"""Number of samples K of `nll`, and of images whose weights are kept at once."""
JACOBIANS = 500
"""Number of evenly spaced validation images at which Jacobians are computed."""


POSTERIOR, LIKELIHOOD, UNIT_CODE = "a posterior", "a likelihood", "sigmoid units in the code"
"""What a measure may need."""


@dataclass(frozen=True)
class Measure:
    """A number per seed.

    It is computed from `subject`: a representation of the test images, a view whose images are the validation or the test
    images, or the classifiers of all seeds with test images and labels. All but the last are those of the encoder before a
    classifier is trained.
    """

    measure: Callable[..., Any]
    title: str
    unit: str
    decimals: int
    subject: Literal["representation", "validation", "test", "classifier"] = "representation"
    needs: str | None = None
    """What the model must have; null: nothing besides an encoder, or a decoder for errors."""


def knn_error(k: int, r: Representation) -> float:
    """Test error in % of a k-nearest-neighbour classifier on the codes of training and validation images."""
    return 100 - knn_accuracy(r, k)


def linear_probe_error(r: Representation) -> float:
    """Test error in % of multinomial logistic regression on frozen codes, with all training labels."""
    return 100 - METRICS["linear_probe"].measure(r)


def softmax_error(r: Representation) -> float:
    """Test error in % of softmax regression as defined above, fitted to all training and validation codes."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    labels = r.reference_labels.cpu().numpy()
    strength = 1 / (SOFTMAX_PENALTY * len(labels))
    model = LogisticRegression(C=strength, fit_intercept=False, max_iter=SOFTMAX_ITERATIONS, tol=1e-9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the number of iterations is part of the protocol
        model.fit(r.reference_codes.double().cpu().numpy(), labels)
    return 100 - 100 * float(model.score(r.codes.double().cpu().numpy(), r.labels.cpu().numpy()))


def jacobian(view: View) -> float:
    """Return the mean Frobenius norm of the encoder's Jacobian."""
    from aebench.evaluation.arrays.contraction import norms

    return float(norms(view.replica.function("encode"), evenly_spaced(view.images, JACOBIANS))[0].double().mean())


def saturated(view: View) -> float:
    """Return the percentage of activations h with h < 0.05 or h > 0.95, for units in (0, 1)."""
    return 100 * float(((view.codes < 0.05) | (view.codes > 0.95)).double().mean())


def nll(view: View) -> float:
    """Return the mean of -L_K over the test images, in expectation an upper bound on -E log p(x)."""
    import torch

    generator = view.generator(Use.DENSITY)
    weights = (own_weights(view, rows, SAMPLES, generator)[0] for rows in view.images.split(BLOCK))
    return -float(torch.cat([bounds(block) for block in weights]).mean())


def active_units(view: View) -> float:
    """Return the number of active units among the codes of the test images."""
    return count_active(view.codes)


def classification_error(classifiers: "Ensemble", images: "torch.Tensor", labels: "torch.Tensor") -> list[float]:
    """Return the test error in % of the classifier of each seed."""
    from aebench.evaluation.classify import accuracies

    return [100 - accuracy for accuracy in accuracies(classifiers, images, labels)]


MEASURES = {
    "sse": Measure(METRICS["sse"].measure, "SSE", "per image", 3),
    "knn_1_error": Measure(partial(knn_error, 1), "1-NN error", "%", 2),
    "knn_3_error": Measure(partial(knn_error, 3), "3-NN error", "%", 2),
    "knn_5_error": Measure(partial(knn_error, 5), "5-NN error", "%", 2),
    "linear_probe_error": Measure(linear_probe_error, "Linear probe error", "%", 2),
    "softmax_error": Measure(softmax_error, "Softmax error", "%", 2),
    "jacobian": Measure(jacobian, "Jacobian", "norm", 3, "validation"),
    "saturated": Measure(saturated, "Saturated", "%", 2, "validation", UNIT_CODE),
    "nll": Measure(nll, "NLL", "nats", 2, "test", LIKELIHOOD),
    "active_units": Measure(active_units, "Active units", "number", 1, "test", POSTERIOR),
    "classification_error": Measure(classification_error, "Classification error", "%", 2, "classifier"),
}
