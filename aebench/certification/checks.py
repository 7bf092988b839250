"""What a certificate says: each check takes a subject and tells every term's complaint, empty where nothing is wrong.

A term that a check leaves out is one that the check does not apply to.
"""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from aebench.certification.subject import BATCHES, RAGGED, Subject
from aebench.randomness import Streams

Complaints = dict[str, str]
NO_ORACLE = "no oracle"
EXACT, TINY = 1e-9, 1e-12
"""Relative and absolute error of two calculations in float64 that should agree."""
STEP, SMOOTH = 1e-8, 1e-5
"""Of central differences along a direction of random normal numbers, and their error relative to the gradient's norm."""
DIRECTIONS = 5
"""An odd number: the median is judged, since a step may cross the kink of a ReLU. A wrong gradient errs in most directions."""


class Slope(NamedTuple):
    """How a term changes along a direction: by its gradient and by differences; and the gradient's norm or more.

    `scale` is at least a tenth of the term itself, whose rounding the differences magnify, and never 0.
    """

    exact: float
    differences: float
    scale: float

    @property
    def error(self) -> float:
        """Relative to what a direction should give."""
        return abs(self.exact - self.differences) / max(self.scale, abs(self.differences))


def value(subject: Subject) -> Complaints:
    """Each term is what its oracle calculates, for one image, many, and a ragged number halfway through a schedule."""
    found: Complaints = {}
    for n, progress in BATCHES:
        batch = subject.batch(n, progress)
        told, expected = subject.values(*batch), subject.expected(*batch)
        for term in told | (expected or {}):
            found[term] = found.get(term) or _unlike(told, expected, term, f" of {n} images")
    return found


def gradient(subject: Subject) -> Complaints:
    """Each term's gradient is its slope by differences in the weights."""
    if not len(subject.weights):
        return {}
    slopes = list(_slopes(subject))
    found = {term: sorted((slope[term] for slope in slopes), key=lambda s: s.error)[DIRECTIONS // 2] for term in slopes[0]}
    return {term: "" if s.error <= SMOOTH else f"{s.exact:.6g}, not {s.differences:.6g}" for term, s in found.items()}


def units(subject: Subject) -> Complaints:
    """Terms are means over images: copies of an image give its terms, and a batch twice gives the batch's."""
    x, noise = subject.batch()
    first = x[:1], tuple(part[:1] for part in noise)
    pairs = [(subject.values(*first), subject.values(*_repeat(*first, n)), f" of {n} copies") for n, _ in BATCHES]
    pairs.append((subject.values(x, noise), subject.values(*_repeat(x, noise, 2)), " of a batch twice"))
    return {term: next(filter(None, (_unlike(b, a, term, what) for a, b, what in pairs)), "") for term in pairs[0][0]}


def sign(subject: Subject) -> Complaints:
    """Terms are finite, and none is negative but those that the class calls `signed`."""
    found: Complaints = {}
    for n, progress in BATCHES:
        for term, number in subject.values(*subject.batch(n, progress)).items():
            wrong = not math.isfinite(number) or (number < -TINY and term not in subject.kind.signed)
            found[term] = found.get(term) or (f"{number:.6g}" if wrong else "")
    return found


def moves(subject: Subject) -> Complaints:
    """Each term has a gradient that is not 0, unless the block gives a penalty no weight."""
    if not len(subject.weights):
        return {}
    told = subject.gradients().items()
    judged = [(term, gradient) for term, gradient in told if term == "reconstruction" or not subject.switched_off]
    return {term: "" if gradient.any() else "no weight moves it" for term, gradient in judged}


def pure(subject: Subject) -> Complaints:
    """Terms change neither images, noise nor weights, and are the same when asked again."""
    x, noise = subject.batch()
    state = subject.model.state_dict()
    given = {"the images": x, **{f"noise {i}": part for i, part in enumerate(noise)}, **state}
    before = {name: part.clone() for name, part in given.items()}
    with torch.no_grad():
        first = {name: term.item() for name, term in subject.model.terms(x, noise).items()}
    changed = [name for name, part in given.items() if not torch.equal(part, before[name])]
    for name, part in given.items():
        part.copy_(before[name])
    again = subject.values(x, noise)
    return {term: f"changes {changed[0]}" if changed else _unlike(again, first, term, " again") for term in first}


@torch.no_grad()
def shape(subject: Subject) -> Complaints:
    """Of the model whose terms they are: codes (n, k) with its own k, reconstructions (n, d), both finite."""
    found = ""
    for n in (1, RAGGED):
        x, _ = subject.batch(n)
        code = subject.model.encode(x)
        found = found or _misshapen("encode", code, (n, subject.model.code))
        found = found or _misshapen("decode", subject.model.decode(code), (n, subject.pixels))
    return dict.fromkeys(subject.values(*subject.batch()), found)


CHECKS: dict[str, Callable[[Subject], Complaints]] = {c.__name__: c for c in (value, gradient, units, sign, moves, pure, shape)}


def _unlike(told: dict[str, float], expected: dict[str, float] | None, term: str, what: str) -> str:
    if expected is None or term not in expected:
        return NO_ORACLE
    if term not in told:
        return "not among the terms"
    a, b = told[term], expected[term]
    return "" if a == b or abs(a - b) <= EXACT * abs(b) + TINY else f"{a:.6g}{what}, not {b:.6g}"


def _slopes(subject: Subject) -> Iterator[dict[str, Slope]]:
    """Each term's slopes in a random direction, at other images each time."""
    generator = Streams(0).torch("evaluation")
    for i in range(DIRECTIONS):
        direction = torch.randn(len(subject.weights), generator=generator, dtype=torch.float64)
        ahead, behind = (subject.beside(step * direction, RAGGED + i) for step in (STEP, -STEP))
        yield {
            term: Slope((gradient @ direction).item(), (ahead[term] - behind[term]) / (2 * STEP), _scale(gradient, ahead[term]))
            for term, gradient in subject.gradients(RAGGED + i).items()
        }


def _scale(gradient: Tensor, term: float) -> float:
    return max(gradient.norm().item(), 0.1 * abs(term), TINY)


def _repeat(x: Tensor, noise: tuple[Tensor, ...], times: int) -> tuple[Tensor, tuple[Tensor, ...]]:
    return torch.cat([x] * times), tuple(torch.cat([part] * times) for part in noise)


def _misshapen(method: str, told: Tensor, expected: tuple[int, ...]) -> str:
    if tuple(told.shape) != expected:
        return f"{method} gives {tuple(told.shape)}, not {expected}"
    return "" if told.isfinite().all() else f"{method} gives numbers that are not finite"
