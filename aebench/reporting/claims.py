"""The claim ledger: what the lecture says, each claim a test over seeds, and its verdict.

    effect   e_s = (sum of `plus`_s - sum of `minus`_s) / `over`_s,  seed by seed
    holds    in (above, below)
    supported if the 95 % interval of the mean of e lies in it, refuted if it lies outside, undecided otherwise

The rules are data, claims.yaml; here is no claim. Each interval is taken by itself: of twenty tests whose effect lies on its
bound, one is expected to be decided.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field, model_validator

from aebench import params, runs
from aebench.errors import unknown
from aebench.metrics import METRICS, PROFILES
from aebench.reporting.cells import Column, Table, cells
from aebench.reporting.figures import FIGURES
from aebench.reporting.results import Results
from aebench.reporting.sections import SECTIONS
from aebench.statistics import Estimate, estimate

if TYPE_CHECKING:
    from pandas import DataFrame

FILE = Path(__file__).with_name("claims.yaml")
SUPPORTED, REFUTED, UNDECIDED, NOT_TESTED = "supported", "refuted", "undecided", "not tested"
NOTE = (
    "An effect is a mean over seeds with its 95 % interval. A claim is supported if each of its effects lies where it must "
    "with the whole interval, refuted if one lies outside with the whole interval, undecided otherwise. The rules are in "
    "aebench/reporting/claims.yaml. Each interval is taken by itself."
)
VERDICTS = (REFUTED, NOT_TESTED, UNDECIDED, SUPPORTED)
"""The first of these that one of its tests has is a claim's verdict."""
FILES = {"classify": "classification.csv", "layers": "layers.csv"}
"""Where a quantity is that is neither metric, profile nor setting."""


class Test(params.Schema):
    """An effect and where it must lie for the claim to hold."""

    __test__ = False
    measured: str
    plus: list[str] = Field(min_length=1)
    minus: list[str] = Field(default_factory=list)
    over: str | None = None
    above: float | int | None = None
    below: float | int | None = None
    decimals: int = 2

    @model_validator(mode="after")
    def _can_fail(self) -> "Test":
        if self.above is None and self.below is None:
            raise ValueError("must have above, below or both")
        return self

    @property
    def quantities(self) -> list[str]:
        """All that it is made of."""
        return [*self.plus, *self.minus, *([self.over] if self.over else [])]

    @property
    def rule(self) -> str:
        """Where the effect must lie, as it is printed."""
        if self.above is None or self.below is None:
            return f"< {self.below:g}" if self.above is None else f"> {self.above:g}"
        return f"between {self.above:g} and {self.below:g}"


class Claim(params.Schema):
    """A sentence of the lecture, the figure that shows it and the tests that all have to hold."""

    says: str
    figure: str
    tests: list[Test] = Field(min_length=1)


@dataclass(frozen=True)
class Finding:
    """What came out of a test: the effect, NaN where it was not tested, its outcome and, of one not tested, why."""

    test: Test
    effect: Estimate
    outcome: str
    why: str = ""


@cache
def claims(file: Path = FILE) -> dict[str, dict[str, Claim]]:
    """Chapter -> claim's name -> claim, checked."""
    chapters = {
        chapter: {name: params.check(Claim, block, f"{file.name}:{chapter}.{name}") for name, block in blocks.items()}
        for chapter, blocks in params.read_yaml(file).items()
    }
    for chapter, found in chapters.items():
        for name, claim in found.items():
            _check(claim, f"{file.name}:{chapter}.{name}")
    return chapters


def judge(results: Results, claim: Claim) -> tuple[str, list[Finding]]:
    """The verdict on a claim, and what each of its tests found."""
    findings = [_finding(results, test) for test in claim.tests]
    return next(verdict for verdict in VERDICTS if any(f.outcome == verdict for f in findings)), findings


def outcome(effect: Estimate, above: float | None, below: float | None) -> str:
    """Of an interval against an open range; a mean without an interval counts as certain."""
    half = 0.0 if effect.n == 1 else effect.half_width
    low, high = effect.mean - half, effect.mean + half
    least, most = (-np.inf if above is None else above), (np.inf if below is None else below)
    if least < low and high < most:
        return SUPPORTED
    return REFUTED if high <= least or most <= low else UNDECIDED


def ledger(results: Results) -> "DataFrame":
    """One line a test, in the order of claims.yaml."""
    from pandas import DataFrame

    lines = []
    for chapter, found in claims().items():
        for name, claim in found.items():
            verdict, findings = judge(results, claim)
            said = {"chapter": chapter, "claim": name, "says": claim.says, "figure": claim.figure, "verdict": verdict}
            lines += [said | _line(finding) for finding in findings]
    return DataFrame(lines)


def tables(results: Results) -> list[Table]:
    """One table, a line a test."""
    found = ledger(results)
    columns = {"claim": "says", "measured": "measured", "holds if": "holds", "outcome": "outcome", "verdict": "verdict"}
    printed = {head: Column(head, found[name].tolist()) for head, name in columns.items()}
    effects = Column("effect", [effect(line) for line in found.to_dict("records")], "right")
    return [
        Table("claims", "claims", SECTIONS["claims"], NOTE, [*list(printed.values())[:2], effects, *list(printed.values())[2:]])
    ]


def effect(line: dict[str, Any]) -> str:
    """A line's effect as it is printed: mean ± half-width of its 95 % interval."""
    decimals, found = int(line["decimals"]), Estimate(line["mean"], line["sd"], line["half_width"], line["n"])
    return cells([found], decimals)[0]


def _line(finding: Finding) -> dict[str, Any]:
    test, effect = finding.test, finding.effect
    told = {"measured": test.measured, "holds": test.rule, "outcome": finding.outcome, "why": finding.why}
    numbers = {"mean": effect.mean, "sd": effect.sd, "half_width": effect.half_width, "n": effect.n}
    return told | numbers | {"decimals": test.decimals}


def _finding(results: Results, test: Test) -> Finding:
    found = {name: _values(results, name) for name in test.quantities}
    missing = [name for name, values in found.items() if values is None or not np.isfinite(values).all()]
    if missing:
        return Finding(test, Estimate(np.nan, np.nan, np.nan, 0), NOT_TESTED, f"{', '.join(missing)} was not measured")
    values = sum(found[name] for name in test.plus) - sum((found[name] for name in test.minus), np.zeros(1))
    effect = estimate(values / found[test.over] if test.over else values)
    if effect.n == 1 and not all(_exact(results, name) for name in test.quantities):
        return Finding(test, effect, UNDECIDED, "one seed has no interval")
    return Finding(test, effect, outcome(effect, test.above, test.below))


def _exact(results: Results, quantity: str) -> bool:
    """Whether it has one value because there is nothing random in it, not because one seed was run."""
    row, _, name = quantity.partition(":")
    fitted_once = next(r.cost.seeds == 1 for r in results.rows if r.model == row)
    return name.startswith("settings/") or (fitted_once and len(results.seeds) > 1)


def _values(results: Results, quantity: str) -> np.ndarray | None:
    """A value a seed, one that stands for all, or None where there is no such row or number."""
    model, _, name = quantity.partition(":")
    row = next((row for row in results.rows if row.model == model), None)
    if row is None:
        return None
    if name in row.samples:
        return np.array(row.samples[name])
    part, _, place = name.partition("/")
    if part == "settings":
        return np.array([float(row.block[place])]) if place in row.block else None
    file, column = (FILES[part], place) if part in FILES else ("profiles.csv", name)
    path = runs.folder(results.dataset, model) / file
    values = runs.read_columns(path).get(column) if path.exists() else None
    return None if values is None else np.array(values)


def _check(claim: Claim, where: str) -> None:
    """An error for a figure, metric or profile that nobody knows."""
    if claim.figure not in FIGURES:
        raise unknown(f"{where}.figure", claim.figure, FIGURES)
    for quantity in (each for test in claim.tests for each in test.quantities):
        name = quantity.partition(":")[2].partition("/")[0]
        if name not in (known := [*METRICS, *PROFILES, *FILES, "settings"]):
            raise unknown(f"{where}: what is measured in {quantity}", name, known)
