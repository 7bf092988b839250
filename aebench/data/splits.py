"""Stratified splits: train, validation and test have the same class proportions.

The numbers of images held out per class are rounded by the largest-remainder method (ties go to the lower class index). The
images are drawn from the stream `split` of `split_seed`: step 0 for test, step 1 for validation. Their order is kept. With
`hold_out: last` the validation images are the last ones instead, as in the customary 50,000 / 10,000 images of MNIST.
"""

from collections.abc import Sequence

import numpy as np

from aebench.data.base import Raw, Source
from aebench.data.binarised import binarise
from aebench.errors import InputError
from aebench.randomness import Streams
from aebench.storage import SPLITS, Split


def divide(raw: Raw, source: Source, path: str) -> dict[str, Split]:
    """Return the splits by name, with binary images if the settings say so. `path` is where the settings are written.

    An official test set stays whole.
    """
    streams, train, test = Streams(source.split_seed), raw.train, raw.test
    if not isinstance(test, Split):
        train, test = _hold_out(train, test, streams.numpy("split", 0), f"{path}.test", raw.about.classes)
    if source.hold_out == "last":
        train, validation = _last(train, source.validation, f"{path}.validation")
    else:
        rng = streams.numpy("split", 1)
        train, validation = _hold_out(train, source.validation, rng, f"{path}.validation", raw.about.classes)
    splits = dict(zip(SPLITS, (train, validation, test), strict=True))
    return splits if source.binarised is None else binarise(splits, source.binarised, source.split_seed)


def _hold_out(
    split: Split, amount: int | float, rng: np.random.Generator, where: str, classes: Sequence[str]
) -> tuple[Split, Split]:
    n = len(split.labels)
    sizes = np.bincount(split.labels)
    take = shares(sizes, amount if isinstance(amount, int) else round(amount * n))
    wrong = np.flatnonzero((take < 1) | (take >= sizes))
    if wrong.size:
        got = f"{amount}, which takes {take[wrong[0]]} of the {sizes[wrong[0]]} images of class {classes[wrong[0]]}"
        raise InputError(f"{where} must take and leave at least one image of every class, got {got}")
    order = np.lexsort((rng.random(n), split.labels))
    rank = np.arange(n) - (np.cumsum(sizes) - sizes)[split.labels[order]]
    held = np.empty(n, dtype=bool)
    held[order] = rank < take[split.labels[order]]
    return tuple(Split(split.images[chosen], split.labels[chosen]) for chosen in (~held, held))


def _last(split: Split, amount: int | float, where: str) -> tuple[Split, Split]:
    """Divide the images into the first ones and the last `amount`, a number or a fraction."""
    n = len(split.labels)
    start = n - (amount if isinstance(amount, int) else round(amount * n))
    parts = [Split(split.images[part], split.labels[part]) for part in (slice(None, max(start, 0)), slice(max(start, 0), None))]
    if {tuple(np.unique(part.labels)) for part in parts} != {tuple(np.unique(split.labels))}:
        raise InputError(f"{where} must take and leave at least one image of every class, got {amount} of {n} images")
    return tuple(parts)


def shares(sizes: np.ndarray, count: int) -> np.ndarray:
    """Divide `count` images among the classes in proportion to `sizes` (classes,); the result sums to `count`."""
    exact = sizes * count / sizes.sum()
    take = np.floor(exact).astype(int)
    take[np.argsort(take - exact, kind="stable")[: count - take.sum()]] += 1
    return take


def stratified_subset(labels: np.ndarray, fraction: float, seed: int) -> list[int]:
    """Return indices of a stratified `fraction` of the images, with at least as many images as classes.

    scikit-learn draws them if the subset and the rest can both have an image of every class.
    """
    from sklearn.model_selection import train_test_split

    sizes = np.bincount(labels)
    classes = np.count_nonzero(sizes)
    size = max(round(fraction * len(labels)), classes)
    if len(labels) - size < classes or sizes[sizes > 0].min() < 2:
        counts = np.minimum(np.maximum(shares(sizes, min(size, len(labels))), 1), sizes)
        return draw_per_class(labels, counts, Streams(seed).numpy("labels")).tolist()
    state = Streams(seed).state("labels") % 2**32
    return train_test_split(range(len(labels)), train_size=size, stratify=labels, random_state=state)[0]


def draw_per_class(labels: np.ndarray, counts: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return indices, shuffled, of `counts` (C,) images of each class; of all if a class has fewer."""
    order = generator.permutation(len(labels))
    rank = (labels[order][:, None] == np.arange(len(counts))).cumsum(0)[np.arange(len(labels)), labels[order]]
    return order[rank <= counts[labels[order]]]
