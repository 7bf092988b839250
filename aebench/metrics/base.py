"""What a metric is: a number a seed, or numbers along an axis, of the arrays that a model makes of a data set.

A file of this package asks one question, told by its first line. It holds the functions and, below them, their registry
lines, `METRICS` and `PROFILES`; the reports print what the lines say.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from aebench.representation import Representation


@dataclass(frozen=True)
class Metric:
    """One number a seed.

    `better` says where better lies and `perfect` what a perfect representation scores; a number that describes and does not
    judge has neither. `decimals` is how many the tables print. `main` puts it into the comparison of all rows, beside the
    table of its question. NaN is for what a representation does not have.
    """

    measure: Callable[[Representation], float]
    title: str
    better: Literal["lower", "higher"] | None
    unit: str
    perfect: float | None
    decimals: int
    meaning: str
    main: bool = False


@dataclass(frozen=True)
class Profile:
    """Numbers along an axis, such as bits a number or classes: place -> number, the same places for every row and seed."""

    measure: Callable[[Representation], dict[str, float]]
    title: str
    axis: str
    better: Literal["lower", "higher"] | None
    unit: str
    decimals: int
    meaning: str
