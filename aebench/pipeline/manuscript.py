r"""Check the numbers that a LaTeX manuscript quotes from reports/<dataset>/: they exist, and are not stale, mixed or edited.

    \aebench{mnist}{ae}{sse}    \aebenchmean{mnist}{ae}{sse}

Comments are skipped, and \input, \include and \subfile are followed. Quotes whose names are macro parameters (#1) are skipped.
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

MACRO_FILES = ("numbers.tex", "timings.tex")
NAME = r"\{((?:[^{}\\]|\\.)*)\}"
QUOTE = re.compile(rf"(\\aebench(?:mean)?)\s*{NAME}\s*{NAME}\s*{NAME}")
DEFINITION = re.compile(rf"^\\aebenchdefine{NAME}{NAME}{NAME}", re.MULTILINE)
COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)%.*")
INPUT = re.compile(r"\\(?:input|include|subfile)\s*\{([^{}#]+)\}")
PARAMETER = re.compile(r"#\d")


@dataclass(frozen=True)
class Manuscript:
    """A LaTeX file: number of quotes, and one line per quote that is invalid or suspect."""

    file: Path
    quotes: int
    problems: list[str]

    def lines(self) -> Iterator[str]:
        """One line per problem, or a line that confirms that there is none."""
        counted = f"{self.quotes} number{'s' * (self.quotes != 1)} quoted, verified" if self.quotes else "no numbers quoted"
        yield from self.problems or [f"{self.file}: {counted}"]


def read(file: Path, reports: "Iterable[Report]") -> Manuscript:
    """Check the numbers quoted in a manuscript and in the files it includes. Raises `InputError` if there is no such file."""
    if not file.is_file():
        raise InputError(f"{file} must be a LaTeX file, but no such file exists")
    by_name = {report.dataset: report for report in reports}
    quotes = list(_quotes(file, file.parent, set()))
    problems = [f"{location}: {problem}" for location, *names in quotes if (problem := _problem(*names, by_name))]
    return Manuscript(file, len(quotes), problems)


def _quotes(file: Path, home: Path, visited: set[Path]) -> Iterator[tuple[str, str, str, str]]:
    """Yield (location and macro, data set, model, number): first of the file, then of the files it includes.

    Names of included files are relative to `home`, the folder of the manuscript.
    """
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
        if inner and inner.resolve() not in visited and inner.name not in MACRO_FILES:
            yield from _quotes(inner, home, visited)


def _problem(dataset: str, model: str, number: str, reports: "dict[str, Report]") -> str | None:
    """The error message for an unknown name, the problems of a suspect number, or None."""
    if dataset not in reports:
        return str(unknown("the data set", dataset, reports))
    models = _defined(REPORTS / dataset)
    if not models:
        return f"{REPORTS / dataset / MACRO_FILES[0]} is missing: the stage report writes it; run `aebench run`"
    if model not in models:
        return str(unknown("the model", model, models))
    if number not in models[model]:
        return str(unknown("the number", number, models[model]))
    reasons = {
        f"{problem.kind}: {problem.reason}": None
        for problem in reports[dataset].problems
        if (Path(problem.file).name == models[model][number] if problem.file else model in problem.models)
    }
    return "; ".join(reasons) or None


def _defined(report: Path) -> dict[str, dict[str, str]]:
    """Map model -> number -> name of the file that defines its macro."""
    models: dict[str, dict[str, str]] = {}
    for file in (report / name for name in MACRO_FILES):
        for _, model, number in DEFINITION.findall(file.read_text(encoding="utf-8") if file.exists() else ""):
            models.setdefault(model, {}).setdefault(number, file.name)
    return models
