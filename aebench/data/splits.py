"""Train, validation and test: held out by class, so that every split has every class in the proportion of the whole.

Each class gives its share of the images held out, rounded by largest remainder (ties go to the lower class). Which of its
images go is drawn from stream `split` of `split_seed`: step 0 for test, step 1 for validation. Images keep their order.
"""

import numpy as np

from aebench.data.base import Raw, Source
from aebench.errors import InputError
from aebench.randomness import Streams
from aebench.runs import SPLITS, Split


def divide(raw: Raw, source: Source, path: str) -> dict[str, Split]:
    """The splits by name; an official test set stays as it is. `path` is where the block was written, for errors."""
    streams, train, test = Streams(source.split_seed), raw.train, raw.test
    if not isinstance(test, Split):
        train, test = _hold_out(train, test, streams.numpy("split", 0), f"{path}.test")
    train, validation = _hold_out(train, source.validation, streams.numpy("split", 1), f"{path}.validation")
    return dict(zip(SPLITS, (train, validation, test), strict=True))


def _hold_out(split: Split, amount: int | float, rng: np.random.Generator, where: str) -> tuple[Split, Split]:
    n = len(split.labels)
    sizes = np.bincount(split.labels)
    take = shares(sizes, amount if isinstance(amount, int) else round(amount * n))
    wrong = np.flatnonzero((take < 1) | (take >= sizes))
    if wrong.size:
        got = f"{amount}, which takes {take[wrong[0]]} of the {sizes[wrong[0]]} images of class {wrong[0]}"
        raise InputError(f"{where} must take and leave an image of every class, got {got}")
    order = np.lexsort((rng.random(n), split.labels))
    place = np.arange(n) - (np.cumsum(sizes) - sizes)[split.labels[order]]
    held = np.empty(n, dtype=bool)
    held[order] = place < take[split.labels[order]]
    return tuple(Split(split.images[chosen], split.labels[chosen]) for chosen in (~held, held))


def shares(sizes: np.ndarray, count: int) -> np.ndarray:
    """How many of `count` images each class gives, in proportion to `sizes` (classes,); they sum to `count`."""
    exact = sizes * count / sizes.sum()
    take = np.floor(exact).astype(int)
    take[np.argsort(take - exact, kind="stable")[: count - take.sum()]] += 1
    return take
