"""The registry of metrics: one file per question, whose first line is the question as printed in the reports.

A metric takes a `Representation` (arrays, never a model) and returns a number. To add one, write a function and its registry
entry in the file of the question that it answers. The metric then appears in the tables, in MLflow and on the page.
"""

from collections import ChainMap
from collections.abc import Iterator
from typing import Any

from aebench.errors import InputError
from aebench.evaluation.metrics import (
    clustering,
    compression,
    contraction,
    density,
    embedding,
    generation,
    linear_probe,
    neighbours,
    out_of_distribution,
    reconstruction,
    retrieval,
    robustness,
    sparsity,
)
from aebench.evaluation.metrics.base import Metric, Profile
from aebench.registry import Registry

__all__ = ["METRICS", "PROFILES", "QUESTIONS", "Metric", "Profile", "question"]

QUESTIONS = {
    "reconstruction": reconstruction,
    "robustness": robustness,
    "out_of_distribution": out_of_distribution,
    "compression": compression,
    "linear_probe": linear_probe,
    "neighbours": neighbours,
    "retrieval": retrieval,
    "clustering": clustering,
    "embedding": embedding,
    "sparsity": sparsity,
    "contraction": contraction,
    "generation": generation,
    "density": density,
}
OTHERS = "What do the metrics of other packages measure?"


class _BuiltInFirst(ChainMap[str, Metric]):
    """Iterate in the order of the parts; a metric of another package is imported only when it is looked up."""

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name for part in self.maps for name in part))


def joined(registry: str) -> dict[str, Any]:
    """Join the registries `METRICS` or `PROFILES` of all questions; raises `InputError` for a name that is used twice."""
    found: dict[str, Any] = {}
    for title, file in QUESTIONS.items():
        for name, entry in getattr(file, registry, {}).items():
            if name in found:
                first = next(other for other, module in QUESTIONS.items() if name in getattr(module, registry, {}))
                raise InputError(f"{registry} of metrics/{title}.py must be new names, got '{name}' as in metrics/{first}.py")
            found[name] = entry
    return found


PLUGGED = Registry("aebench.metrics", {})
METRICS = _BuiltInFirst(joined("METRICS"), PLUGGED)
"""Other packages add a `Metric` through the entry point group `aebench.metrics`; on a clash the built-in metric is used."""
PROFILES: dict[str, Profile] = joined("PROFILES")


def question(name: str) -> str:
    """Return the question that a metric or profile answers."""
    for file in QUESTIONS.values():
        if name in file.METRICS or name in getattr(file, "PROFILES", {}):
            return file.__doc__.partition("?")[0] + "?"
    return OTHERS
