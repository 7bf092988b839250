"""The lecture's claims (claims.yaml), each a set of tests over seeds, and their verdicts.

    effect    e_s = (sum of `plus`_s - sum of `minus`_s) / `over`_s   for each seed s
    outcome   of a test, from the 95 % interval of the mean effect:
              supported if it is entirely above `above` and below `below`, refuted if it is entirely outside that range,
              not tested if a quantity was not measured, undecided otherwise

A claim takes the first of refuted, not tested, undecided and supported that is the outcome of any of its tests. `NOTE` states
this rule for readers of the report.

A verdict is marked as provisional if a model of the suite that it rests on was still improving when its training ended:
`convergence`. Models inside studies are not checked, because their losses are not stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field, model_validator

from aebench import config, storage
from aebench.errors import unknown
from aebench.evaluation.metrics import METRICS, PROFILES
from aebench.reporting.convergence import PROVISIONAL, still_improving
from aebench.reporting.results import Results
from aebench.statistics import Estimate, estimate

if TYPE_CHECKING:
    from pandas import DataFrame

FILE = Path(__file__).with_name("claims.yaml")
SUPPORTED, REFUTED, UNDECIDED, NOT_TESTED = "supported", "refuted", "undecided", "not tested"
VERDICTS = (REFUTED, NOT_TESTED, UNDECIDED, SUPPORTED)
"""In order of precedence: see above."""
NOTE = (
    "An effect is a mean over seeds with its 95 % interval. A claim is supported if the intervals of all its effects are "
    "within their bounds, refuted if any interval lies entirely outside its bounds, not tested if a quantity was not "
    "measured, and undecided otherwise. A verdict is provisional if a model that it rests on was still improving when its "
    "training ended; models inside studies are not checked. Intervals cover the choice of the seed, not that of the test "
    "images: the accuracies on 360 test images of digits have a standard error of about 1 percentage point. Intervals are not "
    "corrected for multiple testing. The bounds follow from the wording of each claim, but most were set when results on "
    "digits and MNIST were known. They are in aebench/reporting/claims.yaml. A verdict holds for the settings in conf; "
    "hyper-parameters that were not tuned on a data set may change it."
)
STUDY = "study"
OTHER_QUANTITIES = ("classify", "layers", "settings", STUDY)
"""First parts of the names of quantities that are neither metrics nor profiles: see `ModelResults.values`."""


class Test(config.Schema):
    """An effect, and the bounds between which it must be for the claim to hold."""

    __test__ = False  # not a pytest class
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
        """All quantities in the effect, as <model>:<name>."""
        return [*self.plus, *self.minus, *([self.over] if self.over else [])]

    @property
    def models(self) -> set[str]:
        """The names of the models in the effect, without the series of studies."""
        parts = [quantity.partition(":") for quantity in self.quantities]
        return {model for model, _, name in parts if not name.startswith(f"{STUDY}/")}

    @property
    def rule(self) -> str:
        """The bounds as they are printed."""
        if self.above is None or self.below is None:
            return f"< {self.below:g}" if self.above is None else f"> {self.above:g}"
        return f"between {self.above:g} and {self.below:g}"


class Claim(config.Schema):
    """A statement of the lecture, the figure that illustrates it, and the tests that must all hold."""

    says: str
    figure: str
    tests: list[Test] = Field(min_length=1)

    @property
    def models(self) -> set[str]:
        """The names of the models that the tests measure, without the series of studies."""
        return {model for test in self.tests for model in test.models}


@dataclass(frozen=True)
class TestResult:
    """The effect and outcome of a test. If a quantity is missing, the effect is NaN and `why` names the quantity."""

    __test__ = False  # not a pytest class
    test: Test
    effect: Estimate
    outcome: str
    why: str = ""


@cache
def claims(file: Path = FILE) -> dict[str, dict[str, Claim]]:
    """Return the checked claims as {chapter: {name: claim}}; an `InputError` names an unknown key, figure or quantity."""
    chapters = {
        chapter: {name: config.check(Claim, block, f"{file.name}:{chapter}.{name}") for name, block in blocks.items()}
        for chapter, blocks in storage.read_yaml(file).items()
    }
    for chapter, by_name in chapters.items():
        for name, claim in by_name.items():
            _check_names(claim, f"{file.name}:{chapter}.{name}")
    return chapters


def verdict(results: Results, claim: Claim) -> tuple[str, list[TestResult]]:
    """Return the verdict on a claim and the result of each of its tests."""
    tests = [_result(results, test) for test in claim.tests]
    return next(outcome for outcome in VERDICTS if any(test.outcome == outcome for test in tests)), tests


def outcome(effect: Estimate, above: float | None, below: float | None) -> str:
    """Whether the interval of an effect is inside (above, below), outside, or neither. A mean with n = 1 is taken as exact."""
    half = 0.0 if effect.n == 1 else effect.half_width
    low, high = effect.mean - half, effect.mean + half
    least, most = (-np.inf if above is None else above), (np.inf if below is None else below)
    if least < low and high < most:
        return SUPPORTED
    return REFUTED if high <= least or most <= low else UNDECIDED


def table(results: Results) -> "DataFrame":
    """Return one row per test, in the order of claims.yaml."""
    from pandas import DataFrame

    rows, improving = [], {model.name for model in results.models if still_improving(model)}
    for chapter, by_name in claims().items():
        for name, claim in by_name.items():
            decision, tests = verdict(results, claim)
            shown = f"{decision}, {PROVISIONAL}" if decision != NOT_TESTED and claim.models & improving else decision
            fields = {"chapter": chapter, "claim": name, "says": claim.says, "figure": claim.figure, "verdict": shown}
            for each in tests:
                test = {"measured": each.test.measured, "holds": each.test.rule, "outcome": each.outcome, "why": each.why}
                rows.append(fields | test | vars(each.effect) | {"decimals": each.test.decimals})
    return DataFrame(rows)


def _result(results: Results, test: Test) -> TestResult:
    samples = {name: _values(results, name) for name in test.quantities}
    if len(kept := _kept(results, test, samples)) < len(results.seeds):
        samples = {n: v if v is None or len(v) < len(results.seeds) else v[kept] for n, v in samples.items()}
    missing = [name for name, values in samples.items() if values is None or not np.isfinite(values).all()]
    if missing:
        return TestResult(test, Estimate(np.nan, np.nan, np.nan, 0), NOT_TESTED, f"not measured: {', '.join(missing)}")
    values = sum(samples[name] for name in test.plus) - sum((samples[name] for name in test.minus), np.zeros(1))
    effect = estimate(values / samples[test.over] if test.over else values)
    if effect.n == 1 and not all(_exact(results, name) for name in test.quantities):
        return TestResult(test, effect, UNDECIDED, "one seed has no interval")
    return TestResult(test, effect, outcome(effect, test.above, test.below))


def _kept(results: Results, test: Test, samples: Mapping[str, np.ndarray | None]) -> list[int]:
    """Return the positions of the seeds that did not fail in any model of a test; of all seeds if there are none.

    A model of a study has failed with the seeds for which its quantity is NaN.
    """
    models = [model for model in results.models if model.name in test.models and len(model.measured) == len(results.seeds)]
    studies = [samples[name] for name in test.quantities if f":{STUDY}/" in name and samples[name] is not None]
    everything = range(len(results.seeds))
    finished = [~np.isnan(values) for values in studies if len(values) == len(results.seeds)]
    finished += [np.array(model.measured) for model in models]
    return [s for s in everything if all(each[s] for each in finished)] or list(everything)


def _exact(results: Results, quantity: str) -> bool:
    """Whether a quantity has a single value because it is not random, rather than because only one seed was run."""
    model, _, name = quantity.partition(":")
    if name.startswith(f"{STUDY}/"):
        return False
    deterministic = next(m.cost.seeds == 1 for m in results.models if m.name == model)
    return name.startswith("settings/") or (deterministic and len(results.seeds) > 1)


def _values(results: Results, quantity: str) -> np.ndarray | None:
    """Return one value per seed, or a single one; None if the model or the quantity is missing."""
    name, _, rest = quantity.partition(":")
    if rest.startswith(f"{STUDY}/"):
        study, _, where = rest.removeprefix(f"{STUDY}/").partition("/")
        values = results.studies[study].values(name, where) if study in results.studies else None
        return None if values is None else np.array(values)
    values = next((model.values(rest) for model in results.models if model.name == name), None)
    return None if values is None else np.array(values)


def _check_names(claim: Claim, path: str) -> None:
    """Raise for an unknown figure, metric or profile."""
    from aebench.reporting.figures import FIGURES
    from aebench.reporting.figures.studies import PREFIX

    if claim.figure not in FIGURES and not claim.figure.startswith(PREFIX):
        raise unknown(f"{path}.figure", claim.figure, FIGURES)
    for quantity in (each for test in claim.tests for each in test.quantities):
        name = quantity.partition(":")[2].partition("/")[0]
        if name not in (known := [*METRICS, *PROFILES, *OTHER_QUANTITIES]):
            raise unknown(f"{path}: the quantity {quantity}", name, known)
