"""Which printed number is stale, mixes revisions or was altered: what stands in Git against what stands in Git.

A fresh clone suffices: dvc.lock says with which code, parameters and data each stage ran and what it wrote, so nothing of
runs/ and data/ is needed. `dvc status` does not do: it sees the suite of params.yaml alone, and compares code with
runs/code/, which itself waits for a run.

subject.py     a data set's report: its rows, and the entries of the lock that made them
code.py        the code behind each stage and row now, against that which ran
parameters.py  conf/<dataset>.yaml now against what was recorded; what was recorded against itself
chain.py       what each stage read against what another stage wrote
files.py       each file of a report against what was recorded of it, and the lock that it says it is from
paper.py       the numbers that a paper quotes
checksums.py   the checksums that DVC takes
history.py     the commit that last changed each report

A report cannot hold the commit that holds it, and would differ at every other. So the commit is asked of Git here, not
written there; what MLflow mirrors has that of its code as the tag mlflow.source.git.commit.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import aebench
from aebench.errors import InputError
from aebench.lock import LOCK, Lock
from aebench.verification import chain, code, files, history, paper, parameters
from aebench.verification.findings import Finding, told
from aebench.verification.subject import Subject, pages, reported

CHECKS = (code.findings, parameters.findings, chain.findings, files.findings)


@dataclass(frozen=True)
class Verdict:
    """What was looked at, what was found, and how many uses of numbers the papers have."""

    subjects: list[Subject]
    findings: list[Finding]
    papers: dict[Path, paper.Paper]

    @property
    def sound(self) -> bool:
        """Whether nothing was found."""
        return not self.findings and not any(each.mistakes for each in self.papers.values())

    def lines(self) -> Iterator[str]:
        """What there is to say, a line each; the last says it all."""
        for subject in self.subjects:
            yield subject.heading
            yield from history.lines(subject.files)
            yield from told([f for f in self.findings if f.subject == subject.name], subject.rows)
        for file, each in self.papers.items():
            yield f"{file}: {len(each.uses)} numbers quoted"
            yield from (f"  {mistake}" for mistake in each.mistakes)
        yield self._sum()

    def _sum(self) -> str:
        printed = [s for s in self.subjects if s.rows]
        rows = f"{sum(len(s.rows) for s in printed)} rows on {len(printed)} data sets"
        count = sum(sum(s.rows.values()) for s in printed)
        if self.sound:
            return f"verified: {count:,} numbers of {rows}"
        doubted = {(f.subject, row) for f in self.findings for row in f.rows}
        doubtful = sum(s.rows[row] for s in printed for row in s.rows if (s.name, row) in doubted)
        return f"not verified: {doubtful:,} of {count:,} numbers of {rows} are in doubt"


def verify(papers: list[Path]) -> Verdict:
    """Every report that there is, and what the papers quote of them."""
    _at_home()
    lock = Lock.read()
    if not lock.stages:
        raise InputError(f"{LOCK} must have stages, got none")
    subjects = [Subject.read(dataset, lock) for dataset in reported()] + [pages(lock)]
    found = [finding for subject in subjects for check in CHECKS for finding in check(subject)]
    read = {file: paper.read(file, subjects, found) for file in papers}
    return Verdict(subjects, found, read)


def _at_home() -> None:
    """The code that is compared is this process's and must be the project's; `stages` is found beside it."""
    home = Path(aebench.__file__).parent
    if not Path("aebench").exists() or not home.samefile("aebench"):
        raise InputError(f"aebench verify must run in the folder of its code, {home.parent}, got {Path.cwd()}")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
