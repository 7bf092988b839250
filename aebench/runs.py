"""Where the files of a data set and of a (data set, model) lie, and their formats: save and load, whole or not at all.

    data/<dataset>/{train,validation,test}.npz   images (n, pixels) float32 in [0, 1], labels (n,) int64
    data/<dataset>/about.json                    image shape, class names, source, licence: nothing learnt from images
    data/<dataset>/card/                         data card: card.json and mean images, for the report alone
    runs/code/                                   fingerprints of the code behind each stage and row
    runs/<dataset>/<model>/weights.safetensors   every seed's weights, stacked; the model's block in the metadata
    runs/<dataset>/<model>/history.csv           seed, epoch, then every term on train and validation
    runs/<dataset>/<model>/cost.json             seconds, memory, epochs, parameters: what differs from one run to the next
    runs/<dataset>/<model>/metrics.csv           seed, then every metric on the test set
    runs/<dataset>/<model>/profiles.csv          seed, then every profile at every place, `<profile>/<place>`
    runs/<dataset>/<model>/inference.json        images a second
    runs/<dataset>/<model>/pictures.npz          arrays for the figures, first seed
    runs/<dataset>/<row>/layers/, layers.csv     what pretraining made of a stack, layer by layer
    runs/<dataset>/<row>/classif*                a stack's classifiers, and their accuracy on the test set
    runs/certificates/<dataset>.json             row -> certified, failures
    runs/pages/<dataset>.html                    the data set's section of reports/index.html
    reports/<dataset>/                           tables, figures/ to look at, and pdf/ to print
    reports/lecture/                             figures of no data set

Arrays are npz without pickle, tensors safetensors, the rest CSV and JSON.
"""

import csv
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aebench.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

DATA = Path("data")
RUNS = Path("runs")
CODE = RUNS / "code"
REPORTS = Path("reports")
CHECKPOINTS = Path(".checkpoints")
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """Images (n, pixels) float32 in [0, 1] and labels (n,) int64, indices into `About.classes`."""

    images: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class About:
    """What is known of a data set before looking at its images; `shape` is (height, width) or (height, width, channels)."""

    title: str
    shape: tuple[int, ...]
    classes: tuple[str, ...]
    source: str
    licence: str

    @property
    def pixels(self) -> int:
        """Numbers in an image: the product of `shape`."""
        return int(np.prod(self.shape))


@dataclass(frozen=True)
class History:
    """Every term at every epoch: `terms["train.reconstruction"]` is (epochs, S), NaN after a seed has stopped.

    `train.*` are running means over the epoch's mini-batches, `validation.*` are taken at its end; `*.loss` is the sum.
    `best` (S,) is the epoch (from 1) whose weights were kept, `updates` (S,) the optimiser steps taken; `earlier` the
    seconds that killed processes had spent on it when they last saved it. A closed form has no epochs: `History()`.
    """

    terms: dict[str, np.ndarray] = field(default_factory=dict)
    best: np.ndarray = field(default_factory=lambda: np.zeros(0, int))
    updates: np.ndarray = field(default_factory=lambda: np.zeros(0, int))
    earlier: float = 0.0


@dataclass(frozen=True)
class Trained:
    """A model's weights for S seeds, stacked on the first axis, and what is needed to build it again."""

    block: dict[str, Any]
    shape: tuple[int, ...]
    seeds: tuple[int, ...]
    state: "dict[str, Tensor]"


@dataclass(frozen=True)
class Cost:
    """What training took. `seconds` is the wall time of all seeds together; a seed's share is `seconds` / seeds.

    `peak_memory` is in bytes, of all seeds together; 0 where it was not measured.
    """

    seconds: float
    seeds: int
    parameters: int
    code: int
    epochs: list[int] = field(default_factory=list)
    best: list[int] = field(default_factory=list)
    updates: list[int] = field(default_factory=list)
    peak_memory: int = 0
    device: str = "cpu"
    threads: int = 1
    machine: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    """What the model tells of itself beyond its parameters."""


def folder(dataset: str, model: str) -> Path:
    """Where (dataset, model) keeps its files."""
    return RUNS / dataset / model


def checkpoint_file(dataset: str, model: str) -> Path:
    """Where an unfinished training waits to be resumed; outside `runs/`, which DVC clears before a stage."""
    return CHECKPOINTS / dataset / f"{model}.safetensors"


def certificates_file(dataset: str) -> Path:
    """{row: {"certified": bool, "failures": [str]}}; there once the data set's rows have been certified."""
    return RUNS / "certificates" / f"{dataset}.json"


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A name to write to that becomes `path` only if the block succeeds; on an error nothing is left."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    """JSON with sorted keys, so that equal content is an equal file."""
    with whole(path) as partial:
        partial.write_text(json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """The content of a JSON file."""
    return json.loads(_must_exist(path).read_text())


def write_arrays(path: Path, **arrays: np.ndarray) -> None:
    """An uncompressed npz."""
    with whole(path) as partial, partial.open("wb") as stream:
        np.savez(stream, **arrays)


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Every array of an npz; pickled objects are refused."""
    with np.load(_must_exist(path), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def write_columns(path: Path, columns: dict[str, list]) -> None:
    """A CSV with one column a name; NaN and None become empty cells."""
    rows = zip(*([_cell(v) for v in values] for values in columns.values()), strict=True)
    with whole(path) as partial, partial.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def read_columns(path: Path) -> dict[str, list[float]]:
    """The columns of a CSV of numbers; an empty cell is NaN."""
    with _must_exist(path).open(newline="") as stream:
        header, *rows = csv.reader(stream)
    return {name: [float(row[i] or "nan") for row in rows] for i, name in enumerate(header)}


def save_split(dataset: str, name: str, split: Split) -> None:
    """data/<dataset>/<name>.npz."""
    write_arrays(split_file(dataset, name), images=split.images.astype(np.float32), labels=split.labels.astype(np.int64))


def load_split(dataset: str, name: str) -> Split:
    """data/<dataset>/<name>.npz."""
    return Split(**read_arrays(split_file(dataset, name)))


def split_file(dataset: str, name: str) -> Path:
    """data/<dataset>/<name>.npz."""
    return DATA / dataset / f"{name}.npz"


def save_about(dataset: str, about: About) -> None:
    """data/<dataset>/about.json."""
    write_json(DATA / dataset / "about.json", asdict(about))


def load_about(dataset: str) -> About:
    """data/<dataset>/about.json."""
    fields = read_json(DATA / dataset / "about.json")
    return About(**fields | {"shape": tuple(fields["shape"]), "classes": tuple(fields["classes"])})


def save_trained(path: Path, trained: Trained) -> None:
    """weights.safetensors."""
    from safetensors.torch import save_file

    facts = {"block": trained.block, "shape": trained.shape, "seeds": trained.seeds}
    with whole(path) as partial:
        save_file({k: v.contiguous() for k, v in trained.state.items()}, partial, {"aebench": json.dumps(facts)})


def load_trained(path: Path) -> Trained:
    """weights.safetensors, on the CPU."""
    from safetensors import safe_open

    with safe_open(_must_exist(path), "pt") as file:
        facts = json.loads(file.metadata()["aebench"])
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    return Trained(facts["block"], tuple(facts["shape"]), tuple(facts["seeds"]), state)


def save_history(path: Path, seeds: tuple[int, ...], history: History) -> None:
    """history.csv: one line a seed and epoch; the epochs after a seed has stopped are left out."""
    epochs = len(next(iter(history.terms.values()), ()))
    place = [(s, e) for s in range(len(seeds)) for e in range(epochs) if not np.isnan(history.terms["train.loss"][e, s])]
    columns = {"seed": [seeds[s] for s, _ in place], "epoch": [e + 1 for _, e in place]}
    write_columns(path, columns | {name: [values[e, s] for s, e in place] for name, values in history.terms.items()})


def save_training(dataset: str, model: str, trained: Trained, history: History, cost: Cost) -> None:
    """weights.safetensors, history.csv and cost.json."""
    place = folder(dataset, model)
    save_trained(place / "weights.safetensors", trained)
    save_history(place / "history.csv", trained.seeds, history)
    save_cost(place / "cost.json", cost)


def sha256(path: Path) -> str:
    """The checksum of a file, hexadecimal."""
    with _must_exist(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def save_cost(path: Path, cost: Cost) -> None:
    """cost.json."""
    write_json(path, asdict(cost))


def load_cost(path: Path) -> Cost:
    """cost.json."""
    return Cost(**read_json(path))


def _cell(value: Any) -> Any:
    if value is None or value != value:
        return ""
    return repr(float(value)) if isinstance(value, (float, np.floating)) else value


def _must_exist(path: Path) -> Path:
    if not path.exists():
        raise InputError(f"{path} must have been written by an earlier stage, got no such file: run dvc repro")
    return path
