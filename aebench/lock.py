"""dvc.lock: which stages ran, with which parameters, what they read and what they wrote.

DVC reads and writes the whole file after every stage, so it tells of the suite's data sets alone. What stages did for another
data set lies beside its report, in reports/<dataset>/dvc.lock, until the suite names it again (`settle`). Where both files
tell of a stage, dvc.lock is the later one.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from aebench.errors import InputError
from aebench.params import read_yaml, write_yaml
from aebench.runs import REPORTS

LOCK = Path("dvc.lock")
TIMED = ("cost.json", "inference.json", "layers")
"""Outputs that hold seconds, and so differ between two runs with the same numbers."""
SCHEMA = "2.0"
"""The version of DVC's format that is read and written here."""
Said = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """A stage that ran: its file in stages/, for which data set and row ("" for all), what it read, wrote and was told.

    `deps` and `outs` are path -> md5, `params` file -> path in the file -> value.
    """

    stage: str
    dataset: str
    row: str
    deps: dict[str, str]
    outs: dict[str, str]
    params: dict[str, dict[str, Any]]

    @classmethod
    def of(cls, said: Said) -> "Entry":
        """What the lock says of one stage, whose command is `python -m stages.<stage> [<dataset> [<row>]]`."""
        stage, dataset, row, *_ = [*said["cmd"].partition("stages.")[2].split(), "", "", ""]
        deps, outs = ({each["path"]: each.get("md5", "") for each in said.get(part, ())} for part in ("deps", "outs"))
        return cls(stage, dataset, row, deps, outs, said.get("params", {}))


@dataclass(frozen=True)
class Lock:
    """What ran, by DVC's names: train@mnist-sae."""

    stages: dict[str, Said]

    @classmethod
    def read(cls, datasets: Iterable[str] | None = None) -> "Lock":
        """dvc.lock, and what lies beside the reports of these data sets, or of all; without stages outside DVC."""
        files = sorted(REPORTS.glob(f"*/{LOCK}")) if datasets is None else [beside(dataset) for dataset in datasets]
        return cls({name: said for file in (*files, LOCK) for name, said in _stages(file).items()})

    @cached_property
    def entries(self) -> dict[str, Entry]:
        """The stages by name."""
        return {name: Entry.of(said) for name, said in self.stages.items()}

    def current(self, dataset: str, rows: Iterable[str] = ()) -> list[Entry]:
        """What ran for the data set ("" for none) as a whole and for these rows, without stages that are gone.

        DVC keeps the entries of such stages; what they wrote is by now the output of a later entry.
        """
        later, kept, wanted = set(), [], {"", *rows}
        for entry in reversed(self.entries.values()):
            if not entry.outs.keys() & later and entry.dataset == dataset and entry.row in wanted:
                kept.append(entry)
            later |= entry.outs.keys()
        return kept[::-1]

    @cached_property
    def written(self) -> dict[str, tuple[str, str]]:
        """Path -> the stage that wrote it last and its md5."""
        return {path: (entry.stage, md5) for entry in self.entries.values() for path, md5 in entry.outs.items()}

    def fingerprint(self, dataset: str) -> str:
        """12 hexadecimal digits over what the data set's training and evaluation made; "no lock" where nothing is known.

        What holds seconds is left out: the same numbers made again keep their fingerprint.
        """
        outs = {p: md5 for e in self.entries.values() if e.dataset == dataset and e.row for p, md5 in e.outs.items()}
        made = {path: md5 for path, md5 in outs.items() if PurePosixPath(path).name not in TIMED}
        return hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()[:12] if made else "no lock"


def beside(dataset: str) -> Path:
    """Where what stages did for the data set lies while the suite does not name it."""
    return REPORTS / dataset / LOCK


def settle(datasets: Iterable[str]) -> None:
    """Let dvc.lock tell of these data sets, and of what belongs to none; the rest of it is laid beside its reports."""
    told, wanted = _stages(LOCK), {"", *datasets}
    whose = {name: Entry.of(said).dataset for name, said in told.items()}
    for dataset in sorted(set(whose.values()) - wanted):
        theirs = {name: said for name, said in told.items() if whose[name] == dataset}
        write_yaml(beside(dataset), {"schema": SCHEMA, "stages": _stages(beside(dataset)) | theirs})
    kept = {name: said for name, said in told.items() if whose[name] in wanted}
    files = [file for dataset in sorted(wanted - {""}) if (file := beside(dataset)).exists()]
    brought = {name: said for file in files for name, said in _stages(file).items()}
    if brought or len(kept) < len(told):
        write_yaml(LOCK, {"schema": SCHEMA, "stages": {**brought, **kept}})
    for file in files:
        file.unlink()


def _stages(file: Path) -> dict[str, Said]:
    if not file.exists():
        return {}
    stages = read_yaml(file).get("stages")
    if not isinstance(stages, dict):
        raise InputError(f"{file} must have stages, got none")
    return stages
