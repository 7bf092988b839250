"""Labels of user-provided data, and the classes that they mean.

Labels are compared as text, so the integer 1 of one file is the label "1" of another. Without `classes`, the classes are the
distinct training labels, in the order of their numbers if all are integers. With `classes`, labels that are all among them are
names, and otherwise indices into them; an integer that could be the name of one class and the index of another is an error.
"""

import re
from collections.abc import Iterable

import numpy as np

from aebench.errors import InputError

LONGEST = 100
WHOLE, SIGNED = re.compile("0|-?[1-9][0-9]*"), re.compile("[+-]?[0-9]+")
"""Integers as they are printed, and as they may be written."""
SHOWN = 10
"""Number of classes that an error message lists."""


def class_indices(labels: np.ndarray, classes: list[str] | None, file: str) -> dict[str, int]:
    """Return the index of the class of each possible label, as text; `labels` (n,) are those of the training images.

    Text is a name if all labels can be names. Raises `InputError` if an integer could be a name and another class's index.
    """
    distinct = texts(np.unique(labels))
    check_names(distinct, f"{file}: names of classes")
    _check_spelling([label for label in distinct if label not in (classes or ())], file)
    if classes is None:
        order = sorted(distinct, key=int) if all(map(WHOLE.fullmatch, distinct)) else distinct
        return {label: index for index, label in enumerate(order)}
    by_name = {name: index for index, name in enumerate(classes)}
    by_index = {str(index): index for index in range(len(classes))}
    if labels.dtype.kind == "b":
        by_index = {"False": 0, "True": 1}
    named, indexed = by_name.keys() >= set(distinct), by_index.keys() >= set(distinct)
    if named and (labels.dtype.kind == "U" or not indexed):
        return by_name
    for label in distinct if indexed else ():
        if by_name.get(label, by_index[label]) != by_index[label]:
            constraint = f"not contain {label}, which is also the label of '{classes[by_index[label]]}' in {file}"
            remedy = "use other names, or labels that are all names"
            raise InputError(f"data.classes must {constraint} ({remedy}), got {listed(classes)}")
    return by_index if indexed or all(map(WHOLE.fullmatch, distinct)) else by_name


def as_indices(labels: np.ndarray, indices: dict[str, int], file: str) -> np.ndarray:
    """Convert labels (n,) to class indices (n,) int64; raises `InputError` for a label that is not in `indices`."""
    distinct, inverse = np.unique(labels, return_inverse=True)
    for label in (written := texts(distinct)):
        if label not in indices:
            raise InputError(f"{file}: labels must be one of {listed(indices)}, got {label!r}")
    return np.array([indices[label] for label in written], dtype=np.int64)[inverse]


def _check_spelling(distinct: list[str], file: str) -> None:
    """Raise `InputError` if an integer is written in two ways, such as 1 and 01; names in `classes` may be."""
    spellings: dict[int, str] = {}
    for label in filter(SIGNED.fullmatch, distinct):
        if (other := spellings.setdefault(int(label), label)) != label:
            raise InputError(f"{file}: labels must be written in one way, got {other!r} and {label!r} for the same integer")


def texts(labels: np.ndarray) -> list[str]:
    """Return labels as text, integers without a sign or leading zeros."""
    return [str(label) for label in labels.tolist()]


def check_names(names: Iterable[str], what: str) -> None:
    """Raise `InputError` unless these names of classes can be printed in a table."""
    for name in names:
        if name != name.strip() or not name.isprintable() or not 1 <= len(name) <= LONGEST:
            got = f"got {name!r}" if len(name) <= LONGEST else f"got {len(name)} characters"
            raise InputError(f"{what} must be 1 to {LONGEST} printable characters without spaces at the ends, {got}")


def listed(names: Iterable[str]) -> str:
    """The first names, separated by commas."""
    first = list(names)
    more = f", ... ({len(first)} in all)" if len(first) > SHOWN else ""
    return ", ".join(first[:SHOWN]) + more
