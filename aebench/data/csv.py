"""CSV files with one image per line; one column is the label, the others are the pixels in row-major order.

pandas reads the lines. It uses surplus values as row names, and fills missing ones with NaN, silently; the header is
therefore read here, and a table that does not fit it is read a second time to find the line at fault.
"""

import csv
import io
import re
import warnings
from typing import TYPE_CHECKING, ClassVar

from aebench.data import external
from aebench.data.base import Raw
from aebench.data.custom import Arrays, Labelled
from aebench.data.labels import check_names
from aebench.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

LARGEST = 2**53
NUMBER = re.compile(r"[0-9]+")
FEWEST = 5
"""Minimum number of images for recognising a column that numbers the lines, which is not a pixel."""


class Csv(Arrays):
    """A CSV file with a header, optionally gzip-compressed. The columns of a test file may be in another order."""

    OFFICIAL: ClassVar = ("test_path",)
    path: str
    label: str
    """Name of the column that contains the labels."""
    test_path: str | None = None

    def read(self) -> Raw:
        """Read the images of one file, or of separate training and test files."""
        table = _table(self.path, self.label)
        _check_order([name for name in table if name != self.label], self.path)
        train = self._labelled(table, self.path)
        if self.test_path is None:
            return self.raw(self.path, train, self.test)
        test = _table(self.test_path, self.label)
        if different := sorted(set(test) ^ set(table)):
            count = f", in {len(different)} columns" if different[1:] else ""
            where = f"only in {self.path if different[0] in table else self.test_path}"
            raise InputError(f"{self.test_path} must have the columns of {self.path}, got '{different[0]}' {where}{count}")
        return self.raw(self.path, train, self._labelled(test[list(table)], self.test_path))

    def _labelled(self, table: "pd.DataFrame", path: str) -> Labelled:
        pixels = table.drop(columns=self.label)
        return self.normalise(pixels.to_numpy(), _labels(table[self.label], path), path)


def _labels(column: "pd.Series", path: str) -> "np.ndarray":
    """Return labels as text; raises `InputError` for fractions."""
    import numpy as np
    import pandas as pd

    names = column.str.strip()
    distinct = pd.Series(names.unique())
    check_names(distinct, f"{path}: labels")
    if pd.to_numeric(distinct, errors="coerce").notna().all() and not distinct.str.fullmatch("[+-]?[0-9]+").all():
        got = distinct[~distinct.str.fullmatch("[+-]?[0-9]+")].iloc[0]
        raise InputError(f"{path}: labels must be integers or names, got {got!r}")
    return np.array(names.tolist(), dtype=str)


def _table(path: str, label: str) -> "pd.DataFrame":
    """Read the lines of a CSV file; raises `InputError` unless each has a label, and a number for every other column."""
    content = external.read(external.locate(path))
    try:
        header, table = _read(content, path, label)
        if table is None or not _fits(table, header, label):
            _find_mistake(content, path, header, label)
            raise InputError(
                f"{path} must be a CSV file with {len(header)} columns of numbers, got one that pandas cannot read"
            )
    except InputError:
        raise
    except (ValueError, csv.Error) as failure:
        raise InputError(f"{path} must be a CSV file with a header in UTF-8, got: {failure}") from None
    table.columns = header
    _check_counters(table, path, label)
    return table


def _read(content: bytes, path: str, label: str) -> "tuple[list[str], pd.DataFrame | None]":
    """Return the header, and the table below it, without names; None if pandas cannot read it. The labels are text."""
    import pandas as pd

    stream = _text(content)
    header = _header(stream, path, label)
    options = {"keep_default_na": False, "na_values": [""], "skipinitialspace": True, "dtype": {header.index(label): str}}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # columns with words, which `_find_mistake` reports
            return header, pd.read_csv(stream, header=None, **options)
    except pd.errors.EmptyDataError:
        raise InputError(f"{path} must be a CSV file with one image per line, got 0 lines below the header") from None
    except pd.errors.ParserError:
        return header, None


def _fits(table: "pd.DataFrame", header: list[str], label: str) -> bool:
    """Whether a table has a value in each cell, and finite numbers in all columns but the label."""
    import numpy as np

    if table.shape[1] != len(header) or table.isna().any(axis=None):
        return False
    pixels = table.drop(columns=header.index(label))
    return len(pixels.select_dtypes("number").columns) == pixels.shape[1] and bool(np.isfinite(pixels.to_numpy()).all())


def _text(content: bytes) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(content), "utf-8-sig", newline="")


def _header(stream: io.TextIOWrapper, path: str, label: str) -> list[str]:
    """Read the names of the columns, which must be distinct."""
    header = next((line for line in csv.reader(stream, skipinitialspace=True) if line), None)
    if header is None:
        raise InputError(f"{path} must be a CSV file with a header, got an empty file")
    names = [name.strip() for name in header]
    if label not in names:
        some = ", ".join(names[:3])
        raise InputError(f"data.label must be a column of {path} ({some}, ... {len(names)} in all), got '{label}'")
    if "" in names:
        remedy = "write the file without row names, and without a comma at the end of a line"
        raise InputError(f"{path} must have a name for every column ({remedy}), got none for column {names.index('') + 1}")
    if twice := [name for name in names if names.count(name) > 1]:
        remedy = "is the first line an image instead of the header?"
        raise InputError(f"{path} must have a header of distinct names ({remedy}), got '{twice[0]}' twice")
    return names


def _check_order(names: list[str], path: str) -> None:
    """Raise `InputError` if numbers in otherwise equal names do not increase, as in p0, p1, p10, p11, ..., p2.

    Names with two numbers, such as x0y0, may begin with the row or with the column.
    """
    if len({NUMBER.sub("#", name) for name in names}) > 1:
        return
    numbers = [[int(number) for number in NUMBER.findall(name)] for name in names]
    for order in (numbers, [number[::-1] for number in numbers]):
        wrong = [i for i in range(1, len(order)) if order[i] <= order[i - 1]]
        if not wrong:
            return
    first, second = names[wrong[0] - 1], names[wrong[0]]
    raise InputError(f"{path} must have the columns of the pixels in row-major order, got '{first}' before '{second}'")


def _check_counters(table: "pd.DataFrame", path: str, label: str) -> None:
    """Raise `InputError` if a column counts the lines: an index of a table is not a pixel."""
    import numpy as np

    if len(table) < FEWEST:
        return
    for name in table.columns[table.columns != label]:
        if table[name].iloc[1] - table[name].iloc[0] == 1 and (np.diff(table[name].to_numpy()) == 1).all():
            raise InputError(f"{path} must have no columns but the label and the pixels, got '{name}', which counts the lines")


def _find_mistake(content: bytes, path: str, header: list[str], label: str) -> None:
    """Raise `InputError` for the first line that does not fit the header, or has an empty cell or a word as a pixel."""
    lines = csv.reader(_text(content), skipinitialspace=True)
    next(line for line in lines if line)
    end = lines.line_num
    for line in lines:
        where, end = f"line {end + 1}", lines.line_num
        if not line:
            continue
        if len(line) != len(header):
            hint = " (a line must have no row name, and no comma at its end)" if len(line) == len(header) + 1 else ""
            raise InputError(
                f"{path} must have {len(header)} values per line, like the header{hint}, got {len(line)} in {where}"
            )
        for name, cell in zip(header, line, strict=True):
            if not cell.strip():
                raise InputError(f"{path}: column '{name}' must be filled, got nothing in {where}")
            if name != label and not _is_number(cell):
                raise InputError(f"{path}: column '{name}' must be numbers, got {cell!r} in {where}")


def _is_number(cell: str) -> bool:
    try:
        return abs(float(cell)) < LARGEST and "_" not in cell
    except ValueError:
        return False
