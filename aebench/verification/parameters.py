"""Parameters: conf/<dataset>.yaml must say what was recorded when its stages ran, and what was recorded must agree.

params.yaml need not: it says what runs next. A report on five seeds stays one when ten are selected, or another data set;
what counts is that all its rows ran with the seeds that the report names, and that it has the rows that it names.
"""

from collections.abc import Iterator
from typing import Any

from aebench.lock import Entry
from aebench.params import SUITE_FILE
from aebench.verification.findings import MIXED, STALE, Finding, listed
from aebench.verification.subject import Subject

ELSEWHERE = {"models", "stacks", "search"}
"""Of an entry that has recorded a whole file: the blocks of rows are told where these trained, a search is in no table."""
SHOWN = 40
"""Letters of a value up to which it is told."""
GONE = object()


def findings(subject: Subject) -> Iterator[Finding]:
    """What has changed since, then what does not agree."""
    yield from _changed(subject)
    yield from _suites(subject)


def _changed(subject: Subject) -> Iterator[Finding]:
    """A finding a leaf; an entry with the whole file only tells of it, and no number hangs on that."""
    file = subject.conf.as_posix()
    readers: dict[str, list[Entry]] = {}
    for entry in subject.entries:
        recorded = entry.params.get(file, {})
        for path in recorded.keys() - (ELSEWHERE if _whole(entry, file) else set()):
            for change in _differences(recorded[path], _at(subject.parameters, path), path):
                readers.setdefault(change, []).append(entry)
    for change, entries in sorted(readers.items()):
        measuring = [entry for entry in entries if not _whole(entry, file)]
        reason = f"{file}:{change} since {listed(entry.stage for entry in measuring or entries)} ran"
        yield Finding(subject.name, STALE, reason, subject.doubted(measuring))


def _suites(subject: Subject) -> Iterator[Finding]:
    """The seeds of every row, and the rows, against those of the report's suite."""
    if not subject.rows:
        return
    suite = next((_suite(entry) for entry in subject.entries if entry.stage == "report"), None)
    if suite is None:
        yield Finding(subject.name, STALE, "dvc.lock does not say what wrote the report", tuple(subject.rows))
        return
    if named := set(subject.rows) ^ {*suite.get("models", ()), *suite.get("stacks", ())}:
        yield Finding(subject.name, MIXED, f"the table and the report's suite differ in {listed(sorted(named))}")
    for entry in subject.entries:
        if entry.row and (seeds := _suite(entry).get("seeds")) not in (None, suite.get("seeds")):
            reason = f"{entry.stage} ran the seeds {seeds}, the report tells of {suite.get('seeds')}"
            yield Finding(subject.name, MIXED, reason, (entry.row,))


def _suite(entry: Entry) -> dict[str, Any]:
    """What an entry was told of the suite: all, or its seeds."""
    recorded = entry.params.get(SUITE_FILE.name, {})
    return recorded.get("suite") or {path.removeprefix("suite."): value for path, value in recorded.items()}


def _whole(entry: Entry, file: str) -> bool:
    return "models" in entry.params.get(file, {})


def _at(document: Any, path: str) -> Any:
    """The value at a path such as models.sae; GONE if there is none."""
    for name in path.split("."):
        if not isinstance(document, dict) or name not in document:
            return GONE
        document = document[name]
    return document


def _differences(was: Any, now: Any, path: str) -> Iterator[str]:
    """A phrase a leaf that differs."""
    if isinstance(was, dict) and isinstance(now, dict):
        for name in {**was, **now}:
            yield from _differences(was.get(name, GONE), now.get(name, GONE), f"{path}.{name}")
    elif was != now:
        before, after = (("not given" if value is GONE else str(value)) for value in (was, now))
        short = len(before) <= SHOWN and len(after) <= SHOWN
        yield f"{path} has changed from {before} to {after}" if short else f"{path} has changed"
