"""What a row costs: numbers of a machine, which differ from run to run; none of them is a metric."""

from aebench import runs
from aebench.reporting.cells import TEXT, Column, Table, span
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
            Column("parameters", [f"{cost.parameters:,}" for cost in costs], "right"),
            Column("updates", [span(cost.updates) for cost in costs], "right"),
            Column("training", [f"{cost.seconds / cost.seeds:,.2f}" for cost in costs], "right", "s per seed"),
            Column("peak memory", [f"{cost.peak_memory / 2**20:,.0f}" for cost in costs], "right", "MiB"),
            *(Column(name, [_rate(speed.get(name)) for speed in speeds], "right", "images/s") for name in ("encode", "decode")),
            Column("device", [f"{cost.device}, {cost.threads} thread{'s' * (cost.threads > 1)}" for cost in costs]),
        ],
    )


def _speeds(results: Results, model: str) -> dict[str, float]:
    file = runs.folder(results.dataset, model) / "inference.json"
    return runs.read_json(file) if file.exists() else {}


def _rate(value: float | None) -> str:
    """Three digits: more are noise."""
    return TEXT.missing if value is None else f"{float(f'{value:.3g}'):,.0f}"
