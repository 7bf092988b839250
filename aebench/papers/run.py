"""Reproduce a paper: train and measure all of its runs. A finished run of an interrupted stage is not repeated.

Results of finished runs are kept in .checkpoints/papers/<paper>/ until their settings, code or data change, and a run that is
interrupted is resumed from its checkpoint.
"""

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from aebench import config, data, models, papers, storage
from aebench.code_hashes import code_hashes
from aebench.data.splits import divide
from aebench.evaluation.replicas import configure_compute
from aebench.evaluation.representation import represent_codes, views
from aebench.evaluation.settings import Evaluation
from aebench.models.classifier import Classifier, labelled
from aebench.papers import checks
from aebench.papers.measures import MEASURES
from aebench.papers.settings import Paper, Run
from aebench.storage import About, History, Split
from aebench.training.checkpoint import Checkpoint
from aebench.training.cost import cost
from aebench.training.device import configure_device
from aebench.training.ensemble import Ensemble
from aebench.training.minimise import minimise
from aebench.training.parallel import parallel_map
from aebench.training.run import TRAINING_SPLITS

SUBJECTS = {
    "representation": ("test", represent_codes),
    "validation": ("validation", lambda view: view),
    "test": ("test", lambda view: view),
}
"""What measures of an encoder are computed from: the split, and a function of a view whose images are those of the split."""


@dataclass(frozen=True)
class RunResult:
    """The seeds of a run, measure -> one value per seed, and what the run cost: see `aebench.storage.Cost`."""

    seeds: list[int]
    values: dict[str, list[float]]
    cost: dict[str, Any]


@dataclass(frozen=True)
class Data:
    """The data of a paper: train, validation and test by name, facts about them, and a hash of the images and labels."""

    splits: dict[str, Split]
    about: About
    digest: str

    @classmethod
    def read(cls, paper: Paper, path: str) -> "Data":
        """Read and split the data; `path` is where their settings are written."""
        source = data.check(paper.data, path)
        raw = data.read(source)
        splits, digest = divide(raw, source, path), hashlib.sha256()
        for split in splits.values():
            for part in (split.images, split.labels, split.probabilities):
                digest.update(b"" if part is None else part)
        return cls(splits, raw.about, digest.hexdigest())


@dataclass
class PaperRun:
    """One run of a paper. `histories` are those of the training phases that have finished, which are kept on disk."""

    paper: Paper
    name: str
    run: Run
    data: Data
    file: Path
    path: str
    histories: list[History] = field(default_factory=list)
    checkpoints: list[Checkpoint] = field(default_factory=list)

    @property
    def identity(self) -> str:
        """Return a hash of all that determines the results: settings, seeds, code and data."""
        code = code_hashes(__name__, *models.modules(self.run.model, self.path))
        described = papers.description(self.paper) | {"runs": self.run.model_dump(exclude_unset=True)}
        return hashlib.sha256(json.dumps([described, code, self.data.digest], sort_keys=True).encode()).hexdigest()

    @property
    def training(self) -> config.Training:
        """Return the training settings of the model."""
        return checks.training(self.paper, self.run.model.get("training", {}), f"{self.path}.training")

    def result(self) -> RunResult:
        """Compute the result of the run, or load it if it has been computed before."""
        identity = self.identity
        if self.file.exists() and (content := storage.read_json(self.file))["identity"] == identity:
            return RunResult(**content["result"])
        result = self.compute(identity)
        storage.write_json(self.file, {"identity": identity, "result": asdict(result)})
        for checkpoint in self.checkpoints:
            checkpoint.remove()
        return result

    def compute(self, identity: str) -> RunResult:
        """Train the model with all seeds, then measure it."""
        start, device = time.perf_counter(), self.configure()
        kind, minimise = models.find(self.run.model, self.path), partial(self.minimise, identity)
        seeds = tuple(self.paper.seeds if kind.stochastic or self.run.classifier is not None else self.paper.seeds[:1])
        ensemble = Ensemble(self.build, seeds, device)
        if self.run.pretraining:
            self.pretrain(ensemble, minimise)
        values = self.measure(storage.Trained(self.run.model, self.data.about.shape, seeds, ensemble.state))
        if self.run.classifier is not None:
            self.configure()
            classifiers = Ensemble(lambda: Classifier(self.build(), self.classes), seeds, device)
            classifiers.load(ensemble.state, "encoder.")
            minimise(classifiers, self.labelled_images(device), self.run.classifier)
            values |= self.measure_classifiers(classifiers)
        seconds = time.perf_counter() - start + sum(history.earlier for history in self.histories)
        last = self.histories[-1] if self.histories else History()
        return RunResult(list(seeds), values, asdict(cost(ensemble, last, seconds, self.training.threads)))

    def configure(self) -> torch.device:
        """Return the device for training, and set threads and matrix products, which measures may have changed."""
        training = self.training
        return configure_device(training.device, training.threads, training.blas, training.precision == "tf32")

    @property
    def classes(self) -> int:
        """Return the number of classes, C."""
        return len(self.data.about.classes)

    def build(self) -> models.Autoencoder:
        """Build the model for one seed."""
        return models.build(self.run.model, self.data.about.pixels, self.path)

    def pretrain(self, ensemble: Ensemble, minimise: Callable[..., History]) -> None:
        """Train the model without labels: a stack that becomes a classifier layer by layer, all others as usual."""
        images = models.Images.of(*(self.data.splits[split] for split in TRAINING_SPLITS), ensemble.device)
        if self.run.classifier is None or not hasattr(ensemble.model, "pretrain"):
            ensemble.model.fit(ensemble, images, minimise)
            return
        layers = self.run.model["layers"]
        ensemble.model.pretrain(ensemble, images, lambda i, layer, x: minimise(layer, x, layers[i].get("training", {})))

    def labelled_images(self, device: torch.device) -> models.Images:
        """Return pixels and one-hot labels (n, d + C) of training and validation images."""
        splits = (self.data.splits[split] for split in TRAINING_SPLITS)
        pairs = [(torch.from_numpy(split.images), torch.from_numpy(split.labels)) for split in splits]
        return models.Images(*(labelled(images, labels, self.classes).to(device) for images, labels in pairs))

    def minimise(self, identity: str, ensemble: Ensemble, images: models.Images, changes: dict | None = None) -> History:
        """Train by gradient descent. A phase that has finished before is loaded."""
        training = self.training if changes is None else checks.training(self.paper, changes, f"{self.path}.training")
        file = self.file.with_name(f"{self.file.stem}-{len(self.checkpoints) + 1}.safetensors")
        self.checkpoints.append(checkpoint := Checkpoint(file, [identity, training.model_dump(), list(ensemble.shapes)]))
        self.histories.append(minimise(ensemble, images, training, checkpoint, keep=True))
        return self.histories[-1]

    def measure(self, trained: storage.Trained) -> dict[str, list[float]]:
        """Return measure -> one value per seed, NaN if it failed, of codes and reconstructions; see `Measure.subject`."""
        device, splits, values = configure_compute(self.paper.compute), self.data.splits, {}
        reference = (splits["train"], splits["validation"])
        for subject, (split, represent) in SUBJECTS.items():
            names = [name for name in self.run.measures if MEASURES[name].subject == subject]
            for view in views(trained, reference, splits[split], Evaluation(), device) if names else ():
                given = represent(view) if view.measurable else None
                for name in names:
                    value = math.nan if given is None else MEASURES[name].measure(given)
                    values.setdefault(name, []).append(value)
        return values

    def measure_classifiers(self, classifiers: Ensemble) -> dict[str, list[float]]:
        """Return measure -> one value per seed, of the predicted classes of test images."""
        test = self.data.splits["test"]
        images, labels = (torch.from_numpy(rows).to(classifiers.device) for rows in (test.images, test.labels))
        names = [name for name in self.run.measures if MEASURES[name].subject == "classifier"]
        return {name: MEASURES[name].measure(classifiers, images, labels) for name in names}


def run(name: str) -> None:
    """Compute all runs of a paper and write its results; see `aebench.papers`."""
    paper, path = papers.find(name), f"{papers.file(name)}:"
    checks.check(paper, path)
    read = Data.read(paper, f"{path}data")
    checks.check_images(paper, read.splits, path)
    folder = storage.checkpoint_file(f"papers/{name}", "").parent
    jobs = [
        PaperRun(paper, run, settings, read, folder / f"{run}.json", f"{path}runs.{run}.model")
        for run, settings in paper.runs.items()
    ]
    work = tqdm(parallel_map(PaperRun.result, jobs, paper.compute.processes), total=len(jobs), desc=name, unit="run")
    results = dict(zip(paper.runs, work, strict=True))
    storage.write_columns(storage.paper_file(name), _columns(results))
    facts = {run: result.cost for run, result in results.items()}
    storage.write_json(storage.paper_file(name, ".json"), {"settings": papers.description(paper), "runs": facts})


def _columns(results: dict[str, RunResult]) -> dict[str, list]:
    """Return the columns of reports/papers/<paper>.csv: one row per run, measure and seed."""

    def rows() -> Iterator[tuple]:
        for run, result in results.items():
            for measure, values in result.values.items():
                for seed, value in zip(result.seeds, values, strict=True):
                    yield run, measure, seed, value, round(result.cost["seconds"], 1), result.cost["processor"]

    return dict(
        zip(("run", "measure", "seed", "value", "seconds", "processor"), map(list, zip(*rows(), strict=True)), strict=True)
    )
