"""The cost of each model: measurements that depend on the machine and vary between runs; they are not metrics."""

import math

from aebench.reporting.results import ModelResults, Results
from aebench.reporting.sections import SECTIONS
from aebench.reporting.tables.columns import Column, Table, counts, models, threads, value_range

NOTE = (
    "Updates: optimiser steps per seed. Training: wall time of all seeds, which are trained at once, divided by their number. "
    "Peak memory: memory of the training process with all seeds, images and libraries. Encode, decode: test images per "
    "second with the model of one seed. Times and memory depend on the machine. Several models may have been trained and "
    "evaluated at the same time, which slows each of them down."
)


def table(results: Results) -> Table:
    """Return the table, one row per model."""
    costs, rates = [model.cost for model in results.models], [model.throughput for model in results.models]
    columns = [
        models(results),
        counts("parameters", "parameters", [model.parameters for model in results.models]),
        Column("updates", [value_range(cost.updates) for cost in costs], "right"),
        counts("seconds", "training", [_seconds(model) for model in results.models], 2, "s per seed"),
        counts("memory", "peak memory", [cost.peak_memory / 2**20 for cost in costs], 0, "MiB"),
        *(counts(name, name, [_rate(rate.get(name)) for rate in rates], 0, "images/s") for name in ("encode", "decode")),
        Column("device", [threads(cost) for cost in costs]),
    ]
    return Table("cost", "cost", SECTIONS["cost"], NOTE, columns)


def _seconds(model: ModelResults) -> float:
    """Return the training time per seed; NaN for an external model."""
    return math.nan if model.fingerprint else model.cost.seconds / model.cost.seeds


def _rate(value: float | None) -> float:
    """Return the rate rounded to three significant digits, because further digits vary between runs."""
    return math.nan if value is None else float(f"{value:.3g}")
