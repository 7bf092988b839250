"""The code behind each stage and row now, against that which ran: as `check` would write it to runs/code/."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from aebench import fingerprints, runs
from aebench.lock import Entry
from aebench.verification.checksums import checksum
from aebench.verification.findings import MIXED, STALE, Finding, listed
from aebench.verification.subject import Subject

MARKING = ("certify",)
"""Stages that mark rows and change no number."""
NAMED = 4
"""Changed modules that are told by name."""


@dataclass(frozen=True)
class Code:
    """A file of runs/code/, or a folder of them, as it would be written now: its md5, and module -> hash."""

    md5: str
    modules: dict[str, str]


def findings(subject: Subject) -> Iterator[Finding]:
    """A finding a file of runs/code/ that is not what its stages have read; "mixes" if others have read what is now."""
    now = _now(subject)
    readers: dict[tuple[str, str], list[Entry]] = {}
    for entry in subject.entries:
        for path in now.keys() & entry.deps.keys():
            readers.setdefault((path, entry.deps[path]), []).append(entry)
    current = {path for path, md5 in readers if md5 == now[path].md5}
    for (path, md5), entries in sorted(readers.items(), key=lambda each: each[0]):
        if md5 != now[path].md5:
            reason = f"the code behind {listed(entry.stage for entry in entries)} has changed{_where(subject, now[path])}"
            numbers = [entry for entry in entries if entry.stage not in MARKING and not md5.endswith(".dir")]
            yield Finding(subject.name, MIXED if path in current else STALE, reason, subject.doubted(numbers))


def _now(subject: Subject) -> dict[str, Code]:
    """Path -> code, of what its entries have read of runs/code/: of stages, of its images and rows, and all of these."""
    read = {Path(path) for entry in subject.entries for path in entry.deps if Path(path).is_relative_to(runs.CODE)}
    stages = {stage: _of_stage(stage) for stage in fingerprints.STAGES if (runs.CODE / f"{stage}.json") in read}
    blocks = subject.parameters.get("models", {}) | subject.parameters.get("stacks", {})
    own = fingerprints.of_dataset(subject.name, [row for row in subject.rows if row in blocks]) if blocks else {}
    modules = {f"{subject.name}/{name}.json": found for name, found in own.items()}
    modules |= {f"{stage}.json": found for stage, found in stages.items()}
    with TemporaryDirectory() as folder:
        for name, found in modules.items():
            runs.write_json(Path(folder, name), found)
        md5s = {name: checksum(Path(folder, name)) for name in (*modules, *([subject.name] if own else []))}
    every = {module: code for found in own.values() for module, code in found.items()}
    return {(runs.CODE / name).as_posix(): Code(md5, modules.get(name, every)) for name, md5 in md5s.items()}


@cache
def _of_stage(stage: str) -> dict[str, str]:
    return fingerprints.of_stage(stage)


def _where(subject: Subject, code: Code) -> str:
    """The modules that have changed since the report was written, if it says of which it was."""
    known = subject.provenance.get("modules", {})
    changed = [module for module, found in code.modules.items() if known and known.get(module) != found]
    if not changed:
        return ""
    more = f" and {len(changed) - NAMED} more" if len(changed) > NAMED else ""
    return f" ({', '.join(changed[:NAMED])}{more})"
