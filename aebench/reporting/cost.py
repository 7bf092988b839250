"""What a row costs: numbers of a machine, which differ from run to run; none of them is a metric."""

import math

from aebench import runs
from aebench.reporting.cells import Column, Table, counts, span
from aebench.reporting.results import Results
from aebench.reporting.sections import SECTIONS

NOTE = (
    "Updates: of one seed. Training: wall time of all seeds, which train together, divided by their number. Peak memory: of "
    "the training process with all seeds, images and libraries. Encode, decode: test images a second through one replica, the "
    "median of five passes in batches of 4096. Times and memory are of the machine that ran it."
)


def table(results: Results) -> Table:
    """A line a row."""
    costs = [row.cost for row in results.rows]
    speeds = [_speeds(results, row.model) for row in results.rows]
    return Table(
        "cost",
        "cost",
        SECTIONS["cost"],
        NOTE,
        [
            Column("model", [row.model for row in results.rows]),
            counts("parameters", "parameters", [cost.parameters for cost in costs]),
            Column("updates", [span(cost.updates) for cost in costs], "right"),
            counts("seconds", "training", [cost.seconds / cost.seeds for cost in costs], 2, "s per seed"),
            counts("memory", "peak memory", [cost.peak_memory / 2**20 for cost in costs], 0, "MiB"),
            *(counts(name, name, [_rate(speed.get(name)) for speed in speeds], 0, "images/s") for name in ("encode", "decode")),
            Column("device", [f"{cost.device}, {cost.threads} thread{'s' * (cost.threads > 1)}" for cost in costs]),
        ],
    )


def _speeds(results: Results, model: str) -> dict[str, float]:
    file = runs.folder(results.dataset, model) / "inference.json"
    return runs.read_json(file) if file.exists() else {}


def _rate(value: float | None) -> float:
    """Three digits: more are noise."""
    return math.nan if value is None else float(f"{value:.3g}")
