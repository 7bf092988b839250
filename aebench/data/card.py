"""The data card: origin and statistics of the images, for the report."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from aebench.storage import About, Split


def describe(about: About, splits: dict[str, Split], notes: Sequence[str] = ()) -> dict[str, Any]:
    """Return the content of card.json: origin, shape, training pixel statistics, a summary of each split, and `Raw.notes`."""
    mean, sd = pixel_moments(splits["train"].images)
    return {
        "title": about.title,
        "source": about.source,
        "licence": about.licence,
        "shape": list(about.shape),
        "classes": list(about.classes),
        "train_pixels": {"mean": mean, "sd": sd},
        "splits": {name: _describe_split(split, about.classes) for name, split in splits.items()},
        "notes": list(notes),
    }


def _describe_split(split: Split, classes: tuple[str, ...]) -> dict[str, Any]:
    """Summarise a split: `balance` is the ratio of the smallest to the largest class size, `sha256` that of float32 images."""
    counts = np.bincount(split.labels, minlength=len(classes))
    return {
        "images": len(split.labels),
        "per_class": counts.tolist(),
        "balance": float(counts.min() / counts.max()),
        "sha256": hashlib.sha256(np.ascontiguousarray(split.images, dtype="<f4")).hexdigest(),
    }


def pixel_moments(images: np.ndarray) -> tuple[float, float]:
    """Return mean and standard deviation over all pixels of `images` (n, pixels), computed in float64."""
    mean = images.mean(dtype=np.float64)
    square = np.einsum("ij,ij->", images, images, dtype=np.float64) / images.size
    return float(mean), float(np.sqrt(max(square - mean**2, 0)))


def mean_images(train: Split) -> dict[str, np.ndarray]:
    """Return the mean training image, `overall` (pixels,) and per class, `by_class` (classes, pixels); float32."""
    by_class = [train.images[train.labels == c].mean(0, dtype=np.float64) for c in range(train.labels.max() + 1)]
    return {"overall": train.images.mean(0, dtype=np.float64).astype(np.float32), "by_class": np.float32(by_class)}
