"""How active is the code? The mean of all its units over all test images.

    activation = 1 / (n k) sum_i sum_j h_ij

With sigmoid units in (0, 1) this is the mean of the ρ̂_j that a sparse autoencoder holds at its target ρ (Ng 2011). Units that
may be negative cancel, and the scale of a code is its model's own: no number is better than another.
"""

from aebench.metrics.base import Metric
from aebench.representation import Representation


def activation(r: Representation) -> float:
    """Mean of the test codes over images and units."""
    return float(r.codes.double().mean())


METRICS = {
    "activation": Metric(
        activation,
        "Activation",
        None,
        "per unit",
        None,
        3,
        "Mean of the code's numbers over test images; low: sparse.",
        main=True,
    ),
}
