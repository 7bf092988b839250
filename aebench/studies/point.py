"""The results at one position of a series."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """Quantity -> one value per seed, NaN if undefined."""

    series: str
    position: float
    values: dict[str, list[float]]
