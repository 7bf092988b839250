"""A figure of the report: the function that draws it, and its title, caption and alternative text."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from aebench.reporting.results import Results


@dataclass(frozen=True)
class ReportFigure:
    """A figure with its texts.

    `draw` returns None if there is nothing to show. `title` is the heading, `alt` describes what the figure looks like.
    `caption` is the text below it, or a function of the results if it quotes settings.
    """

    draw: "Callable[..., Figure | None]"
    title: str
    alt: str
    caption: "str | Callable[[Results], str]"

    @property
    def section(self) -> str:
        """The section of the page that the figure belongs to, after which its module is named."""
        return self.draw.__module__.rpartition(".")[2]

    def describe(self, results: "Results") -> str:
        """Return the caption for these results."""
        return self.caption if isinstance(self.caption, str) else self.caption(results)
