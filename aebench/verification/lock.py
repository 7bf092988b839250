"""dvc.lock, read once, and the checksums that DVC takes."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from aebench.errors import InputError
from aebench.params import read_yaml
from aebench.provenance import LOCK


@dataclass(frozen=True)
class Entry:
    """A stage that ran: its file in stages/, for which row ("" for all), what it read, wrote and was told; path -> md5."""

    stage: str
    row: str
    deps: dict[str, str]
    outs: dict[str, str]
    params: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Lock:
    """What ran, by DVC's names: train@mnist-sae."""

    stages: dict[str, dict[str, Any]]

    @classmethod
    def read(cls) -> "Lock":
        """The project's dvc.lock."""
        document = read_yaml(LOCK)
        if not isinstance(document.get("stages"), dict):
            raise InputError(f"{LOCK} must have stages, got {', '.join(document) or 'nothing'}")
        return cls(document["stages"])

    def entries(self, items: dict[str, str]) -> list[Entry]:
        """The entries of DVC's items ("mnist-sae"; "" of a stage without a matrix), with the row that each stands for."""
        named = [(name.partition("@")[2], said) for name, said in self._current.items()]
        return [_entry(said, items[item]) for item, said in named if item in items]

    @cached_property
    def _current(self) -> dict[str, dict[str, Any]]:
        """Without stages that are gone, whose entries DVC keeps: what they wrote is by now the output of a later entry."""
        later, kept = set(), []
        for name, said in reversed(self.stages.items()):
            outs = {each["path"] for each in said.get("outs", ())}
            kept += [] if outs & later else [name]
            later |= outs
        return {name: self.stages[name] for name in reversed(kept)}

    @cached_property
    def written(self) -> dict[str, tuple[str, str]]:
        """Path -> the stage that wrote it and its md5."""
        every = [_entry(said, "") for said in self.stages.values()]
        return {path: (entry.stage, md5) for entry in every for path, md5 in entry.outs.items()}

    def fingerprint(self, dataset: str) -> str:
        """What `provenance.lock_fingerprint` says, which reads the file each time."""
        rows = [_entry(said, "") for name, said in self.stages.items() if f"@{dataset}-" in name]
        outs = {path: md5 for entry in rows for path, md5 in entry.outs.items()}
        made = {path: md5 for path, md5 in outs.items() if not path.endswith(("cost.json", "inference.json"))}
        return hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()[:12] if made else "no lock"


def checksum(path: Path) -> str:
    """The md5 of a file or folder as DVC takes it; "" of what is not there."""
    if path.is_dir():
        return checksum_of({file.relative_to(path).as_posix(): checksum(file) for file in path.rglob("*") if file.is_file()})
    return hashlib.md5(path.read_bytes()).hexdigest() if path.exists() else ""


def checksum_of(files: dict[str, str]) -> str:
    """The md5 of a folder that holds these files, path -> md5."""
    listing = [{"md5": md5, "relpath": path} for path, md5 in sorted(files.items())]
    return hashlib.md5(json.dumps(listing, sort_keys=True).encode()).hexdigest() + ".dir"


def _entry(said: dict[str, Any], row: str) -> Entry:
    deps, outs = ({each["path"]: each.get("md5", "") for each in said.get(part, ())} for part in ("deps", "outs"))
    stage = said["cmd"].partition("stages.")[2].partition(" ")[0]
    return Entry(stage, row, deps, outs, said.get("params", {}))
