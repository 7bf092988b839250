"""What MLflow shows of a model on a data set, without any call to MLflow: a summary over seeds, and one record per seed."""

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from typing import TYPE_CHECKING, Any

from aebench import storage
from aebench.evaluation.metrics import METRICS
from aebench.reporting.results import ModelResults, over_seeds

if TYPE_CHECKING:
    from pandas import DataFrame

ALL = "all"
"""The parameter `seed` of a summary."""
MEASURED = ("metrics.csv", "profiles.csv", "classification.csv", "history.csv")
MODEL, FINGERPRINT = "aebench.model", "aebench.fingerprint"


@dataclass(frozen=True)
class Record:
    """The content of one run; `curves` has one row per epoch and one column per loss term."""

    name: str
    seed: str
    seconds: float
    scores: dict[str, float]
    curves: "DataFrame"

    def points(self) -> list[tuple[str, float, int]]:
        """(metric, value, step), without NaN and infinities, which MLflow cannot store or draw."""
        scores = [(name, value, 0) for name, value in self.scores.items()]
        curves = [(name, value, int(epoch)) for name, column in self.curves.items() for epoch, value in column.items()]
        return [point for point in scores + curves if isfinite(point[1])]


@dataclass(frozen=True)
class TrackedModel:
    """The results of a model on a data set, with MLflow's description of the data and additional tags."""

    dataset: str
    results: ModelResults
    data: dict[str, str]
    notes: dict[str, str]

    @property
    def name(self) -> str:
        """The model's name."""
        return self.results.name

    @cached_property
    def time(self) -> int:
        """When it was measured, in ms."""
        return int((self.results.folder / "metrics.csv").stat().st_mtime * 1000)

    @cached_property
    def history(self) -> "DataFrame":
        """One row per seed and epoch; `train.loss` becomes train/loss, so that the UI has a section for train."""
        from pandas import DataFrame

        return DataFrame({name.replace(".", "/", 1): values for name, values in self.results.history.items()})

    @cached_property
    def classification(self) -> dict[str, list[float]]:
        """classify/<column> of classification.csv, without the columns that are metrics."""
        return {f"classify/{name}": v for name, v in self.results.classification.items() if name not in METRICS}

    @property
    def params(self) -> dict[str, str]:
        """Its settings; a model with a closed form has no epochs and therefore no settings of training."""
        training = {"training": self.results.training.model_dump()} if len(self.history) else {}
        settings = {name: value for name, value in self.results.settings.items() if name != "training"} | training
        return _flat(settings | {"dataset": self.dataset, "model": self.name, "parameters": self.results.cost.parameters})

    @property
    def tags(self) -> dict[str, str]:
        """Where the numbers come from: code, data, machine and libraries."""
        cost = self.results.cost
        machine = {name: str(getattr(cost, name)) for name in ("device", "machine", "threads")}
        versions = {f"version.{name}": version for name, version in cost.versions.items()}
        return {MODEL: self.name, FINGERPRINT: self.fingerprint} | self.notes | machine | versions

    @cached_property
    def fingerprint(self) -> str:
        """Changes with anything that its runs show, except for the seconds of training."""
        return fingerprint([self.params, self.data, *(storage.md5(self.results.folder / name) for name in MEASURED)])

    def records(self) -> list[Record]:
        """The summary, then each seed."""
        return [self._summary(), *(self._seed(i, seed) for i, seed in enumerate(self.results.seeds))]

    @property
    def _seconds(self) -> float:
        """A seed's share of the training time."""
        return self.results.cost.seconds / len(self.results.seeds)

    def _seed(self, position: int, seed: int) -> Record:
        samples = {f"test/{name}": values for name, values in self.results.samples.items()} | self.classification
        scores = {name: values[position] for name, values in samples.items()} | {"train/seconds": self._seconds}
        curves = self.history[self.history["seed"] == seed].drop(columns="seed").set_index("epoch")
        return Record(f"{self.name} seed {seed}", str(seed), self._seconds, scores, curves)

    def _summary(self) -> Record:
        """Mean, standard deviation and 95 % interval over seeds; mean curves up to the last epoch that every seed trained.

        Profiles have only their means, and only here: a hundred numbers per seed would hide the metrics.
        """
        profiles = {f"{p}/{place}": e.mean for p, places in self.results.profiles.items() for place, e in places.items()}
        profiles = {name: mean for name, mean in profiles.items() if f"classify/{name}" not in self.classification}
        scores = {f"profile/{_plain(name)}": mean for name, mean in profiles.items()}
        scores |= {name: over_seeds(values).mean for name, values in self.classification.items()}
        for name, score in self.results.scores.items():
            scores[f"test/{name}"] = score.mean
            scores |= {f"{name}.{part}": getattr(score, part) for part in ("sd", "low", "high")}
        scores["train/seconds"] = self._seconds
        epochs = self.history.drop(columns="seed").groupby("epoch")
        curves = epochs.mean()[epochs.size() == len(self.results.seeds)]
        return Record(self.name, ALL, self.results.cost.seconds, scores, curves)


def _plain(name: str) -> str:
    """The characters that MLflow accepts: "N(0, I)" becomes "N 0 I"."""
    return " ".join(re.sub(r"[^\w\-./ ]", " ", name).split())


def _flat(tree: dict[str, Any], path: str = "") -> dict[str, str]:
    """{"training": {"epochs": 3}} -> {"training.epochs": "3"}."""
    leaves = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            leaves |= _flat(value, f"{path}{name}.")
        else:
            leaves[path + name] = value if isinstance(value, str) else json.dumps(value)
    return leaves


def fingerprint(content: Any) -> str:
    """16 hexadecimal digits that identify content of JSON types."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
