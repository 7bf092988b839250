"""The CSV tables of a report, as other parts of the reports read them."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from aebench import storage
from aebench.reporting.terminal import damaged

if TYPE_CHECKING:
    from pandas import DataFrame

NUMBERS = ("mean", "sd", "half_width", "n")
"""The fields of an estimate, which are columns or, after the name of a metric, parts of their names."""


def read(file: Path, *texts: str) -> "DataFrame":
    """Return a table; an empty cell is "" in the columns `texts`, which it must have, and NaN in others.

    A model may be called NA or null. Raises `InputError` if the file is missing or is not such a table.
    """
    from pandas import read_csv
    from pandas.api.types import is_numeric_dtype

    try:
        with storage.written(file).open(newline="", encoding="utf-8") as stream:
            header, *rows = [line for line in csv.reader(stream) if line] or [[]]
    except (UnicodeDecodeError, csv.Error) as error:
        raise damaged(file, f"{type(error).__name__}: {error}") from None
    if missing := [name for name in texts if name not in header]:
        raise damaged(file, f"no column {missing[0]}")
    if odd := [row for row in rows if len(row) != len(header)]:
        raise damaged(file, f"{len(odd[0])} instead of {len(header)} values in the row {','.join(odd[0])[:40]!r}")
    table = read_csv(file, dtype=dict.fromkeys(texts, str), keep_default_na=False, na_values=[""])
    numbers = [name for name in table if name.rpartition(".")[2] in NUMBERS] if rows else []
    if wrong := [name for name in numbers if not is_numeric_dtype(table[name])]:
        raise damaged(file, f"text in the column {wrong[0]}")
    return table.fillna(dict.fromkeys(texts, ""))
