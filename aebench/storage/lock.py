"""dvc.lock: the stages that ran, with their parameters, inputs and outputs.

DVC reads and writes the entire file after every stage, so it contains only the entries of the suite's data sets. The entries
of any other data set are archived next to its report, in reports/<dataset>/dvc.lock, until the suite includes it again. If both
files have an entry for a stage, the entry in dvc.lock is newer and takes precedence.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from aebench.errors import InputError
from aebench.storage import REPORTS, md5, yaml_files

LOCK = Path("dvc.lock")
WITH_WALL_TIMES = ("cost.json", "inference.json", "layers")
"""Outputs that contain wall times and therefore differ between runs with the same numbers."""
STUDY = "study"
"""The stage that runs a study: `python -m stages.study <dataset> <study>`."""
PAPER = "reproduce"
"""The stage that reproduces a paper: `python -m stages.reproduce <paper>`."""
SCHEMA = "2.0"
"""The version of DVC's lock format."""
Stages = dict[str, dict[str, Any]]
"""Entries as DVC writes them, by stage name, e.g. train@mnist-sae."""


@dataclass(frozen=True)
class Entry:
    """The entry of a stage that ran; `dataset` and `model` are "" if it does not run on a single one, such as a study.

    `deps` and `outs` map path -> md5; `params` maps file -> key -> value.
    """

    stage: str
    dataset: str
    model: str
    deps: dict[str, str]
    outs: dict[str, str]
    params: dict[str, dict[str, Any]]

    @classmethod
    def parse(cls, entry: dict[str, Any]) -> "Entry":
        """Parse an entry as DVC writes it; the command must be `python -m stages.<stage> [<dataset> [<model>]]`."""
        stage, dataset, model, *_ = [*entry["cmd"].partition("stages.")[2].split(), "", "", ""]
        dataset, model = "" if stage == PAPER else dataset, "" if stage == STUDY else model
        deps, outs = ({file["path"]: file.get("md5", "") for file in entry.get(part, ())} for part in ("deps", "outs"))
        return cls(stage, dataset, model, deps, outs, entry.get("params", {}))


@dataclass(frozen=True)
class Lock:
    """Entries of dvc.lock and of its archives."""

    stages: Stages

    @classmethod
    def read(cls, datasets: Iterable[str] | None = None) -> "Lock":
        """Read dvc.lock and the archives of these data sets (default: all). Missing files are treated as empty."""
        files = sorted(REPORTS.glob(f"*/{LOCK}")) if datasets is None else [archive(dataset) for dataset in datasets]
        return cls({name: entry for file in (*files, LOCK) for name, entry in _read(file).items()})

    @cached_property
    def entries(self) -> dict[str, Entry]:
        """Parsed entries by stage name."""
        return {name: Entry.parse(entry) for name, entry in self.stages.items()}

    def current(self, dataset: str, models: Iterable[str] = ()) -> list[Entry]:
        """The entries of a data set and those of its models; `dataset` "" selects the stages that run on no single data set.

        Entries of renamed stages are excluded: DVC keeps the entry of a stage that is no longer in dvc.yaml, and a later entry
        then has the same outputs.
        """
        later, kept, selected = set(), [], {"", *models}
        for entry in reversed(self.entries.values()):
            if not entry.outs.keys() & later and entry.dataset == dataset and entry.model in selected:
                kept.append(entry)
            later |= entry.outs.keys()
        return kept[::-1]

    @cached_property
    def written(self) -> dict[str, tuple[str, str]]:
        """Map each path to (stage that wrote it last, md5)."""
        return {path: (entry.stage, md5) for entry in self.entries.values() for path, md5 in entry.outs.items()}

    def fingerprint(self, dataset: str) -> str:
        """Hash the outputs of training, evaluation and studies on a data set: 12 hexadecimal digits; "no lock" without any.

        Outputs with wall times are excluded, so that runs with the same numbers have the same fingerprint.
        """
        entries = [
            entry for entry in self.entries.values() if entry.dataset == dataset and (entry.model or entry.stage == STUDY)
        ]
        outs = {path: md5 for entry in entries for path, md5 in entry.outs.items()}
        outs = {path: md5 for path, md5 in outs.items() if PurePosixPath(path).name not in WITH_WALL_TIMES}
        return hashlib.sha256(json.dumps(outs, sort_keys=True).encode()).hexdigest()[:12] if outs else "no lock"


def checksum(path: Path) -> str:
    """The md5 of a file or folder as DVC computes it; "" if the path does not exist."""
    if path.is_dir():
        files = sorted((file.relative_to(path).as_posix(), file) for file in path.rglob("*") if file.is_file())
        listing = [{"md5": checksum(file), "relpath": name} for name, file in files]
        return hashlib.md5(json.dumps(listing, sort_keys=True).encode()).hexdigest() + ".dir"  # nosec B324 # DVC's checksum, not a secret
    return md5(path) if path.exists() else ""


def archive(dataset: str) -> Path:
    """The file that contains the entries of a data set while the suite does not include it."""
    return REPORTS / dataset / LOCK


def archive_other_datasets(datasets: Iterable[str]) -> None:
    """Limit dvc.lock to these data sets: archive the entries of others, and restore the archived entries of these.

    Entries of stages that run on no single data set stay in dvc.lock.
    """
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
    stages = yaml_files.read_lock(file).get("stages")
    if not isinstance(stages, dict):
        raise InputError(f"{file} must have stages, got none")
    return stages


def _write(file: Path, stages: Stages) -> None:
    yaml_files.write_yaml(file, {"schema": SCHEMA, "stages": stages})
