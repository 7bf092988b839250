r"""The numbers that a LaTeX paper quotes from reports/<dataset>/: each must exist, and be neither stale, mixed nor edited.

    \aebench{mnist}{ae}{sse}    \aebenchmean{mnist}{ae}{sse}

Comments are skipped and \input files followed. A quote that takes a name from the parameter of a macro (#1) cannot be checked.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aebench.errors import InputError, unknown
from aebench.storage import REPORTS

if TYPE_CHECKING:
    from aebench.pipeline.audit import Report

MACROS = ("numbers.tex", "timings.tex")
NAME = r"\{((?:[^{}\\]|\\.)*)\}"
QUOTE = re.compile(rf"(\\aebench(?:mean)?)\s*{NAME}\s*{NAME}\s*{NAME}")
DEFINITION = re.compile(rf"^\\aebenchdefine{NAME}{NAME}{NAME}", re.MULTILINE)
COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)%.*")
INPUT = re.compile(r"\\(?:input|include|subfile)\s*\{([^{}#]+)\}")
PARAMETER = re.compile(r"#\d")


@dataclass(frozen=True)
class Paper:
    """A LaTeX file: how many numbers it quotes, and one line per quote that is wrong or in doubt."""

    file: Path
    quotes: int
    problems: list[str]

    def lines(self) -> Iterator[str]:
        """One line per problem, or one that says that there is none."""
        yield from self.problems or [f"{self.file}: {self.quotes} numbers quoted, verified"]


def read(file: Path, reports: "Iterable[Report]") -> Paper:
    """Check the numbers that a paper and the files that it inputs quote."""
    if not file.is_file():
        raise InputError(f"{file} must be a file, got none")
    by_name = {report.dataset: report for report in reports}
    quotes = list(_quotes(file, file.parent, set()))
    problems = [f"{place}: {problem}" for place, *names in quotes if (problem := _problem(*names, by_name))]
    return Paper(file, len(quotes), problems)


def _quotes(file: Path, home: Path, visited: set[Path]) -> Iterator[tuple[str, str, str, str]]:
    """(place and macro, data set, model, number) in the order of the file, then of its inputs, relative to the paper."""
    visited.add(file.resolve())
    text = COMMENT.sub(r"\1", file.read_text(encoding="utf-8", errors="replace"))
    for match in QUOTE.finditer(text):
        macro, *names = (" ".join(part.split()) for part in match.groups())
        if not any(PARAMETER.search(name) for name in names):
            dataset, model, number = names
            line = text.count("\n", 0, match.start()) + 1
            yield f"{file}:{line}: {macro}{{{dataset}}}{{{model}}}{{{number}}}", dataset, model, number
    for name in INPUT.findall(text):
        inner = next((path for path in (home / name, home / f"{name}.tex") if path.is_file()), None)
        if inner and inner.resolve() not in visited and inner.name not in MACROS:
            yield from _quotes(inner, home, visited)


def _problem(dataset: str, model: str, number: str, reports: "dict[str, Report]") -> str | None:
    """An unknown name, or the reasons to doubt the number."""
    if dataset not in reports:
        return str(unknown("the data set", dataset, reports))
    models = _defined(REPORTS / dataset)
    if not models:
        return f"{REPORTS / dataset / MACROS[0]} must have been written by the stage report, got no such file"
    if model not in models:
        return str(unknown("the model", model, models))
    if number not in models[model]:
        return str(unknown("the number", number, models[model]))
    doubts = {
        f"{problem.kind}: {problem.reason}": None
        for problem in reports[dataset].problems
        if (Path(problem.file).name == models[model][number] if problem.file else model in problem.models)
    }
    return "; ".join(doubts) or None


def _defined(report: Path) -> dict[str, dict[str, str]]:
    """Model -> number -> the file that defines its macro."""
    models: dict[str, dict[str, str]] = {}
    for file in (report / name for name in MACROS):
        for _, model, number in DEFINITION.findall(file.read_text(encoding="utf-8") if file.exists() else ""):
            models.setdefault(model, {}).setdefault(number, file.name)
    return models
