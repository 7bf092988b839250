"""dvc.lock: which stages ran, with which parameters, what they read and what they wrote.

DVC reads and writes the whole file after every stage, so it holds the entries of the suite's data sets only. The entries of
any other data set are archived beside its report, in reports/<dataset>/dvc.lock, until the suite names it again. Where both
files have an entry for a stage, the one in dvc.lock is the later one.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from aebench.config import read_yaml, write_yaml
from aebench.errors import InputError
from aebench.storage import REPORTS, md5

LOCK = Path("dvc.lock")
TIMED = ("cost.json", "inference.json", "layers")
"""Outputs that hold wall times, and so differ between two runs that give the same numbers."""
SCHEMA = "2.0"
"""The version of DVC's lock format."""
Stages = dict[str, dict[str, Any]]
"""Entries as DVC writes them, by its names: train@mnist-sae."""


@dataclass(frozen=True)
class Entry:
    """A stage that ran, with the data set and the model it ran on ("" for all).

    `deps` and `outs` map path -> md5, `params` maps file -> key -> value.
    """

    stage: str
    dataset: str
    model: str
    deps: dict[str, str]
    outs: dict[str, str]
    params: dict[str, dict[str, Any]]

    @classmethod
    def parse(cls, entry: dict[str, Any]) -> "Entry":
        """Read an entry as DVC writes it; its command is `python -m stages.<stage> [<dataset> [<model>]]`."""
        stage, dataset, model, *_ = [*entry["cmd"].partition("stages.")[2].split(), "", "", ""]
        deps, outs = ({file["path"]: file.get("md5", "") for file in entry.get(part, ())} for part in ("deps", "outs"))
        return cls(stage, dataset, model, deps, outs, entry.get("params", {}))


@dataclass(frozen=True)
class Lock:
    """The entries of dvc.lock and of the archives."""

    stages: Stages

    @classmethod
    def read(cls, datasets: Iterable[str] | None = None) -> "Lock":
        """Read dvc.lock and the archives of these data sets, or of all; without the files there are no stages."""
        files = sorted(REPORTS.glob(f"*/{LOCK}")) if datasets is None else [archive(dataset) for dataset in datasets]
        return cls({name: entry for file in (*files, LOCK) for name, entry in _read(file).items()})

    @cached_property
    def entries(self) -> dict[str, Entry]:
        """The entries by DVC's names."""
        return {name: Entry.parse(entry) for name, entry in self.stages.items()}

    def current(self, dataset: str, models: Iterable[str] = ()) -> list[Entry]:
        """The entries of a data set ("" for none) and of these of its models, without those of stages since renamed.

        DVC keeps the entry of a stage that is no longer in dvc.yaml; a later entry then has the same outputs.
        """
        later, kept, wanted = set(), [], {"", *models}
        for entry in reversed(self.entries.values()):
            if not entry.outs.keys() & later and entry.dataset == dataset and entry.model in wanted:
                kept.append(entry)
            later |= entry.outs.keys()
        return kept[::-1]

    @cached_property
    def written(self) -> dict[str, tuple[str, str]]:
        """Path -> the stage that wrote it last, and its md5."""
        return {path: (entry.stage, md5) for entry in self.entries.values() for path, md5 in entry.outs.items()}

    def fingerprint(self, dataset: str) -> str:
        """Identify the results of a data set: 12 hexadecimal digits over the outputs of training and evaluation.

        Outputs that hold wall times are left out, so that a second run with the same numbers has the same fingerprint. It is
        "no lock" if no stage has run.
        """
        entries = [entry for entry in self.entries.values() if entry.dataset == dataset and entry.model]
        outs = {path: md5 for entry in entries for path, md5 in entry.outs.items() if PurePosixPath(path).name not in TIMED}
        return hashlib.sha256(json.dumps(outs, sort_keys=True).encode()).hexdigest()[:12] if outs else "no lock"


def checksum(path: Path) -> str:
    """The md5 of a file or folder as DVC computes it; "" if there is none."""
    if path.is_dir():
        files = sorted((file.relative_to(path).as_posix(), file) for file in path.rglob("*") if file.is_file())
        listing = [{"md5": checksum(file), "relpath": name} for name, file in files]
        return hashlib.md5(json.dumps(listing, sort_keys=True).encode()).hexdigest() + ".dir"
    return md5(path) if path.exists() else ""


def archive(dataset: str) -> Path:
    """The file that holds a data set's entries while the suite does not name it."""
    return REPORTS / dataset / LOCK


def archive_other_datasets(datasets: Iterable[str]) -> None:
    """Keep in dvc.lock the entries of these data sets and of none; archive the others, and restore what was archived."""
    suite, stages = {"", *datasets}, _read(LOCK)
    owner = {name: Entry.parse(entry).dataset for name, entry in stages.items()}
    for dataset in sorted(set(owner.values()) - suite):
        moved = {name: entry for name, entry in stages.items() if owner[name] == dataset}
        _write(archive(dataset), _read(archive(dataset)) | moved)
    kept = {name: entry for name, entry in stages.items() if owner[name] in suite}
    archives = [file for dataset in sorted(suite - {""}) if (file := archive(dataset)).exists()]
    restored = {name: entry for file in archives for name, entry in _read(file).items()}
    if restored or len(kept) < len(stages):
        _write(LOCK, restored | kept)
    for file in archives:
        file.unlink()


def _read(file: Path) -> Stages:
    if not file.exists():
        return {}
    stages = read_yaml(file).get("stages")
    if not isinstance(stages, dict):
        raise InputError(f"{file} must have stages, got none")
    return stages


def _write(file: Path, stages: Stages) -> None:
    write_yaml(file, {"schema": SCHEMA, "stages": stages})
