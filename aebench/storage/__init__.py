"""The project's files: their paths, and functions that write and read them. Every write is atomic.

    data/<dataset>/{train,validation,test}.npz       images (n, pixels) float32 in [0, 1], labels (n,) int64, probabilities
    data/<dataset>/dimensions.json                   image shape and number of classes: all that training reads besides images
    data/<dataset>/about.json                        title, class names, source and licence, which only reports print
    data/<dataset>/card/                             data card for the report: card.json and mean images
    runs/code/                                       hashes of the code behind each stage and model
    runs/<dataset>/<model>/weights.safetensors       weights of every seed, stacked; the model's settings in the metadata
    runs/<dataset>/<model>/history.csv               seed, epoch, then every loss term on training and validation images
    runs/<dataset>/<model>/cost.json                 seconds, memory, epochs, parameters; wall times vary between equal runs
    runs/<dataset>/<model>/metrics.csv               seed, then every metric on the test set
    runs/<dataset>/<model>/profiles.csv              seed, then every value of every profile, `<profile>/<position>`
    runs/<dataset>/<model>/inference.json            images per second
    runs/<dataset>/<model>/pictures.npz              arrays for the figures, first seed
    runs/<dataset>/<model>/classification.csv        seed, then test accuracies of linear probes and of fine-tuned classifiers
    runs/<dataset>/<model>/linear_probe.json         labels and penalties of the linear probes, and a confusion matrix
    runs/<dataset>/<stack>/layers/, layers.csv       the pretrained layers of a stack
    runs/<dataset>/<stack>/classifiers.safetensors   classifiers fine-tuned from the layers of a stack
    runs/feature_classifiers/<dataset>.safetensors   the feature classifier
    runs/pages/<dataset>.html                        the section of the data set in reports/index.html
    runs/<dataset>/studies/<study>/cost.json         wall time and environment of a study
    reports/<dataset>/studies/                       results of the studies
    reports/papers/<paper>.csv, .json                results of a paper, and what they depend on
    reports/<dataset>/                               tables, and figures for the screen and (pdf/) for print
    reports/lecture/                                 figures that depend on no data set

Arrays are npz without pickle, tensors safetensors, everything else CSV and JSON.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aebench.errors import InputError
from aebench.storage.formats import (  # noqa: F401 (used as storage.<name>)
    atomic_write,
    md5,
    read_arrays,
    read_columns,
    read_json,
    sha256,
    write_arrays,
    write_columns,
    write_json,
    written,
)
from aebench.storage.yaml_files import read_yaml  # noqa: F401

if TYPE_CHECKING:
    from torch import Tensor

DATA = Path("data")
RUNS = Path("runs")
CODE = RUNS / "code"
REPORTS = Path("reports")
CHECKPOINTS = Path(".checkpoints")
SPLITS = ("train", "validation", "test")
RESERVED_DATASETS = ("code", "feature_classifiers", "lecture", "pages", "papers")
"""Folders of runs/ and reports/ that belong to no data set."""
RESERVED_MODELS = ("prepare", "studies")
"""Names in runs/<dataset>/ and runs/code/<dataset>/ that belong to no model."""
FORMAT = 2
"""Format of weights.safetensors: 1 stored the weights of a layer as (outputs, inputs), 2 stores them as (inputs, outputs)."""


@dataclass(frozen=True)
class Split:
    """Images (n, pixels) float32 in [0, 1] and labels (n,) int64, indices into `About.classes`.

    `probabilities` (n, pixels) are given if gradient descent draws binary images from them, see `aebench.data.binarised`.
    """

    images: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray | None = None

    def select(self, kept: np.ndarray) -> "Split":
        """Return the images at `kept`, a mask (n,) or indices."""
        probabilities = None if self.probabilities is None else self.probabilities[kept]
        return Split(self.images[kept], self.labels[kept], probabilities)


@dataclass(frozen=True)
class About:
    """Facts about a data set that do not depend on its images; `shape` is (height, width) or (height, width, channels)."""

    title: str
    shape: tuple[int, ...]
    classes: tuple[str, ...]
    source: str
    licence: str

    @property
    def pixels(self) -> int:
        """Values per image, d: the product of `shape`."""
        return int(np.prod(self.shape))


@dataclass(frozen=True)
class History:
    """Every loss term at every epoch: `terms["train.reconstruction"]` is (epochs, S), NaN after a seed has stopped.

    `train.*` are running means over the mini-batches of an epoch, `validation.*` are computed at its end, `*.loss` is the
    sum of the terms. `best` (S,) is the epoch (from 1) whose weights were kept, `updates` (S,) the number of optimiser
    steps, `failed` (S,) the epoch in which the loss of a seed was no longer finite, or 0, and `earlier` the seconds spent by
    interrupted processes up to their last checkpoint. A model with a closed form has no epochs: `History()`.
    """

    terms: dict[str, np.ndarray] = field(default_factory=dict)
    best: np.ndarray = field(default_factory=lambda: np.zeros(0, int))
    updates: np.ndarray = field(default_factory=lambda: np.zeros(0, int))
    failed: np.ndarray = field(default_factory=lambda: np.zeros(0, int))
    earlier: float = 0.0


@dataclass(frozen=True)
class Trained:
    """The weights of a model for S seeds, stacked on the first axis, and the arguments with which the model is built.

    The weights of a seed that failed are NaN. For a single layer of a stack, `settings` are facts about its training instead
    (training/greedy.py).
    """

    settings: dict[str, Any]
    shape: tuple[int, ...]
    seeds: tuple[int, ...]
    state: "dict[str, Tensor]"


@dataclass(frozen=True)
class Cost:
    """The cost of training: `seconds` (wall time) and `peak_memory` (bytes; 0 if not measured) of all seeds together.

    `failed` is described in `History`. `parameters` is None if their number is unknown. `processor` is the model name of the
    CPU or GPU and `blas` the library behind its matrix products: two machines give the same weights only if both agree.
    """

    seconds: float
    seeds: int
    parameters: int | None
    latent_dim: int
    epochs: list[int] = field(default_factory=list)
    best: list[int] = field(default_factory=list)
    updates: list[int] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    peak_memory: int = 0
    device: str = "cpu"
    threads: int = 1
    machine: str = ""
    processor: str = ""
    blas: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    """The model's `facts`, which its settings do not show."""


def run_folder(dataset: str, model: str) -> Path:
    """Path of the folder runs/<dataset>/<model>."""
    return RUNS / dataset / model


def study_folder(dataset: str) -> Path:
    """Path of the folder with the results of studies, reports/<dataset>/studies; they are in Git."""
    return REPORTS / dataset / "studies"


def paper_file(paper: str, suffix: str = ".csv") -> Path:
    """Path of a file with the results of a paper, reports/papers/<paper>.csv or .json; they are in Git."""
    return REPORTS / "papers" / f"{paper}{suffix}"


def checkpoint_file(dataset: str, model: str) -> Path:
    """Path of the checkpoint of an unfinished training run; outside runs/, since DVC deletes outputs before it runs a stage."""
    return CHECKPOINTS / dataset / f"{model}.safetensors"


def save_split(dataset: str, name: str, split: Split) -> None:
    """Write data/<dataset>/<name>.npz."""
    arrays = {"images": split.images.astype(np.float32), "labels": split.labels.astype(np.int64)}
    if split.probabilities is not None:
        arrays["probabilities"] = split.probabilities.astype(np.float32)
    write_arrays(split_file(dataset, name), **arrays)


def load_split(dataset: str, name: str) -> Split:
    """Read data/<dataset>/<name>.npz."""
    return Split(**read_arrays(split_file(dataset, name)))


def split_file(dataset: str, name: str) -> Path:
    """Path of data/<dataset>/<name>.npz."""
    return DATA / dataset / f"{name}.npz"


def save_about(dataset: str, about: About) -> None:
    """Write data/<dataset>/about.json and dimensions.json."""
    write_json(DATA / dataset / "about.json", asdict(about))
    write_json(DATA / dataset / "dimensions.json", {"shape": about.shape, "classes": len(about.classes)})


def load_about(dataset: str) -> About:
    """Read data/<dataset>/about.json."""
    fields = read_json(DATA / dataset / "about.json")
    return About(**fields | {"shape": tuple(fields["shape"]), "classes": tuple(fields["classes"])})


def load_dimensions(dataset: str) -> tuple[tuple[int, ...], int]:
    """Read the shape of an image and the number of classes."""
    fields = read_json(DATA / dataset / "dimensions.json")
    return tuple(fields["shape"]), fields["classes"]


def save_trained(path: Path, trained: Trained) -> None:
    """Write weights.safetensors."""
    from safetensors.torch import save_file

    facts = {"format": FORMAT, "settings": trained.settings, "shape": trained.shape, "seeds": trained.seeds}
    with atomic_write(path) as partial:
        save_file({k: v.contiguous() for k, v in trained.state.items()}, partial, {"aebench": json.dumps(facts)})


def load_trained(path: Path) -> Trained:
    """Read weights.safetensors onto the CPU."""
    from safetensors import safe_open

    with safe_open(written(path), "pt") as file:
        facts = json.loads(file.metadata()["aebench"])
        if (written_in := facts.get("format", 1)) != FORMAT:
            raise InputError(f"{path} must be a file of format {FORMAT}, got format {written_in}: run `aebench run`")
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    return Trained(facts["settings"], tuple(facts["shape"]), tuple(facts["seeds"]), state)


def save_history(path: Path, seeds: tuple[int, ...], history: History) -> None:
    """Write history.csv with one row per seed and epoch, up to the epoch in which the seed stopped."""
    epochs = len(next(iter(history.terms.values()), ()))
    lines = [(s, e) for s in range(len(seeds)) for e in range(epochs) if not np.isnan(history.terms["train.loss"][e, s])]
    columns = {"seed": [seeds[s] for s, _ in lines], "epoch": [e + 1 for _, e in lines]}
    write_columns(path, columns | {name: [values[e, s] for s, e in lines] for name, values in history.terms.items()})


def save_training(dataset: str, model: str, trained: Trained, history: History, cost: Cost) -> None:
    """Write weights.safetensors, history.csv and cost.json of a model."""
    folder = run_folder(dataset, model)
    save_trained(folder / "weights.safetensors", trained)
    save_history(folder / "history.csv", trained.seeds, history)
    save_cost(folder / "cost.json", cost)


def save_cost(path: Path, cost: Cost) -> None:
    """Write cost.json."""
    write_json(path, asdict(cost))


def load_cost(path: Path) -> Cost:
    """Read cost.json."""
    return Cost(**read_json(path))
