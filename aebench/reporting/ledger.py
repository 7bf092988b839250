"""What is told of all data sets together, from the claims.csv of every report there is: claims.md and docs/lecture.md.

A report stays when another data set is run; so do its findings here.
"""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aebench import runs
from aebench.reporting import templates
from aebench.reporting.claims import NOTE, claims, effect, ledger
from aebench.reporting.results import Results, lock_name

if TYPE_CHECKING:
    from pandas import DataFrame

LEDGER = runs.REPORTS / "claims.md"
LECTURE = Path("docs") / "lecture.md"


def write(results: Results) -> None:
    """reports/<dataset>/claims.csv: one line a test."""
    with runs.whole(results.folder / "claims.csv") as partial_file:
        ledger(results).assign(lock=results.lock).to_csv(partial_file, index=False, lineterminator="\n")


def write_all() -> None:
    """The ledger of every data set that has a report, and the lecture with what came out."""
    found = {file.parent.name: _read(file) for file in sorted(runs.REPORTS.glob("*/claims.csv"))}
    told = [_told(chapter, name, found) for chapter, each in claims().items() for name in each]
    facts = {"datasets": list(found), "claims": told, "note": NOTE}
    origins = [f"{name}: written by stages.report from {lock_name(table['lock'].iloc[0])}" for name, table in found.items()]
    templates.write(LEDGER, "claims.md", **facts, origins=origins)
    templates.write(LECTURE, "lecture.md", **facts, origins=origins, chapter=partial(_of_chapter, told), drawn=_drawn)


def _read(file: Path) -> "DataFrame":
    from pandas import read_csv

    return read_csv(file, keep_default_na=False, na_values={name: [""] for name in ("mean", "sd", "half_width")})


def _told(chapter: str, name: str, found: dict[str, "DataFrame"]) -> dict[str, Any]:
    """A claim with its verdict and tests by data set."""
    claim = claims()[chapter][name]
    lines = {dataset: table[table["claim"] == name].to_dict("records") for dataset, table in found.items()}
    lines = {dataset: tests for dataset, tests in lines.items() if tests}
    return {
        "chapter": chapter,
        "name": name,
        "says": claim.says,
        "figures": {dataset: figure for dataset in lines if (figure := _figure(dataset, claim.figure)).exists()},
        "verdicts": {dataset: tests[0]["verdict"] for dataset, tests in lines.items()},
        "tests": {d: [test | {"effect": effect(test).strip()} for test in tests] for d, tests in lines.items()},
    }


def _figure(dataset: str, name: str) -> Path:
    return runs.REPORTS / dataset / "figures" / f"{name}.png"


def _drawn(name: str) -> list[str]:
    """The data sets that have such a figure."""
    return [path.parent.name for path in sorted(runs.REPORTS.glob("*/figures")) if _figure(path.parent.name, name).exists()]


def _of_chapter(told: list[dict[str, Any]], chapter: str) -> list[dict[str, Any]]:
    return [claim for claim in told if claim["chapter"] == chapter]
