"""Pairwise comparisons of models with the same latent dimension, over seeds: comparisons.csv.

More units allow better reconstructions whatever the model, and raw pixels are reconstructed exactly. Therefore only models with
the same latent dimension are compared. `aebench.statistics` defines the tests.
"""

from typing import TYPE_CHECKING

from aebench.evaluation.metrics import METRICS
from aebench.reporting.results import Results
from aebench.statistics import compare

if TYPE_CHECKING:
    from pandas import DataFrame


def comparisons(results: Results) -> "DataFrame":
    """Return one row per pair of models and main metric with a better direction.

    `p` is adjusted for all pairs of models with the same latent dimension.
    """
    from pandas import DataFrame

    rows = [
        {"metric": name, "first": pair.first, "second": pair.second}
        | vars(pair.difference)
        | {"p": pair.p, "effect": pair.effect, "seeds": pair.seeds}
        for name, metric in METRICS.items()
        if metric.main and metric.better
        for group in results.groups(name)
        for pair in compare(group)
    ]
    return DataFrame(rows, columns=["metric", "first", "second", "mean", "sd", "half_width", "n", "p", "effect", "seeds"])
