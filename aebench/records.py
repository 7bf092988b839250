"""What is to be said of a row in MLflow, and nothing of MLflow: a summary over seeds, and each seed."""

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from aebench import runs
from aebench.errors import InputError
from aebench.statistics import estimate

ALL = "all"  # the seed of a summary
MEASURED = ("metrics.csv", "profiles.csv", "classification.csv", "history.csv")
RESULTS = (*MEASURED, "cost.json")
MODEL, FINGERPRINT = "aebench.model", "aebench.fingerprint"


@dataclass(frozen=True)
class Record:
    """What one run says; `curves` has a line an epoch and a column a term."""

    name: str
    seed: str
    seconds: float
    scores: dict[str, float]
    curves: pd.DataFrame

    def points(self) -> list[tuple[str, float, int]]:
        """(metric, value, step). MLflow has no infinity and its charts no use for NaN: neither is a point."""
        final = [(name, value, 0) for name, value in self.scores.items()]
        curves = [(name, value, int(epoch)) for name, column in self.curves.items() for epoch, value in column.items()]
        return [point for point in final + curves if isfinite(point[1])]


@dataclass(frozen=True)
class Row:
    """A model on a data set: its parameters, its data as MLflow is told of them, tags, and the results in its folder."""

    dataset: str
    model: str
    block: dict[str, Any]
    data: dict[str, str]
    notes: dict[str, str]

    @property
    def folder(self) -> Path:
        """Where its results lie."""
        return runs.folder(self.dataset, self.model)

    @cached_property
    def time(self) -> int:
        """When it was finished, in ms."""
        return int((self.folder / "metrics.csv").stat().st_mtime * 1000)

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """A line a seed."""
        return self._by_seed("metrics.csv")

    @cached_property
    def profiles(self) -> pd.DataFrame:
        """A line a seed, a column a profile and place in characters that MLflow takes: "N(0, I)" is "N 0 I"."""
        return self._by_seed("profiles.csv").rename(columns=lambda name: " ".join(re.sub(r"[^\w\-./ ]", " ", name).split()))

    @cached_property
    def classified(self) -> pd.DataFrame:
        """A line a seed that drew labels, a column a classifier and amount of labels."""
        return self._by_seed("classification.csv").add_prefix("classify/")

    @cached_property
    def history(self) -> pd.DataFrame:
        """A line a seed and epoch; `train.loss` is train/loss, so that the UI has a section for train."""
        columns = runs.read_columns(self.folder / "history.csv")
        return pd.DataFrame({name.replace(".", "/", 1): values for name, values in columns.items()})

    @cached_property
    def cost(self) -> runs.Cost:
        """What its training took."""
        return runs.load_cost(self.folder / "cost.json")

    @property
    def params(self) -> dict[str, str]:
        """Its hyper-parameters; a closed form, which has no epochs, has none of training."""
        said = {name: value for name, value in self.block.items() if name != "training" or len(self.history)}
        return _flat(said | {"dataset": self.dataset, "model": self.model, "parameters": self.cost.parameters})

    @property
    def tags(self) -> dict[str, str]:
        """What is not a number of it: what made it, on which machine."""
        machine = {name: str(getattr(self.cost, name)) for name in ("device", "machine", "threads")}
        versions = {f"version.{name}": version for name, version in self.cost.versions.items()}
        return {MODEL: self.model, FINGERPRINT: self.fingerprint} | self.notes | machine | versions

    @cached_property
    def fingerprint(self) -> str:
        """Changes with what its runs say, except for the seconds that training took."""
        return fingerprint([self.params, self.data, *(md5(self.folder / name) for name in MEASURED)])

    def records(self) -> list[Record]:
        """The summary, then each seed."""
        return [self._summary(), *(self._seed(seed) for seed in self.metrics.index)]

    def _by_seed(self, name: str) -> pd.DataFrame:
        return pd.DataFrame(runs.read_columns(self.folder / name)).set_index("seed")

    def _seed(self, seed: float) -> Record:
        share = self.cost.seconds / len(self.metrics)
        scores = self.metrics.loc[seed].add_prefix("test/").to_dict() | self.classified.loc[seed].to_dict()
        curves = self.history[self.history["seed"] == seed].drop(columns="seed").set_index("epoch")
        return Record(f"{self.model} seed {seed:.0f}", f"{seed:.0f}", share, scores | {"train/seconds": share}, curves)

    def _summary(self) -> Record:
        """Mean, standard deviation and 95 % interval over seeds; the mean curves as far as every seed trained.

        Profiles are told here alone, and as means: a hundred numbers a seed would hide those that are compared.
        """
        scores = {
            f"profile/{name}": float(values.mean()) for name, values in self.profiles.items()
        } | self.classified.mean().to_dict()
        for name, values in self.metrics.items():
            with np.errstate(invalid="ignore"):  # the PSNR of perfect images is infinite
                over_seeds = estimate(values if values[1:].notna().any() else values[:1])
            scores[f"test/{name}"] = over_seeds.mean
            scores |= {f"{name}.{part}": getattr(over_seeds, part) for part in ("sd", "low", "high")}
        scores["train/seconds"] = self.cost.seconds / len(self.metrics)
        epochs = self.history.drop(columns="seed").groupby("epoch")
        return Record(self.model, ALL, self.cost.seconds, scores, epochs.mean()[epochs.size() == len(self.metrics)])


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
    """16 hexadecimal digits of what JSON can say."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def md5(path: Path) -> str:
    """As DVC takes it."""
    if not path.exists():
        raise InputError(f"{path} must have been written by an earlier stage, got no such file: run dvc repro")
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "md5").hexdigest()
