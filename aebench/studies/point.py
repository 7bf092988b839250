"""The results at one position of a series."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """Quantity -> one value per seed, NaN if undefined. The position is a number on the axis, or a name."""

    series: str
    position: float | str
    values: dict[str, list[float]]

    @property
    def label(self) -> str:
        """The position as text."""
        return self.position if isinstance(self.position, str) else f"{self.position:g}"
