"""Certificates: is a model what it says it is? Its terms against an independent calculation, their gradients, units and signs.

A model is certified if every check of every term passes. The built-in chapters have their second calculation in `oracles`;
a model of your own brings it along as a static method, NumPy alone, all arrays float64:

    oracle(params, weights: dict[str, ndarray], x: ndarray, noise: tuple[ndarray, ...]) -> dict[str, float]

with its checked parameters, weights and buffers by name, images (n, d) and what `draw` drew; each term by its name.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import shorten
from typing import Any

from tabulate import tabulate

from aebench.certification.cases import cases
from aebench.certification.checks import CHECKS, NO_ORACLE, Complaints
from aebench.certification.subject import Subject
from aebench.errors import InputError

PIXELS, MANY_PIXELS = 64, 1024
"""Images of this many numbers; and for a block that asks for more than they have, as a PCA of 100 components does."""
EVERY_TERM = "every term"
"""What a check is told of that a model stops with an exception."""
WIDTH = 40
"""Characters of a complaint in the table."""


@dataclass(frozen=True)
class Certificate:
    """What each check found: check -> term -> complaint, empty where it passed."""

    name: str
    found: dict[str, Complaints]

    @property
    def complaints(self) -> list[tuple[str, str, str]]:
        """(term, check, what is wrong), in the order of the checks."""
        return [(term, check, what) for check, terms in self.found.items() for term, what in terms.items() if what]

    @property
    def certified(self) -> bool:
        """Whether nothing is wrong."""
        return not self.complaints

    @property
    def failures(self) -> list[str]:
        """What is wrong as "<term>: <check>", or "<term>: no oracle" where the value could not be checked."""
        return [f"{term}: {what if what == NO_ORACLE else check}" for term, check, what in self.complaints]

    @property
    def lines(self) -> list[list[str]]:
        """A line of the table a term: name, term, then one cell a check; "-" where a check does not apply."""
        terms = list(dict.fromkeys(term for found in self.found.values() for term in found))
        cells = {term: [self._cell(found.get(term)) for found in self.found.values()] for term in terms}
        return [[self.name, term, *cells[term]] for term in terms]

    @staticmethod
    def _cell(complaint: str | None) -> str:
        return "-" if complaint is None else shorten(complaint, WIDTH, placeholder="…") or "pass"


def certificate(block: dict[str, Any], path: str = "models", name: str = "") -> Certificate:
    """The certificate of a params block; `path` is where it was written, for the error if it is wrong."""
    try:
        subject = Subject(block, PIXELS, path)
    except InputError:
        subject = Subject(block, MANY_PIXELS, path)
    return Certificate(name or path, {check: _attempt(check, subject) for check in CHECKS})


def certify(names: Sequence[str]) -> list[Certificate]:
    """The certificates of what `names` mean, of every kind if there are none; see `cases`."""
    return [certificate(block, path, name) for name, block, path in cases(names)]


def table(certificates: Sequence[Certificate]) -> str:
    """One line a model and term, one column a check."""
    lines = [line for certificate in certificates for line in certificate.lines]
    return tabulate(lines, ["model", "term", *CHECKS], "simple", disable_numparse=True)


def require(certificates: Sequence[Certificate]) -> None:
    """Raise `InputError` about the first that is not certified."""
    for certificate in certificates:
        for term, check, what in certificate.complaints:
            raise InputError(f"{certificate.name} must pass every check, got in term {term}, check {check}: {what}")


def _attempt(check: str, subject: Subject) -> Complaints:
    try:
        return CHECKS[check](subject)
    except Exception as error:
        return {EVERY_TERM: f"{type(error).__name__}: {' '.join(str(error).split())}"}
