"""The content of a model's MLflow runs, independent of MLflow: a summary over seeds, and one record per seed."""

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cached_property
from itertools import compress
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aebench import storage
from aebench.evaluation.metrics import METRICS
from aebench.reporting.results import TABLES, ModelResults

if TYPE_CHECKING:
    from pandas import DataFrame

ALL = "all"
"""Value of the parameter `seed` in a summary."""
MODEL, FINGERPRINT, FAILED = "aebench.model", "aebench.fingerprint", "aebench.failed"
EXPERIMENT, SWEEP = "dvc.experiment", "aebench.sweep"


@dataclass(frozen=True)
class Record:
    """The content of one run. `curves` has one row per epoch and one column per split and loss term.

    `failed` says why the run has no values, or which seeds have none; "" if all have.
    """

    name: str
    seed: str
    seconds: float
    scores: dict[str, float]
    curves: "DataFrame"
    failed: str = ""

    def points(self) -> list[tuple[str, float, int]]:
        """List (metric, value, step), without NaN and infinities, which MLflow cannot store or plot."""
        scores = [(name, value, 0) for name, value in self.scores.items()]
        curves = [(name, value, int(epoch)) for name, column in self.curves.items() for epoch, value in column.items()]
        return [point for point in scores + curves if isfinite(point[1])]


@dataclass(frozen=True)
class TrackedModel:
    """Results of a model on a data set, with MLflow's description of the data and additional tags.

    `logged` says of which seeds the model itself is logged: none, or the first or all of those that did not fail. `experiment`
    is the name of the DVC experiment that computed them, "" outside experiments, and `sweep` that of the sweep that the model
    belongs to, or "".
    """

    dataset: str
    results: ModelResults
    data: dict[str, str]
    notes: dict[str, str]
    logged: str = "none"
    experiment: str = ""
    sweep: str = ""

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.results.name

    @property
    def key(self) -> str:
        """Identifies the model among all experiments and sweeps; a tag of its runs."""
        return "@".join(filter(None, (self.name, self.sweep, self.experiment)))

    @cached_property
    def time(self) -> int:
        """The time of evaluation, in milliseconds since 1970."""
        return int((self.results.folder / "metrics.csv").stat().st_mtime * 1000)

    @cached_property
    def history(self) -> "DataFrame":
        """Training history, one row per seed and epoch. `train.loss` becomes train/loss, so that the UI groups by split."""
        from pandas import DataFrame

        return DataFrame({name.replace(".", "/", 1): values for name, values in self.results.history.items()})

    @cached_property
    def classification(self) -> dict[str, list[float]]:
        """Columns of classification.csv that are not metrics, as classify/<column>."""
        return {f"classify/{name}": v for name, v in self.results.classification.items() if name not in METRICS}

    @property
    def params(self) -> dict[str, str]:
        """The settings of the model, flattened. A model fitted in closed form has no epochs and no training settings."""
        training = {"training": self.results.training.model_dump()} if len(self.history) else {}
        settings = {name: value for name, value in self.results.settings.items() if name != "training"} | training
        return _flat(settings | {"dataset": self.dataset, "model": self.name, "parameters": self.results.cost.parameters})

    @property
    def tags(self) -> dict[str, str]:
        """Tags with the model, the fingerprint, the notes, and the machine and library versions used for training."""
        cost = self.results.cost
        machine = {name: str(getattr(cost, name)) for name in ("device", "machine", "threads")}
        versions = {f"version.{name}": version for name, version in cost.versions.items()}
        groups = {tag: name for tag, name in {EXPERIMENT: self.experiment, SWEEP: self.sweep}.items() if name}
        return {MODEL: self.key, FINGERPRINT: self.fingerprint} | groups | self.notes | machine | versions

    @property
    def logged_seeds(self) -> list[str]:
        """The seeds whose weights are logged: none that failed, and none of an external model, whose weights are elsewhere."""
        seeds = [] if self.results.fingerprint or not self._weights.exists() else self.results.seeds
        trained = list(map(str, compress(seeds, self.results.measured)))
        return {"none": [], "first": trained[:1], "all": trained}[self.logged]

    @property
    def _weights(self) -> Path:
        return self.results.folder / "weights.safetensors"

    @cached_property
    def fingerprint(self) -> str:
        """A hash of everything its runs show except training times."""
        models = [self.logged_seeds, storage.md5(self._weights)] if self.logged_seeds else []
        tables = [storage.md5(self.results.folder / name) for name in TABLES]
        return fingerprint([self.params, self.data, *tables, *models])

    def records(self) -> list[Record]:
        """The summary, followed by one record per seed."""
        return [self._summary(), *(self._seed(i, seed) for i, seed in enumerate(self.results.seeds))]

    @property
    def _seconds(self) -> float:
        """Training time per seed."""
        return self.results.cost.seconds / len(self.results.seeds)

    def _seed(self, index: int, seed: int) -> Record:
        samples = {f"test/{name}": values for name, values in self.results.samples.items()} | self.classification
        scores = {name: values[index] for name, values in samples.items()} | {"train/seconds": self._seconds}
        curves = self.history[self.history["seed"] == seed].drop(columns="seed").set_index("epoch")
        failed = "" if self.results.measured[index] else self.results.failure
        return Record(f"{self.name} seed {seed}", str(seed), self._seconds, scores, curves, failed)

    def _summary(self) -> Record:
        """Mean, standard deviation and 95 % interval over seeds; mean curves over the epochs that all seeds have in common.

        Of each profile only the means are included, and only in the summary: a hundred values per seed would hide the metrics.
        """
        profiles = {f"{name}/{at}": score.mean for name, axis in self.results.profiles.items() for at, score in axis.items()}
        profiles = {name: mean for name, mean in profiles.items() if f"classify/{name}" not in self.classification}
        scores = {f"profile/{_plain(name)}": mean for name, mean in profiles.items()}
        scores |= {name: self.results.estimate(values).mean for name, values in self.classification.items()}
        for name, score in self.results.scores.items():
            scores[f"test/{name}"] = score.mean
            scores |= {f"{name}.{part}": getattr(score, part) for part in ("sd", "low", "high")}
        scores["train/seconds"] = self._seconds
        epochs = self.history.drop(columns="seed").groupby("epoch")
        curves = epochs.mean()[epochs.size() == len(self.results.seeds)]
        return Record(self.name, ALL, self.results.cost.seconds, scores, curves, self.results.failure)


def _plain(name: str) -> str:
    """Remove the characters that MLflow rejects: "N(0, I)" becomes "N 0 I"."""
    return " ".join(re.sub(r"[^\w\-./ ]", " ", name).split())


def _flat(tree: dict[str, Any], path: str = "") -> dict[str, str]:
    """Flatten nested settings: {"training": {"epochs": 3}} becomes {"training.epochs": "3"}."""
    leaves = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            leaves |= _flat(value, f"{path}{name}.")
        else:
            leaves[path + name] = value if isinstance(value, str) else json.dumps(value)
    return leaves


def fingerprint(content: Any) -> str:
    """Hash content of JSON types to 16 hexadecimal digits."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
