"""Two models, or all models of two runs of the pipeline, compared in every main metric: difference, interval and paired test.

A side is `<dataset>/<model>` in the current folder, `<place>:<dataset>/<model>`, or a place alone, which means all of its
models. A place is the folder of a project or workspace or, for `aebench compare`, also a DVC experiment or a Git revision.
Values are paired by seed, as in `aebench.statistics`. Only seeds that both sides have are compared; a deterministic model has
the same value for every seed. The p values are adjusted by Holm's method for all metrics of all models that are compared.
"""

import csv
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, chdir, contextmanager
from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path

import numpy as np
from tabulate import tabulate

from aebench import config, models, storage
from aebench.errors import InputError, unknown
from aebench.evaluation.metrics import METRICS
from aebench.reporting.results import with_classification
from aebench.reporting.tables.columns import MISSING, header, number, p_value
from aebench.statistics import ALPHA, Comparison, compare, estimate, holm, with_values

FORM = "<dataset>/<model>, <place>:<dataset>/<model> or <place>, where a place is a folder, an experiment or a Git revision"
TABLES = ("metrics.csv", "classification.csv")
HERE = "workspace"
"""The place of the results in the current folder."""
Find = Callable[[str], AbstractContextManager[Path]]
"""Gives the folder with params.yaml, conf/ and the `TABLES` of a place."""


@dataclass(frozen=True)
class Side:
    """A model of a run: main metric -> one value per seed, or a single one if the model is `deterministic`.

    Seeds that failed are left out.
    """

    name: str
    deterministic: bool
    seeds: tuple[int, ...]
    samples: dict[str, list[float]]


@contextmanager
def folder_of(place: str) -> Iterator[Path]:
    """Yield the folder called `place`; raises `InputError` if it has no settings."""
    if not (folder := Path(place if place != HERE else ".")).is_dir():
        raise InputError(f"A and B must be {FORM}, got no folder {place}")
    if not (folder / config.CONF).is_dir():
        raise InputError(f"A and B must be in the folder of a project, got {folder.absolute()} without {config.CONF}")
    yield folder


def read(name: str, find: Find = folder_of) -> Side:
    """Read the values of a model; raises `InputError` for a name of another form and for a model without results."""
    place, model = _parsed(name)
    if not model:
        raise InputError(f"A and B must be {FORM}, got {name!r}")
    with _inside(place, find):
        return _side(name, *model.split("/"))


def read_all(place: str, find: Find = folder_of) -> dict[str, Side]:
    """Read the models of the suite that have results, by `<dataset>/<model>`."""
    with _inside(place, find):
        suite = config.suite()
        names = [(dataset, model) for dataset in suite.datasets for model in suite.all_models]
        finished = [name for name in names if (storage.run_folder(*name) / TABLES[0]).exists()]
        return {"/".join(name): _side(place, *name) for name in finished}


def report(first: str, second: str, find: Find = folder_of) -> str:
    """Compare two models, or all models of two places that differ, and name those that do not or have no results."""
    whole = [not _parsed(name)[1] for name in (first, second)]
    if whole[0] != whole[1]:
        hint = "; a place whose name has a slash ends with a colon, such as feature/x:"
        raise InputError(f"A and B must both be models, or both be places, got {first!r} and {second!r}{hint}")
    if not whole[0]:
        pair = read(first, find), read(second, find)
        contrast(*pair)
        return text({"": pair})
    places = [name.removesuffix(":") for name in (first, second)]
    sides = [read_all(place, find) for place in places]
    both = [name for name in sides[0] if name in sides[1]]
    if not both:
        has = [f"{place} has {', '.join(side) or 'none'}" for place, side in zip(places, sides, strict=True)]
        own = Path("own").is_dir() and HERE in places and not sides[places.index(HERE)]
        hint = "; results of a selection are in the folder own" if own else ""
        raise InputError(f"A and B must have results of the same models; {has[0]}, and {has[1]}{hint}")
    pairs = {name: (sides[0][name], sides[1][name]) for name in both}
    equal = [name for name, (one, other) in pairs.items() if _equal(one, other)]
    notes = [f"equal in both: {', '.join(equal)}"] if equal else []
    for place, own, others in ((places[1], sides[1], sides[0]), (places[0], sides[0], sides[1])):
        if missing := [name for name in others if name not in own]:
            notes.append(f"no results in {place}: {', '.join(missing)}")
    differing = {name: pair for name, pair in pairs.items() if name not in equal}
    return "\n\n".join([*([text(differing)] if differing else []), "\n".join(notes)]).strip()


def _equal(one: Side, other: Side) -> bool:
    """Whether two sides have the same seeds and values; NaN is equal to NaN."""
    if one.seeds != other.seeds or one.samples.keys() != other.samples.keys():
        return False
    return all(np.array_equal(one.samples[metric], other.samples[metric], equal_nan=True) for metric in one.samples)


def _parsed(name: str) -> tuple[str, str]:
    """Return the place, empty for the current folder, and `<dataset>/<model>`, empty for all models of a place."""
    place, colon, path = name.rpartition(":")
    if colon and place and not path:
        return place, ""
    if not colon and path and ("/" not in path or not _is_dataset(path)):
        return path, ""
    dataset, _, model = path.partition("/")
    if not dataset or not model or "/" in model:
        raise InputError(f"A and B must be {FORM}, got {name!r}")
    return place, path


def _is_dataset(path: str) -> bool:
    """Whether a path without a place looks like `<dataset>/<model>`: branches and folders may have slashes, too."""
    return path.count("/") == 1 and not Path(path, config.CONF).is_dir()


@contextmanager
def _inside(place: str, find: Find) -> Iterator[None]:
    """Work in the folder of a place; errors there begin with its name."""
    with find(place or HERE) as folder, chdir(folder):
        try:
            yield
        except InputError as error:
            raise InputError(f"{place}: {error}" if place else str(error)) from None


def _side(name: str, dataset: str, model: str) -> Side:
    known = config.dataset(dataset, "A and B").all_models
    if model not in known:
        raise unknown(f"A and B (for {config.conf_file(dataset)})", model, known)
    evaluated, classified = (storage.run_folder(dataset, model) / file for file in TABLES)
    columns = with_classification(_columns(evaluated), _columns(classified), classified)
    seeds, deterministic = tuple(map(int, columns["seed"])), not models.find(known[model], name).stochastic
    samples = {metric: columns[metric] for metric, facts in METRICS.items() if facts.main and metric in columns}
    measured = with_values(samples.values())
    samples = {metric: list(compress(values, measured)) for metric, values in samples.items()}
    return Side(name, deterministic, tuple(compress(seeds, measured)), samples)


def _columns(file: Path) -> dict[str, list[float]]:
    """Read a table of results; raises `InputError` if it is missing or damaged."""
    if not file.exists():
        raise InputError(f"{file} is missing: the model has no results there; `aebench select` and `aebench run` compute them")
    try:
        columns = storage.read_columns(file)
        if not columns["seed"] or not all(seed.is_integer() for seed in columns["seed"]):
            raise ValueError("no seeds")
    except (ValueError, IndexError, KeyError, csv.Error) as error:
        raise _damaged(file, f"{type(error).__name__}: {error}") from None
    return columns


def _damaged(file: Path, got: str) -> InputError:
    return InputError(f"{file} must be a table with a number per seed and metric, got {got}")


def contrast(first: Side, second: Side) -> dict[str, Comparison]:
    """Return the differences `first` - `second` over common seeds by main metric, with p adjusted for all metrics.

    Metrics that a side lacks are left out. Raises `InputError` if the sides have no common seed, or other data sets.
    """
    datasets = [_parsed(side.name)[1].partition("/")[0] for side in (first, second)]
    if datasets[0] != datasets[1]:
        raise InputError(f"A and B must be models of the same data set, got {datasets[0]} and {datasets[1]}")
    return contrasts({"": (first, second)})[""]


def contrasts(pairs: Mapping[str, tuple[Side, Side]]) -> dict[str, dict[str, Comparison]]:
    """Return for each pair the differences over common seeds by main metric, with p adjusted for all metrics of all pairs."""
    results = {name: _differences(*pair) for name, pair in pairs.items()}
    tests = [(name, metric) for name, by in results.items() for metric in by]
    adjusted = holm([results[name][metric].p for name, metric in tests])
    for (name, metric), p in zip(tests, adjusted, strict=True):
        results[name][metric] = replace(results[name][metric], p=float(p))
    return results


def common_seeds(first: Side, second: Side) -> list[int]:
    """Return the seeds that are compared."""
    several = [side for side in (first, second) if not side.deterministic] or [first]
    seeds = [seed for seed in several[0].seeds if seed in several[-1].seeds]
    if not seeds:
        raise InputError(f"{first.name} and {second.name} must have common seeds, got {first.seeds} and {second.seeds}")
    return seeds


def text(pairs: Mapping[str, tuple[Side, Side]]) -> str:
    """Return the comparison as text for a terminal: a table per pair, and a note."""
    results, tables = contrasts(pairs), []
    for name, (first, second) in pairs.items():
        seeds, rows = common_seeds(first, second), []
        for metric, result in results[name].items():
            facts, difference = METRICS[metric], result.difference
            means = [estimate(_at(side, metric, seeds)).mean for side in (first, second)]
            half = number(difference.half_width, facts.decimals)
            row = [f"{header(facts)} ({facts.unit})", *(number(mean, facts.decimals) for mean in means)]
            row.append(f"{difference.mean:+z.{facts.decimals}f}" + (f" ± {half}" if half else ""))
            rows.append([*row, *([p_value(result.p), "yes" if result.p <= ALPHA else "no"] if half else [MISSING, MISSING])])
        heads = [name or "metric", first.name, second.name, "difference ± 95 % interval", "p", f"p ≤ {ALPHA:g}"]
        count = f"n = {len(seeds)} seeds, paired t tests" if len(seeds) > 1 else "n = 1, no interval"
        tables.append(f"{tabulate(rows, heads, 'simple', disable_numparse=True)}\n{count}")
    family = "metrics" if len(pairs) == 1 else "metrics of all models"
    tested = any(math.isfinite(result.difference.half_width) for by in results.values() for result in by.values())
    return "\n\n".join(tables) + (f", p adjusted for all {family} (Holm)" if tested else "")


def _differences(first: Side, second: Side) -> dict[str, Comparison]:
    """Return the differences by main metric, with p that is not adjusted."""
    seeds, results = common_seeds(first, second), {}
    for metric in METRICS:
        if metric in first.samples and metric in second.samples:
            values = {str(i): _at(side, metric, seeds) for i, side in enumerate((first, second))}
            if all(np.isfinite(each).all() for each in values.values()):
                results[metric] = replace(compare(values)[0], first=first.name, second=second.name)
    return results


def _at(side: Side, metric: str, seeds: list[int]) -> list[float]:
    values = side.samples[metric]
    return values[:1] if side.deterministic else [values[side.seeds.index(seed)] for seed in seeds]
