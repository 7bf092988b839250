"""Find reported numbers that are stale, mixed or edited by hand, which neither `dvc status` nor Git detects.

A fresh clone is enough: dvc.lock records the code, parameters and data of each stage and its outputs, so runs/ and data/ are
not read. (`dvc status` covers the data sets of params.yaml only, and compares code with runs/code/, which a clone does not
have.)

stale    code, parameters or templates changed since the stage ran, or results changed since the report was written
mixed    the report combines results of different revisions
edited   a file of the report differs from the output of its stage
"""

import csv
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

import aebench
from aebench import config, papers, storage
from aebench.errors import InputError
from aebench.pipeline import manuscript, stage_hashes
from aebench.storage.lock import LOCK, PAPER, STUDY, Entry, Lock, checksum

STALE, MIXED, EDITED = "stale", "mixed", "edited"
TABLE = "table.csv"
"""The file with all metrics. If it or numbers.tex was edited, every number in the report is suspect."""
MAX_LISTED = 4
"""Maximum number of changes or models listed by name."""
ABSENT = object()
GENERATED = (storage.RUNS, storage.DATA, storage.REPORTS, config.CONF)
"""Folders whose files are not compared with dvc.lock: outputs of stages are compared in the lock, settings by key."""
PAPERS = storage.paper_file("").parent
"""Results of papers are compared, since dvc.lock has no entries for papers outside the suite."""


@dataclass(frozen=True)
class Problem:
    """A reason why numbers are suspect.

    `models` are the models with suspect numbers; `file` is set if the problem concerns one file only.
    """

    kind: str
    reason: str
    models: tuple[str, ...] = ()
    file: str = ""


@dataclass(frozen=True)
class Report:
    """The report of a data set, or of all data sets if `dataset` is "".

    `models` maps each model to its number of means in table.csv; `entries` are the lock entries that the report depends on.
    """

    dataset: str
    models: dict[str, int]
    entries: list[Entry]
    lock: Lock

    @classmethod
    def read(cls, dataset: str, lock: Lock) -> "Report":
        """Read reports/<dataset>/. A stage is included if the report depends on it, directly or indirectly."""
        table = storage.REPORTS / dataset / TABLE
        models = _count_numbers(table) if table.exists() else {}
        entries = lock.current(dataset, models)
        needed, paths = [], {f"reports/{dataset}/{TABLE}"}
        while new := [e for e in entries if e not in needed and any(_overlap(out, path) for out in e.outs for path in paths)]:
            needed += new
            paths = {path for entry in new for path in entry.deps}
        return cls(dataset, models, [entry for entry in entries if entry in needed], lock)

    @cached_property
    def problems(self) -> list[Problem]:
        """All problems, without duplicates."""
        return list(dict.fromkeys([*_changed(self), *_inconsistent(self), *_edited(self)]))

    @cached_property
    def conf(self) -> Path:
        """The settings of the data set, conf/<dataset>.yaml."""
        return config.CONF / f"{self.dataset}.yaml"

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """The content of provenance.json; empty if the file is missing or damaged."""
        try:
            content = storage.read_json(storage.REPORTS / self.dataset / "provenance.json")
        except (ValueError, InputError):
            return {}
        return content if isinstance(content, dict) and isinstance(content.get("modules", {}), dict) else {}

    def affected(self, entry: Entry) -> tuple[str, ...]:
        """Models whose numbers depend on an entry; none on a study."""
        return () if entry.stage == STUDY else tuple(model for model in self.models if entry.model in ("", model))

    def lines(self) -> Iterator[str]:
        """One line per problem, or a line that confirms that there is none."""
        name = self.dataset or "pages of all reports"
        for problem in self.problems:
            listed, total = ", ".join(problem.models), len(self.models)
            if len(problem.models) > MAX_LISTED:
                listed = f"{len(problem.models)} of {total} models"
            if len(problem.models) == total > 1:
                listed = f"all {total} models"
            yield f"{name}: {problem.kind}: {problem.reason}" + (f": {listed}" if listed else "")
        if not self.problems:
            counts = f"{len(self.models)} models, {sum(self.models.values()):,} numbers, " if self.models else ""
            yield f"{name}: {counts}verified"


def verify(manuscripts: list[Path]) -> tuple[bool, list[str]]:
    """Check every report and every number that the manuscripts quote.

    Returns whether everything is up to date, and the lines to print.
    """
    _require_own_folder()
    lock = Lock.read()
    if not lock.stages:
        raise InputError(f"{LOCK} must have stages, got none")
    written = {entry.dataset for entry in lock.entries.values() if entry.stage == "report"}
    names = sorted(written | {file.parent.name for file in storage.REPORTS.glob(f"*/{TABLE}")})
    if not names:
        raise InputError(f"reports/<data set>/{TABLE} is missing: the stage report writes it; run `aebench run`")
    reports = [Report.read(name, lock) for name in names]
    pages = Report("", {}, [entry for entry in lock.current("") if entry.stage in ("index", PAPER)], lock)
    quoted = [manuscript.read(file, reports) for file in manuscripts]
    lines = [line for part in (*reports, pages, *quoted) for line in part.lines()]
    return not any(part.problems for part in (*reports, pages, *quoted)), lines


def _require_own_folder() -> None:
    """Require that the running code is the project's, and make its `stages` importable."""
    home = Path(aebench.__file__).parent
    if not Path("aebench").exists() or not home.samefile("aebench"):
        raise InputError(f"aebench verify must be run from the folder of its code, {home.parent}, got {Path.cwd()}")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))


def _changed(report: Report) -> Iterator[Problem]:
    """Code, parameters and templates that changed since a stage ran: one problem for all stages with the same changes.

    Stages with more changes than are listed are one problem, too, whatever their changes.
    """
    groups: dict[tuple[str, tuple[str, ...]], tuple[list[str], list[str], set[str]]] = {}
    for entry, kind, changes, suspect in _changes(report):
        if changes := tuple(dict.fromkeys(changes)):
            key = kind, changes if len(changes) <= MAX_LISTED else ()
            known, stages, models = groups.setdefault(key, ([], [], set()))
            known += [change for change in changes if change not in known]
            stages.append(entry.stage)
            models.update(suspect)
    for (kind, _), (changes, stages, models) in groups.items():
        listed = changes if len(changes) <= MAX_LISTED else [*changes[:MAX_LISTED], f"{len(changes) - MAX_LISTED} more"]
        reason = f"{_enumerate(listed)} changed since {_enumerate(stages)} ran"
        yield Problem(kind, reason, tuple(model for model in report.models if model in models))


def _changes(report: Report) -> Iterator[tuple[Entry, str, list[str], tuple[str, ...]]]:
    """Yield (entry, kind of problem, changes, suspect models). Parameters are compared only if the code is unchanged."""
    conf = storage.read_yaml(report.conf) if report.conf.exists() else {}
    hashes = _hashes(report, conf)
    md5s = {path: _json_md5(modules) for path, modules in hashes.items()}
    current = {path for entry in report.entries for path, md5 in entry.deps.items() if md5s.get(path) == md5}
    for entry in report.entries:
        changed = {path for path, md5 in entry.deps.items() if _inside(path, storage.CODE) and md5s.get(path) != md5}
        outdated = [path for path in changed if path.endswith(".json")]  # runs/code/<dataset> is compared file by file
        if outdated:
            kind = MIXED if current.intersection(outdated) else STALE
            yield entry, kind, _modules(outdated, hashes, report), report.affected(entry)
        else:
            yield entry, STALE, *_parameters(report, entry, conf)
        generated = [path for path in entry.deps if any(_inside(path, folder) for folder in GENERATED)]
        files = [path for path in entry.deps if path not in generated or _inside(path, PAPERS)]
        yield entry, STALE, [path for path in files if checksum(Path(path)) != entry.deps[path]], ()


def _parameters(report: Report, entry: Entry, conf: dict[str, Any]) -> tuple[list[str], tuple[str, ...]]:
    """The parameters of an entry that have changed, and the suspect models."""
    file = report.conf
    if entry.stage == PAPER:
        file = Path(next(iter(entry.params)))
        conf = storage.read_yaml(file) if file.exists() else {}
    recorded, suspect = entry.params.get(file.as_posix(), {}), report.affected(entry)
    if "models" in recorded:  # a report depends on the whole file but uses only its remarks; other stages use the rest
        recorded, suspect = {"remarks": recorded.get("remarks", ABSENT)}, ()
    changes = [_differences(value, _value(conf, key), f"{file}:{key}") for key, value in recorded.items()]
    return [text for part in changes for text in part], suspect


def _hashes(report: Report, document: dict[str, Any]) -> dict[str, dict[str, str]]:
    """The hashes that `check` would write now: path -> module -> hash, for stages, models and papers that still exist."""
    hashes = {stage: stage_hashes.hash_stage(stage) for stage in stage_hashes.STAGES}
    reproduced = [PurePosixPath(path).stem for entry in report.entries if entry.stage == PAPER for path in entry.deps]
    hashes |= {f"papers/{name}": stage_hashes.hash_paper(name) for name in reproduced if name in papers.names()}
    if document:
        known = config.dataset(report.dataset).all_models
        recorded = [PurePosixPath(path) for entry in report.entries if entry.stage == STUDY for path in entry.deps]
        ran = [path.stem for path in recorded if path.is_relative_to(storage.CODE)]
        studies = [name for name in ran if name in config.dataset(report.dataset).studies]
        own = stage_hashes.hash_dataset(report.dataset, [model for model in report.models if model in known], studies)
        hashes |= {f"{report.dataset}/{name}": modules for name, modules in own.items()}
    return {(storage.CODE / f"{name}.json").as_posix(): modules for name, modules in hashes.items()}


def _modules(paths: list[str], hashes: dict[str, dict[str, str]], report: Report) -> list[str]:
    """Modules in these files that changed since the report was written; "the code" if none of them was recorded.

    A report records the modules behind its data, models, evaluation and tables, but not those of other stages.
    """
    known: dict[str, str] = report.provenance.get("modules", {})
    modules = {module: code for path in sorted(paths) for module, code in hashes.get(path, {}).items()}
    return [module for module, code in modules.items() if known.get(module, code) != code] or ["the code"]


def _json_md5(content: Any) -> str:
    with TemporaryDirectory() as folder:
        file = Path(folder, "content.json")
        storage.write_json(file, content)
        return checksum(file)


def _value(document: Any, path: str) -> Any:
    for name in path.split("."):
        document = document.get(name, ABSENT) if isinstance(document, dict) else ABSENT
    return document


def _differences(old: Any, new: Any, path: str) -> Iterator[str]:
    """One description per leaf that differs: "path (old -> new)"."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in {**old, **new}:
            yield from _differences(old.get(name, ABSENT), new.get(name, ABSENT), f"{path}.{name}")
    elif old != new:
        texts = ["absent" if value is ABSENT else str(value) for value in (old, new)]
        yield path if max(map(len, texts)) > 40 else f"{path} ({texts[0]} -> {texts[1]})"


def _inconsistent(report: Report) -> Iterator[Problem]:
    """Files that changed after a stage read them, and results that changed after the report was written."""
    for entry in report.entries:
        for path, md5 in entry.deps.items():
            writer, last = report.lock.written.get(path, ("", md5))
            if last != md5:
                reason = f"{entry.stage} read a different version of {PurePosixPath(path).name} from the one {writer} wrote"
                yield Problem(MIXED, reason, report.affected(entry))
    if not report.dataset:
        return
    if missing := tuple(model for model in report.models if model not in {entry.model for entry in report.entries}):
        yield Problem(STALE, f"{LOCK} does not record how these numbers were computed", missing)
    recorded, results = report.provenance.get("lock"), report.lock.fingerprint(report.dataset)
    if recorded != results:
        yield Problem(STALE, f"the report was written from results {recorded}, {LOCK} has {results}", tuple(report.models))


def _edited(report: Report) -> Iterator[Problem]:
    """Files in Git that differ from the output of their stage."""
    for entry in report.entries:
        for path, md5 in entry.outs.items():
            if _inside(path, storage.RUNS) or _inside(path, storage.DATA) or (current := checksum(Path(path))) == md5:
                continue
            models = tuple(report.models) if PurePosixPath(path).name in (TABLE, manuscript.MACRO_FILES[0]) else ()
            reason = f"{path} differs from the output of the stage {entry.stage}" if current else f"{path} is missing"
            yield Problem(EDITED, reason, models, path)


def _count_numbers(table: Path) -> dict[str, int]:
    """Map each model to its number of means in table.csv."""
    with table.open(newline="") as stream:
        rows = list(csv.DictReader(stream, restkey="", restval=""))
    if not rows or "model" not in rows[0]:
        raise InputError(f"{table} must have a column model and one row per model, got neither")
    return {row["model"]: sum(bool(value) for name, value in row.items() if name.endswith(".mean")) for row in rows}


def _overlap(out: str, dep: str) -> bool:
    """Whether two paths are equal or one contains the other."""
    return out == dep or _inside(out, dep) or _inside(dep, out)


def _inside(path: str, folder: str | Path) -> bool:
    return PurePosixPath(path).is_relative_to(folder)


def _enumerate(names: Iterable[str]) -> str:
    """Join names without duplicates: "a, b and c"."""
    *first, last = dict.fromkeys(names)
    return f"{', '.join(first)} and {last}" if first else last
