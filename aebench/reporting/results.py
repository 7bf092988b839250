"""What there is to report on a data set: the rows that the suite names, never "whatever lies in runs/"."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from aebench import judge, params, runs
from aebench.errors import InputError
from aebench.lock import Lock
from aebench.metrics import METRICS, PROFILES
from aebench.representation import Evaluation
from aebench.statistics import Estimate, best, estimate


@dataclass(frozen=True)
class Certificate:
    """Whether a row keeps the laws of its family, and what it broke; none of either where they were not checked."""

    certified: bool = False
    failures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """One model on one data set: how it was made, what it cost, what it scores, how it learnt and what it makes of images.

    `samples` has a value a seed for every metric, NaN where it was not measured, `profiles` an estimate for every profile
    and place;
    `history` and `pictures` are the columns of history.csv and the arrays of pictures.npz.
    """

    model: str
    block: dict[str, Any]
    cost: runs.Cost
    samples: dict[str, list[float]]
    history: dict[str, list[float]]
    pictures: dict[str, np.ndarray]
    certificate: Certificate = Certificate()
    profiles: dict[str, dict[str, Estimate]] = field(default_factory=dict)

    @cached_property
    def scores(self) -> dict[str, Estimate]:
        """The mean of each metric over seeds."""
        return {name: _score(values) for name, values in self.samples.items()}

    def curve(self, profile: str) -> tuple[np.ndarray, np.ndarray]:
        """The places of a profile as numbers, and its means there; both empty if it was not measured."""
        found = self.profiles.get(profile, {})
        return np.array([float(place.removesuffix("%")) for place in found]), np.array([each.mean for each in found.values()])


@dataclass(frozen=True)
class Results:
    """All that a data set's report is made of; `seeds` are those the suite asks for, `lock` is where it comes from."""

    dataset: str
    about: runs.About
    card: dict[str, Any]
    mean_images: dict[str, np.ndarray]
    rows: list[Row]
    remarks: list[str]
    evaluation: Evaluation
    seeds: tuple[int, ...]
    lock: str
    judge: dict[str, Any] | None = None
    """`name` and `accuracy` of the classifier that measures generated images, if one was trained."""

    @property
    def folder(self) -> Path:
        """Where the report goes."""
        return runs.REPORTS / self.dataset

    @property
    def figures(self) -> Path:
        """Where its figures go."""
        return self.folder / "figures"

    @property
    def prints(self) -> Path:
        """Where they go for print; `dvc plots` shows the other folder whole, and reads no PDF."""
        return self.folder / "pdf"

    def groups(self, name: str) -> list[dict[str, list[float]]]:
        """A metric's samples over seeds by code size; without rows where it was not measured, or not of every seed."""
        groups: dict[int, dict[str, list[float]]] = {}
        for row in self.rows:
            if np.isfinite(row.samples[name]).all():
                groups.setdefault(row.cost.code, {})[row.model] = row.samples[name]
        return list(groups.values())

    @cached_property
    def leading(self) -> dict[str, tuple[bool, ...]]:
        """For every metric that judges, whether a row is among the best of its code size."""
        judging = {name: metric.better for name, metric in METRICS.items() if metric.better}
        models = {name: {m for g in self.groups(name) for m in best(g, better)} for name, better in judging.items()}
        return {name: tuple(row.model in found for row in self.rows) for name, found in models.items()}

    @property
    def tested(self) -> str:
        """How many test images there are."""
        return f"{self.card['splits']['test']['images']:,}"

    @property
    def origin(self) -> str:
        """Which stage writes the report, and from which lock."""
        return f"written by stages.report from {lock_name(self.lock)}"


def read(dataset: str) -> Results:
    """The results of the suite's models on `dataset`; an `InputError` names the first file that is missing."""
    wanted, conf, card = params.suite(), params.dataset(dataset), runs.DATA / dataset / "card"
    certificates = _certificates(dataset)
    return Results(
        dataset=dataset,
        about=runs.load_about(dataset),
        card=runs.read_json(card / "card.json"),
        mean_images=runs.read_arrays(card / "mean_images.npz"),
        rows=[_row(dataset, name, block, certificates) for name, block in params.rows(dataset, wanted).items()],
        remarks=conf.remarks,
        evaluation=params.check(Evaluation, conf.evaluation, f"{params.conf_file(dataset)}:evaluation"),
        seeds=tuple(wanted.seeds),
        lock=Lock.read([dataset]).fingerprint(dataset),
        judge=judge.told(file) if (file := judge.file(dataset)).exists() else None,
    )


def lock_name(lock: str) -> str:
    """A fingerprint as a phrase."""
    return lock if lock == "no lock" else f"lock {lock}"


def written(path: Path) -> Path:
    """`path`, which an earlier stage must have written."""
    if not path.exists():
        raise InputError(f"{path} must have been written by an earlier stage, got no such file: run dvc repro")
    return path


def _certificates(dataset: str) -> dict[str, Certificate]:
    file = runs.certificates_file(dataset)
    found = runs.read_json(file) if file.exists() else {}
    return {row: Certificate(each["certified"], tuple(each["failures"])) for row, each in found.items()}


def _row(dataset: str, model: str, block: dict[str, Any], certificates: dict[str, Certificate]) -> Row:
    folder = runs.folder(dataset, model)
    columns = runs.read_columns(folder / "metrics.csv")
    missing = [float("nan")] * len(columns["seed"])
    return Row(
        model=model,
        block=block,
        cost=runs.load_cost(folder / "cost.json"),
        samples={name: columns.get(name, missing) for name in METRICS},
        history=runs.read_columns(folder / "history.csv"),
        pictures=runs.read_arrays(folder / "pictures.npz"),
        certificate=certificates.get(model, Certificate()),
        profiles=_profiles(folder / "profiles.csv"),
    )


def _profiles(file: Path) -> dict[str, dict[str, Estimate]]:
    """profiles.csv: columns `<profile>/<place>`."""
    found: dict[str, dict[str, Estimate]] = {}
    for column, values in (runs.read_columns(file) if file.exists() else {}).items():
        name, _, place = column.partition("/")
        if name in PROFILES:
            found.setdefault(name, {})[place] = _score(values)
    return found


def _score(values: list[float]) -> Estimate:
    """An estimate; where a value is infinite (PSNR of a perfect image) or missing there is a mean but no interval.

    What is measured of the first seed alone (a map) is one number.
    """
    if np.isnan(values[1:]).all():
        values = values[:1]
    if np.isfinite(values).all():
        return estimate(values)
    return Estimate(float(np.mean(values)), float("nan"), float("nan"), len(values))
