"""The cost of each model: measurements of a machine that differ from run to run. None of them is a metric."""

import math

from aebench.reporting.results import Results
from aebench.reporting.sections import SECTIONS
from aebench.reporting.tables.columns import Column, Table, counts, models, span, threads

NOTE = (
    "Updates: optimiser steps of one seed. Training: wall time of all seeds, which train together, divided by their number. "
    "Peak memory: of the training process with all seeds, images and libraries. Encode, decode: test images per second through "
    "the model of one seed. Times and memory depend on the machine."
)


def table(results: Results) -> Table:
    """One row per model."""
    costs, rates = [model.cost for model in results.models], [model.throughput for model in results.models]
    columns = [
        models(results),
        counts("parameters", "parameters", [cost.parameters for cost in costs]),
        Column("updates", [span(cost.updates) for cost in costs], "right"),
        counts("seconds", "training", [cost.seconds / cost.seeds for cost in costs], 2, "s per seed"),
        counts("memory", "peak memory", [cost.peak_memory / 2**20 for cost in costs], 0, "MiB"),
        *(counts(name, name, [_rate(rate.get(name)) for rate in rates], 0, "images/s") for name in ("encode", "decode")),
        Column("device", [threads(cost) for cost in costs]),
    ]
    return Table("cost", "cost", SECTIONS["cost"], NOTE, columns)


def _rate(value: float | None) -> float:
    """Rounded to three significant digits; the others are noise."""
    return math.nan if value is None else float(f"{value:.3g}")
