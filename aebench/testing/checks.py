"""The model checks. Each takes a `Case` and maps every term to its problem, an empty text if there is none.

Terms to which a check does not apply are left out.
"""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from aebench.randomness import Streams
from aebench.testing.case import BATCHES, RAGGED, Case

Problems = dict[str, str]
EXACT, TINY = 1e-9, 1e-12
"""Relative and absolute tolerance between two float64 calculations."""
STEP, SMOOTH = 1e-8, 1e-5
"""Step of central differences along a random direction, and their tolerance relative to the norm of the gradient."""
DIRECTIONS = 5
"""The median over directions is checked, since a step may cross the kink of a ReLU; a wrong gradient is wrong in most."""


class Slope(NamedTuple):
    """Slope of a term along a direction, from its gradient (`exact`) and from central differences.

    `scale` is the norm of the gradient or a tenth of the term, whichever is larger: differences magnify rounding errors of the
    term.
    """

    exact: float
    differences: float
    scale: float

    @property
    def error(self) -> float:
        """Relative difference between the two slopes."""
        return abs(self.exact - self.differences) / max(self.scale, abs(self.differences))


def value(case: Case) -> Problems:
    """Each term equals the oracle's value for one image, for many images, and midway through a schedule."""
    if case.oracle is None:
        return {}
    problems: Problems = {}
    for n, progress in BATCHES:
        batch = case.batch(n, progress)
        values, expected = case.values(*batch), case.expected(*batch)
        for term in values | expected:
            problems[term] = problems.get(term) or _difference(values, expected, term, f" for {n} images")
    return problems


def gradient(case: Case) -> Problems:
    """Each term's gradient by autograd equals central differences in the weights."""
    if not len(case.weights):
        return {}
    slopes = list(_slopes(case))
    medians = {term: sorted((each[term] for each in slopes), key=lambda s: s.error)[DIRECTIONS // 2] for term in slopes[0]}
    return {
        term: "" if s.error <= SMOOTH else f"got {s.exact:.6g}, expected {s.differences:.6g}" for term, s in medians.items()
    }


def mean(case: Case) -> Problems:
    """Terms are means over images: copies of an image have the terms of that image, a repeated batch has those of the batch."""
    x, noise = case.batch()
    first = x[:1], tuple(part[:1] for part in noise)
    pairs = [(case.values(*first), case.values(*_repeat(*first, n)), f" for {n} copies of an image") for n, _ in BATCHES]
    pairs.append((case.values(x, noise), case.values(*_repeat(x, noise, 2)), " for a batch repeated twice"))
    return {term: next(filter(None, (_difference(b, a, term, what) for a, b, what in pairs)), "") for term in pairs[0][0]}


def sign(case: Case) -> Problems:
    """Terms are finite, and only those that the class lists in `signed` may be negative."""
    problems: Problems = {}
    for n, progress in BATCHES:
        for term, number in case.values(*case.batch(n, progress)).items():
            wrong = not math.isfinite(number) or (number < -TINY and term not in case.kind.signed)
            problems[term] = problems.get(term) or (f"got {number:.6g}, expected a finite number >= 0" if wrong else "")
    return problems


def has_gradient(case: Case) -> Problems:
    """Each term has a nonzero gradient, except penalties if the settings give them a weight of 0."""
    if not len(case.weights):
        return {}
    gradients = {t: g for t, g in case.gradients().items() if t == "reconstruction" or not case.unpenalised}
    return {term: "" if gradient.any() else "its gradient is zero for every weight" for term, gradient in gradients.items()}


def no_side_effects(case: Case) -> Problems:
    """Computing terms changes neither images nor noise nor weights, and a second computation gives the same values."""
    x, noise = case.batch()
    state = case.model.state_dict()
    inputs = {"the images": x, **{f"noise {i}": part for i, part in enumerate(noise)}, **state}
    before = {name: part.clone() for name, part in inputs.items()}
    with torch.no_grad():
        first = {name: term.item() for name, term in case.model.terms(x, noise).items()}
    changed = [name for name, part in inputs.items() if not torch.equal(part, before[name])]
    for name, part in inputs.items():
        part.copy_(before[name])
    second = case.values(x, noise)
    return {
        term: f"changes {changed[0]}" if changed else _difference(second, first, term, " the second time") for term in first
    }


@torch.no_grad()
def shape(case: Case) -> Problems:
    """Codes have shape (n, latent_dim), reconstructions (n, d), and both are finite."""
    problem = ""
    for n in (1, RAGGED):
        x, _ = case.batch(n)
        code = case.model.encode(x)
        problem = problem or _wrong_shape("encode", code, (n, case.model.latent_dim))
        problem = problem or _wrong_shape("decode", case.model.decode(code), (n, case.pixels))
    return dict.fromkeys(case.values(*case.batch()), problem)


CHECKS: dict[str, Callable[[Case], Problems]] = {
    c.__name__: c for c in (value, gradient, mean, sign, has_gradient, no_side_effects, shape)
}


def _difference(values: dict[str, float], expected: dict[str, float], term: str, what: str) -> str:
    if term not in expected:
        return "is not among the oracle's terms"
    if term not in values:
        return "is missing"
    a, b = values[term], expected[term]
    return "" if a == b or abs(a - b) <= EXACT * abs(b) + TINY else f"got {a:.6g}{what}, expected {b:.6g}"


def _slopes(case: Case) -> Iterator[dict[str, Slope]]:
    """Yield the slopes of each term along random directions, with other images for each direction."""
    generator = Streams(0).torch("evaluation")
    for i in range(DIRECTIONS):
        direction = torch.randn(len(case.weights), generator=generator, dtype=torch.float64)
        ahead, behind = (case.values_at(step * direction, RAGGED + i) for step in (STEP, -STEP))
        yield {
            term: Slope((gradient @ direction).item(), (ahead[term] - behind[term]) / (2 * STEP), _scale(gradient, ahead[term]))
            for term, gradient in case.gradients(RAGGED + i).items()
        }


def _scale(gradient: Tensor, term: float) -> float:
    return max(gradient.norm().item(), 0.1 * abs(term), TINY)


def _repeat(x: Tensor, noise: tuple[Tensor, ...], times: int) -> tuple[Tensor, tuple[Tensor, ...]]:
    return torch.cat([x] * times), tuple(torch.cat([part] * times) for part in noise)


def _wrong_shape(method: str, result: Tensor, expected: tuple[int, ...]) -> str:
    if tuple(result.shape) != expected:
        return f"{method} returns shape {tuple(result.shape)}, expected {expected}"
    return "" if result.isfinite().all() else f"{method} returns numbers that are not finite"
