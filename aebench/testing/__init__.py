"""Checks for models, for authors of models: `aebench.testing.check_model`, as scikit-learn has `check_estimator`.

    from aebench.testing import check_model

    def test_my_model():
        check_model("my_package.mine:MyModel", {"latent_dim": 8, "weight": 0.1})

The checks are listed in `aebench.testing.checks`. All but one need nothing but the model. `value` compares every term with a
second calculation that shares no code with it, the *oracle*: a static method of the model, or an argument. It uses NumPy and
returns each term by its name; all arrays are float64:

    oracle(settings, weights: dict[str, ndarray], x: ndarray, noise: tuple[ndarray, ...]) -> dict[str, float]

It gets the model's settings, its weights and buffers by name, images (n, d) and what `draw` returned.
"""

from dataclasses import dataclass
from typing import Any

from aebench.errors import InputError
from aebench.testing.case import Case, Oracle
from aebench.testing.checks import CHECKS, Problems

__all__ = ["CHECKS", "Report", "check_model", "report"]

PIXELS, MANY_PIXELS = 64, 1024
"""Pixels of the images; and for settings that need more, such as a PCA of 100 components."""
ALL_TERMS = "all terms"
"""The term named when a check ends in an exception."""


@dataclass(frozen=True)
class Report:
    """The result of each check: check -> term -> problem, empty where it passed; a term is absent where it does not apply."""

    name: str
    results: dict[str, Problems]

    @property
    def problems(self) -> list[str]:
        """One line per failure, "<term>, <check>: <problem>", in the order of the checks."""
        return [f"{term}, {check}: {text}" for check, terms in self.results.items() for term, text in terms.items() if text]

    @property
    def rows(self) -> list[list[str]]:
        """One table row per term: name, term, then "pass", "FAIL" or "-" (does not apply) for each check."""
        terms = dict.fromkeys(term for result in self.results.values() for term in result)
        states = {None: "-", "": "pass"}
        return [[self.name, term, *(states.get(r.get(term), "FAIL") for r in self.results.values())] for term in terms]


def check_model(kind: str, settings: dict[str, Any] | None = None, oracle: Oracle | None = None) -> None:
    """Run every check on the model of `kind` (a registered name or `module:Class`) with these settings.

    Raises `AssertionError` with every failure, and `InputError` if the settings are invalid.
    """
    problems = report({"kind": kind} | (settings or {}), oracle=oracle).problems
    if problems:
        raise AssertionError("\n".join([f"{kind} failed its model checks:", *problems]))


def report(settings: dict[str, Any], path: str = "models", name: str = "", oracle: Oracle | None = None) -> Report:
    """The result of every check; `path` is where the settings were written, for errors."""
    try:
        case = Case(settings, PIXELS, path, oracle)
    except InputError:
        case = Case(settings, MANY_PIXELS, path, oracle)
    return Report(name or settings.get("kind", path), {check: _run(check, case) for check in CHECKS})


def _run(check: str, case: Case) -> Problems:
    try:
        return CHECKS[check](case)
    except Exception as error:
        return {ALL_TERMS: f"{type(error).__name__}: {' '.join(str(error).split())}"}
