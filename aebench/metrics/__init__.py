"""The table of contents of the metrics: one file a question, which the reports ask in its words.

A metric takes a `Representation` (arrays, never a model) and returns a number. Add a function and its line to the file of
its question, and it is in every table, in MLflow and on the page.
"""

from collections import ChainMap
from collections.abc import Iterator

from aebench.metrics import (
    clustering,
    compression,
    contraction,
    copying,
    density,
    embedding,
    generation,
    neighbours,
    reconstruction,
    retrieval,
    robustness,
    sparsity,
)
from aebench.metrics.base import Metric, Profile
from aebench.registry import Registry

__all__ = ["METRICS", "PROFILES", "QUESTIONS", "Metric", "Profile", "question"]

QUESTIONS = {
    "reconstruction": reconstruction,
    "robustness": robustness,
    "copying": copying,
    "compression": compression,
    "neighbours": neighbours,
    "retrieval": retrieval,
    "clustering": clustering,
    "embedding": embedding,
    "sparsity": sparsity,
    "contraction": contraction,
    "generation": generation,
    "density": density,
}
OTHERS = "What else is measured, by other packages?"


class _BuiltInFirst(ChainMap[str, Metric]):
    """Looked up and told in the order of its parts; another package's metrics are imported when they are asked for."""

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name for part in self.maps for name in part))


PLUGGED = Registry("aebench.metrics", {})
METRICS = _BuiltInFirst({name: m for file in QUESTIONS.values() for name, m in file.METRICS.items()}, PLUGGED)
"""Another package adds a `Metric` through the entry point group `aebench.metrics`; a built-in name wins."""
PROFILES: dict[str, Profile] = {name: p for file in QUESTIONS.values() for name, p in getattr(file, "PROFILES", {}).items()}


def question(name: str) -> str:
    """The question that the metric or profile `name` helps to answer."""
    for file in QUESTIONS.values():
        if name in file.METRICS or name in getattr(file, "PROFILES", {}):
            return file.__doc__.partition("?")[0] + "?"
    return OTHERS
