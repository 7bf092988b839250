"""What each stage has read against what another has written: the weights measured are those trained, on the same images.

What a report has read lies in one folder, whose md5 nobody can check without its files; of that its provenance.json and
the lock that it is stamped with tell.
"""

from collections.abc import Iterator
from pathlib import PurePosixPath

from aebench.verification.findings import MIXED, STALE, Finding, listed
from aebench.verification.subject import Subject


def findings(subject: Subject) -> Iterator[Finding]:
    """A finding a file that was read in another state than it was last written in, and one a row that nobody made."""
    written = subject.lock.written
    for entry in subject.entries:
        for path, md5 in entry.deps.items():
            writer, last = written.get(path, ("", md5))
            if last != md5:
                reason = f"{entry.stage} has read another {PurePosixPath(path).name} than {writer} has written"
                yield Finding(subject.name, MIXED, reason, subject.doubted([entry]))
    made = {entry.row for entry in subject.entries}
    for row in subject.rows:
        if row not in made:
            yield Finding(subject.name, STALE, "dvc.lock does not say what made the row", (row,))
    yield from _told(subject)
    yield from _libraries(subject)


def _told(subject: Subject) -> Iterator[Finding]:
    """What the report says that it was made of."""
    made_of = {"": subject.provenance.get("data", {}) | subject.provenance.get("judge", {})}
    made_of |= {row: said["results"] for row, said in subject.provenance.get("rows", {}).items()}
    for row, files in made_of.items():
        for path, md5 in files.items():
            writer, last = subject.lock.written.get(path, ("nobody", ""))
            if last != md5:
                reason = f"the report was made of another {PurePosixPath(path).name} than {writer} has written"
                yield Finding(subject.name, MIXED, reason, (row,) if row else tuple(subject.rows))


def _libraries(subject: Subject) -> Iterator[Finding]:
    """Rows that were trained by different versions of a library."""
    used: dict[str, dict[str, list[str]]] = {}
    for environment in subject.provenance.get("environments", ()):
        for library, version in environment["versions"].items():
            used.setdefault(library, {}).setdefault(version, []).extend(environment["rows"])
    for library, versions in used.items():
        if len(versions) > 1:
            shares = listed(f"{version} ({', '.join(rows)})" for version, rows in versions.items())
            yield Finding(subject.name, MIXED, f"rows were trained by {library} {shares}")
