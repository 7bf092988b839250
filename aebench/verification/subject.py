"""What is verified: a data set's report, or the pages that tell of all data sets together."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from aebench import params, runs
from aebench.errors import InputError
from aebench.lock import Entry, Lock

TABLE, PROVENANCE = "table.csv", "provenance.json"
MACROS = ("numbers.tex", "timings.tex")
MEAN = ".mean"


@dataclass(frozen=True)
class Subject:
    """`rows` are those printed, each with its count of numbers; `entries` those of the lock that made them and the report."""

    name: str
    heading: str
    rows: dict[str, int]
    entries: list[Entry]
    lock: Lock
    locks: dict[str, str]
    """Fingerprints of the lock by the data sets that its files name; under the subject's own name where they name none."""

    @classmethod
    def read(cls, dataset: str, lock: Lock) -> "Subject":
        """The report of a data set."""
        rows, fingerprint = _rows(folder(dataset) / TABLE), lock.fingerprint(dataset)
        entries = lock.current(dataset, rows)
        heading = f"{dataset}: {len(rows)} rows, lock {fingerprint}"
        return cls(dataset, heading, rows, entries, lock, {dataset: fingerprint})

    @cached_property
    def files(self) -> dict[str, tuple[str, str]]:
        """The files and folders of the report that Git has, path -> the stage that wrote it and its md5."""
        outs = {path: (entry.stage, md5) for entry in self.entries for path, md5 in entry.outs.items()}
        return {path: said for path, said in outs.items() if Path(path).parts[0] not in (runs.RUNS.name, runs.DATA.name)}

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """provenance.json; nothing of an older report."""
        file = folder(self.name) / PROVENANCE
        try:
            return runs.read_json(file) if file.exists() else {}
        except ValueError:
            return {}  # edited by hand, which is said of every file

    @property
    def conf(self) -> Path:
        """Where its parameters stand."""
        return params.CONF / f"{self.name}.yaml"

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """Its parameters now; nothing if the data set has none any more."""
        return params.read_yaml(self.conf) if self.conf.exists() else {}

    def doubted(self, entries: Iterable[Entry]) -> tuple[str, ...]:
        """The rows whose numbers hang on these entries: on one of all rows, all."""
        rows = {entry.row for entry in entries}
        return tuple(row for row in self.rows if row in rows or "" in rows)


def folder(dataset: str) -> Path:
    """Where a report stands."""
    return runs.REPORTS / dataset


def reported() -> list[str]:
    """The data sets that have a report."""
    names = [file.parent.name for file in sorted(runs.REPORTS.glob(f"*/{TABLE}"))]
    if not names:
        raise InputError(f"{runs.REPORTS}/<data set>/{TABLE} must have been written by stage report, got none: run dvc repro")
    return names


def pages(lock: Lock) -> Subject:
    """What stage index writes of all reports: it has no rows of its own."""
    written = [entry for entry in lock.current("") if entry.stage == "index"]
    return Subject("", "pages of all reports", {}, written, lock, {name: lock.fingerprint(name) for name in reported()})


def _rows(file: Path) -> dict[str, int]:
    """Row -> its numbers: means that were measured."""
    with file.open(newline="") as stream:
        lines = list(csv.DictReader(stream, restkey="", restval=""))
    if not lines or "model" not in lines[0]:
        raise InputError(f"{file} must have a column model and a line a row, got neither")
    return {line["model"]: sum(bool(value) for name, value in line.items() if name.endswith(MEAN)) for line in lines}
