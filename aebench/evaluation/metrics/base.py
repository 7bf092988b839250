"""The types of results: a metric is one number per seed, a profile is several numbers per seed along an axis.

Each file listed in `aebench.evaluation.metrics.QUESTIONS` answers one question, which is its first line. It has functions of a
`Representation` and, below them, the registries `METRICS` and `PROFILES`, whose texts are printed in the reports.
"""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Literal

from aebench.evaluation.representation import Representation


@dataclass(frozen=True)
class Metric:
    """One number per seed; NaN where it is undefined.

    `better` is the direction of better scores, None for a descriptive metric, where neither direction is better. `perfect` is
    the score of a perfect representation, None for a descriptive metric or if it depends on the images. `decimals` is the
    number of decimals in tables. `main` adds the metric to the main comparison of all models, in addition to the table of its
    question. `stage` is the DVC stage that computes it.
    """

    measure: Callable[[Representation], float]
    title: str
    _: KW_ONLY
    better: Literal["lower", "higher"] | None
    unit: str
    perfect: float | None
    decimals: int
    meaning: str
    main: bool = False
    stage: Literal["evaluate", "classify"] = "evaluate"


@dataclass(frozen=True)
class Profile:
    """Several numbers per seed along an axis, e.g. bits per unit or classes: {position on the axis: number}.

    The positions are the same for every model and seed.
    """

    measure: Callable[[Representation], dict[str, float]]
    title: str
    _: KW_ONLY
    axis: str
    better: Literal["lower", "higher"] | None
    unit: str
    decimals: int
    meaning: str
    stage: Literal["evaluate", "classify"] = "evaluate"
