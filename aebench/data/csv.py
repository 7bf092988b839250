"""CSV files with one image per line; one column is the label, the others are the pixels in row-major order."""

import io
from typing import TYPE_CHECKING, ClassVar

from aebench.data import external
from aebench.data.base import Raw
from aebench.data.custom import Arrays, Labelled
from aebench.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


class Csv(Arrays):
    """A CSV file with a header, optionally gzip-compressed."""

    OFFICIAL: ClassVar = ("test_path",)
    path: str
    label: str
    """Name of the column that contains the labels."""
    test_path: str | None = None

    def read(self) -> Raw:
        """Read the images of one file, or of separate training and test files."""
        return self.raw(self.path, self._load(self.path), self.test or self._load(self.test_path))

    def _load(self, path: str) -> Labelled:
        frame = _table(path)
        if self.label not in frame:
            some = ", ".join(frame.columns[:3])
            raise InputError(f"data.label must be a column of {path} ({some}, ... {frame.shape[1]} in all), got '{self.label}'")
        labels = frame.pop(self.label)
        if labels.isna().any():
            raise InputError(f"{path}: column '{self.label}' must be filled, got nothing for image {labels.isna().argmax()}")
        names = labels.to_numpy()
        return self.normalise(_numbers(frame, path), names.astype(str) if names.dtype.kind == "O" else names, path)


def _numbers(frame: "pd.DataFrame", path: str) -> "np.ndarray":
    import pandas as pd

    for name, column in frame.select_dtypes(exclude=["number", "bool"]).items():
        text = column[pd.to_numeric(column, errors="coerce").isna()].iloc[0]
        raise InputError(f"{path}: column '{name}' must be numbers, got {text!r}")
    return frame.to_numpy()


def _table(path: str) -> "pd.DataFrame":
    import pandas as pd

    content = io.BytesIO(external.read(external.locate(path)))
    try:
        frame = pd.read_csv(content, keep_default_na=False, na_values=[""])
    except ValueError as failure:
        raise InputError(f"{path} must be a CSV file with a header, got: {' '.join(str(failure).split())}") from None
    if frame.empty:
        raise InputError(f"{path} must be a CSV file with one image per line, got {frame.shape[0]} lines below the header")
    return frame
