"""Model checks for authors of models: `aebench.testing.check_model` is the counterpart of scikit-learn's `check_estimator`.

    from aebench.testing import check_model

    def test_my_model():
        check_model("my_package.mine:MyModel", {"latent_dim": 8, "weight": 0.1})

The checks are listed in `aebench.testing.checks`. All but one need only the model. `value` compares each term with the
*oracle*, an independent calculation that is passed as an argument or is a static method of the model:

    oracle(settings, weights: dict[str, ndarray], x: ndarray, noise: tuple[ndarray, ...]) -> dict[str, float]

The arguments are the model's settings, its weights and buffers by name, images x (n, d) and the noise returned by `draw`. All
arrays are float64. The oracle returns the value of each term by name and should share no code with the model.
"""

from dataclasses import dataclass
from typing import Any

from aebench.errors import InputError
from aebench.testing.case import Case, Oracle
from aebench.testing.checks import CHECKS, Problems

__all__ = ["CHECKS", "ModelChecks", "check_model", "report"]

PIXELS, MANY_PIXELS = 64, 1024
"""Number of pixels, and the number for settings that need more, such as a PCA with 100 components."""
ALL_TERMS = "all terms"
"""Name used in place of a term if a check raises an exception."""


@dataclass(frozen=True)
class ModelChecks:
    """Results of the checks of one model.

    `results` maps check -> term -> problem. The problem is empty if the check passed; a term is absent if the check does not
    apply to it.
    """

    name: str
    results: dict[str, Problems]

    @property
    def problems(self) -> list[str]:
        """One line "<term>, <check>: <problem>" per failure, in the order of the checks."""
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


def report(settings: dict[str, Any], path: str = "models", name: str = "", oracle: Oracle | None = None) -> ModelChecks:
    """Run every check on the model with these settings; `path` says in error messages where the settings are."""
    case = _case(settings, path, oracle)
    return ModelChecks(name or settings.get("kind", path), {check: _run(check, case) for check in CHECKS})


def first_problem(settings: dict[str, Any], path: str) -> str:
    """Return the first problem of a model, that of its methods before that of their values; empty if there is none."""
    try:
        _case(settings, path).encode_and_decode()
    except InputError as error:
        return str(error)
    problems = report(settings, path).problems
    return problems[0] if problems else ""


def _case(settings: dict[str, Any], path: str, oracle: Oracle | None = None) -> Case:
    try:
        return Case(settings, PIXELS, path, oracle)
    except InputError:
        return Case(settings, MANY_PIXELS, path, oracle)


def _run(check: str, case: Case) -> Problems:
    try:
        return CHECKS[check](case)
    except InputError as error:  # of the model, in one line
        return {ALL_TERMS: str(error)}
    except Exception as error:
        return {ALL_TERMS: f"{type(error).__name__}: {' '.join(str(error).split())}"}
