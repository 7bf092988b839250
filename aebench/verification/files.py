"""Each file of a report against what was recorded of it, and the lock that it says it is from against the lock."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from aebench import params, runs
from aebench.verification.checksums import checksum
from aebench.verification.findings import ALTERED, STALE, Finding
from aebench.verification.subject import MACROS, TABLE, Subject

ORIGIN = "written by stages.report from "
STAMP = re.compile(rf"(?:([^\s<>]+): )?{re.escape(ORIGIN)}(?:lock )?([0-9a-f]{{12}}|no lock)")
"""The origin of `Results`; where the pages tell of several data sets, after the name of one."""
ELSEWHERE = (runs.RUNS.name, runs.DATA.name, params.CONF.name)
"""What is not in Git, and parameters, which are compared value by value."""
QUOTED = (TABLE, MACROS[0])
"""The files that numbers are taken from: if one of them is wrong, so are the rows."""


def findings(subject: Subject) -> Iterator[Finding]:
    """A finding a file that is not what its stage wrote, or is from another lock, and one a source that has changed."""
    for path, (stage, md5) in subject.files.items():
        if (found := checksum(Path(path))) != md5:
            said = "is not what stage {} wrote" if found else "was written by stage {} and is missing"
            yield _of(subject, ALTERED, path, said.format(stage))
        for file in _within(Path(path)):
            for name, lock in sorted(_stamps(file)):
                known = subject.locks.get(name or subject.name, "no report of that data set")
                if lock != known:
                    yield _of(subject, STALE, file.as_posix(), f"is from lock {lock}, dvc.lock gives {known}")
    yield from _sources(subject)


def _of(subject: Subject, verdict: str, path: str, said: str) -> Finding:
    rows = tuple(subject.rows) if Path(path).name in QUOTED else ()
    return Finding(subject.name, verdict, f"{path} {said}", rows, path)


def _sources(subject: Subject) -> Iterator[Finding]:
    """What a report has read beside code and results, and stands in Git: wording and claims, on which no number hangs."""
    for entry in subject.entries:
        for path, md5 in entry.deps.items():
            if Path(path).parts[0] not in ELSEWHERE and checksum(Path(path)) != md5:
                yield _of(subject, STALE, path, f"has changed since {entry.stage} ran")


def _within(path: Path) -> list[Path]:
    """The file, or those of the folder."""
    return [file for file in [path, *sorted(path.rglob("*"))] if file.is_file()]


def _stamps(file: Path) -> set[tuple[str, str]]:
    """(data set or "", lock) of every place where a file says what it is from."""
    if file.suffix == ".csv":
        with file.open(newline="") as stream:
            return {("", line["lock"]) for line in csv.DictReader(stream) if line.get("lock")}
    return {stamp for line in _text(file).splitlines() if ORIGIN in line for stamp in STAMP.findall(line)}


def _text(file: Path) -> str:
    """What a file says; of a drawing its description."""
    if file.suffix != ".png":
        return file.read_text(encoding="utf-8", errors="replace")
    from PIL import Image

    try:
        with Image.open(file) as image:
            return image.text.get("Description", "")
    except OSError:
        return ""  # not a drawing any more, which is said of every file
