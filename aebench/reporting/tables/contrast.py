"""Two models, or two runs of the pipeline, compared in every main metric: difference, interval and paired test over seeds.

A side is `<dataset>/<model>` in the current folder, or `<folder>:<dataset>/<model>` in another project or workspace. Values are
paired by seed, as in `aebench.statistics`. Only the seeds that both sides have are compared; a deterministic model has the same
value for every seed. The p values are adjusted for all metrics by Holm's method.
"""

import math
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tabulate import tabulate

from aebench import config, models, storage
from aebench.errors import InputError, unknown
from aebench.evaluation.metrics import METRICS
from aebench.reporting.tables.columns import MISSING, header, number
from aebench.statistics import ALPHA, Comparison, compare, estimate, holm

FORM = "<dataset>/<model>, or <folder>:<dataset>/<model>"


@dataclass(frozen=True)
class Side:
    """A model of a run: main metric -> one value per seed, or a single one if the model is `deterministic`."""

    name: str
    deterministic: bool
    seeds: tuple[int, ...]
    samples: dict[str, list[float]]


def read(name: str) -> Side:
    """Read the values of a model; raises `InputError` for a name of another form and for a model without results."""
    folder, _, path = name.rpartition(":")
    dataset, _, model = path.partition("/")
    if not dataset or not model or "/" in model:
        raise InputError(f"A and B must be {FORM}, got {name!r}")
    if not Path(folder or ".").is_dir():
        raise InputError(f"{name} must begin with a folder, got none at {folder}")
    if not (Path(folder) / config.CONF).is_dir():
        raise InputError(f"{name} must begin with the folder of a project, got {Path(folder).absolute()} without {config.CONF}")
    with chdir(folder or "."):
        known = config.dataset(dataset, "A and B").all_models
        if model not in known:
            raise unknown(f"A and B (for {config.conf_file(dataset)})", model, known)
        columns = storage.read_columns(storage.run_folder(dataset, model) / "metrics.csv")
        probes = storage.read_columns(storage.run_folder(dataset, model) / "classification.csv")
    seeds = tuple(int(seed) for seed in columns["seed"])
    columns |= {metric: values[: len(seeds)] for metric, values in probes.items() if metric in METRICS}
    samples = {metric: columns[metric] for metric, facts in METRICS.items() if facts.main and metric in columns}
    return Side(name, not models.find(known[model], name).stochastic, seeds, samples)


def contrast(first: Side, second: Side) -> dict[str, Comparison]:
    """Main metric -> the difference `first` - `second` over common seeds, with p adjusted for all metrics.

    Metrics that a side lacks are left out. Raises `InputError` if the sides have no common seed, or other data sets.
    """
    datasets = [side.name.rpartition(":")[2].partition("/")[0] for side in (first, second)]
    if datasets[0] != datasets[1]:
        raise InputError(f"A and B must be models of the same data set, got {datasets[0]} and {datasets[1]}")
    seeds = common_seeds(first, second)
    results = {}
    for metric in first.samples.keys() & second.samples.keys():
        values = {i: _at(side, metric, seeds) for i, side in enumerate((first, second))}
        if all(np.isfinite(each).all() for each in values.values()):
            results[metric] = compare({str(i): each for i, each in values.items()})[0]
    names = [metric for metric in METRICS if metric in results]
    adjusted = holm([results[metric].p for metric in names]) if names else []
    return {
        metric: Comparison(first.name, second.name, results[metric].difference, float(p), results[metric].effect)
        for metric, p in zip(names, adjusted, strict=True)
    }


def common_seeds(first: Side, second: Side) -> list[int]:
    """The seeds that are compared."""
    several = [side for side in (first, second) if not side.deterministic] or [first]
    seeds = [seed for seed in several[0].seeds if seed in several[-1].seeds]
    if not seeds:
        raise InputError(f"{first.name} and {second.name} must have common seeds, got {first.seeds} and {second.seeds}")
    return seeds


def text(first: Side, second: Side) -> str:
    """The comparison as a table for a terminal, with a note."""
    results, seeds, rows = contrast(first, second), common_seeds(first, second), []
    for metric, result in results.items():
        facts, difference = METRICS[metric], result.difference
        means = [estimate(_at(side, metric, seeds)).mean for side in (first, second)]
        half = number(difference.half_width, facts.decimals)
        row = [f"{header(facts)} ({facts.unit})", *(number(mean, facts.decimals) for mean in means)]
        row.append(f"{difference.mean:+.{facts.decimals}f}" + (f" ± {half}" if half else ""))
        rows.append([*row, *([f"{result.p:.2g}", "yes" if result.p <= ALPHA else "no"] if half else [MISSING, MISSING])])
    heads = ["metric", first.name, second.name, "difference ± 95 % interval", "p", f"p ≤ {ALPHA:g}"]
    tested = any(math.isfinite(result.difference.half_width) for result in results.values())
    note = f"n = {len(seeds)} seeds, paired t tests, p adjusted for all metrics (Holm)" if tested else "n = 1, no interval"
    return f"{tabulate(rows, heads, 'simple', disable_numparse=True)}\n{note}"


def _at(side: Side, metric: str, seeds: list[int]) -> list[float]:
    values = side.samples[metric]
    return values[:1] if side.deterministic else [values[side.seeds.index(seed)] for seed in seeds]
