"""Digits: 1797 handwritten digits of 8 x 8 pixels, included in scikit-learn.

Each pixel is the number of black dots (0 to 16) in a 4 x 4 block of a 32 x 32 scan. The images are the test set of the UCI
data set.
"""

import math

import numpy as np

from aebench.data.base import Amount, Raw, Source
from aebench.storage import About, Split

SHAPE = (8, 8)
WHITE = 16.0


class Digits(Source):
    """Optical recognition of handwritten digits; pixels are divided by 16."""

    test: Amount
    """Number or fraction of all images to hold out as a test set."""

    @property
    def pixels(self) -> int:
        """Number of values per image."""
        return math.prod(SHAPE)

    @property
    def white(self) -> float:
        """Return 16, shown as white: all 16 dots of a block are black in the scan."""
        return WHITE

    def read(self) -> Raw:
        """Read all 1797 images."""
        from sklearn.datasets import load_digits

        digits = load_digits()
        about = About(
            title="Digits (scikit-learn)",
            shape=SHAPE,
            classes=tuple(str(c) for c in digits.target_names),
            source="Alpaydin & Kaynak (1998), Optical Recognition of Handwritten Digits, UCI, doi:10.24432/C50P49",
            licence="CC BY 4.0",
        )
        return Raw(Split(np.float32(digits.data / WHITE), digits.target.astype(np.int64)), about, self.test)
