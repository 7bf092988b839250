"""How far does the code move with its image? The norm of the encoder's Jacobian, mean over test images.

    E ‖J‖_F,   J = ∂h/∂x (k, d)

Lower is more contractive (Rifai et al. 2011), not better: a constant code scores 0, the image itself sqrt(d), and a code of
half the scale half as much.
"""

from aebench.metrics.base import Metric
from aebench.representation import Representation


def jacobian(r: Representation) -> float:
    """Mean of the Jacobians' Frobenius norms (not of their squares, which are the penalty); >= 0."""
    return float(r.jacobian_norms.double().mean())


METRICS = {
    "jacobian": Metric(
        jacobian,
        "Jacobian",
        None,
        "norm",
        None,
        3,
        "How far a code moves with its image: ‖∂code/∂image‖; low: contractive.",
        main=True,
    ),
}
