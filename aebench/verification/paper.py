r"""The numbers that a paper quotes, as macros of reports/<dataset>/: each must be there and be in no doubt.

    \aebench{mnist}{ae}{sse}    \aebenchmean{mnist}{ae}{sse}

What LaTeX reads is read: no comments, and files that the paper takes in. A use that takes a name from the parameter of a
macro of the paper's own (#1) says nothing that could be checked.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aebench.errors import InputError, unknown
from aebench.verification.findings import Finding
from aebench.verification.subject import MACROS, Subject, folder

NAME = r"\{((?:[^{}\\]|\\.)*)\}"
USE = re.compile(rf"(\\aebench(?:mean)?)\s*{NAME}\s*{NAME}\s*{NAME}")
DEFINITION = re.compile(rf"^\\aebenchdefine{NAME}{NAME}{NAME}", re.MULTILINE)
COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)%.*")
TAKEN_IN = re.compile(r"\\(?:input|include|subfile)\s*\{([^{}#]+)\}")
PARAMETER = re.compile(r"#\d")


@dataclass(frozen=True)
class Use:
    """A number that a paper quotes, and where."""

    macro: str
    dataset: str
    model: str
    key: str
    place: str

    def __str__(self) -> str:
        """As the paper has it, after the place."""
        return f"{self.place}: {self.macro}{{{self.dataset}}}{{{self.model}}}{{{self.key}}}"


@dataclass(frozen=True)
class Paper:
    """What it quotes, and what is wrong with that."""

    uses: list[Use]
    mistakes: list[str]


def read(file: Path, subjects: list[Subject], findings: list[Finding]) -> Paper:
    """The paper and the files that it takes in."""
    if not file.is_file():
        raise InputError(f"{file} must be a file, got none")
    names = [subject.name for subject in subjects if subject.rows]
    known = {name: _defined(folder(name)) for name in names}
    uses = list(_uses(file, file.parent, set()))
    return Paper(uses, [mistake for use in uses if (mistake := _mistake(use, known, findings))])


def _uses(file: Path, home: Path, seen: set[Path]) -> Iterator[Use]:
    """In the order of a file, then of those that it takes in, whose names are relative to the paper's folder."""
    seen.add(file.resolve())
    text = COMMENT.sub(r"\1", file.read_text(encoding="utf-8", errors="replace"))
    for found in USE.finditer(text):
        macro, *names = (" ".join(part.split()) for part in found.groups())
        if not any(PARAMETER.search(name) for name in names):
            yield Use(macro, *names, place=f"{file}:{text.count(chr(10), 0, found.start()) + 1}")
    for name in TAKEN_IN.findall(text):
        inner = next((each for each in (home / name, home / f"{name}.tex") if each.is_file()), None)
        if inner and inner.resolve() not in seen and inner.name not in MACROS:
            yield from _uses(inner, home, seen)


def _defined(report: Path) -> dict[str, dict[str, str]]:
    """Model -> name of a number -> the file that defines it."""
    known: dict[str, dict[str, str]] = {}
    for file in (report / name for name in MACROS):
        for _, model, key in DEFINITION.findall(file.read_text(encoding="utf-8") if file.exists() else ""):
            known.setdefault(model, {}).setdefault(key, file.name)
    return known


def _mistake(use: Use, known: dict[str, dict[str, dict[str, str]]], findings: list[Finding]) -> str | None:
    """What is wrong with a use: a name that is not there, or a reason to doubt the number."""
    if use.dataset not in known:
        return str(unknown(f"{use}: the data set", use.dataset, known))
    models = known[use.dataset]
    if not models:
        return f"{use}: {folder(use.dataset) / MACROS[0]} must have been written by stage report, got no such file"
    if use.model not in models:
        return str(unknown(f"{use}: the model", use.model, models))
    if use.key not in models[use.model]:
        return str(unknown(f"{use}: the number", use.key, models[use.model]))
    doubts = [f for f in findings if f.subject == use.dataset and _doubts(f, use.model, models[use.model][use.key])]
    return f"{use}: {'; '.join(dict.fromkeys(f'{f.verdict}: {f.reason}' for f in doubts))}" if doubts else None


def _doubts(finding: Finding, model: str, file: str) -> bool:
    return Path(finding.file).name == file if finding.file else model in finding.rows
