"""Arguments of estimators: images in the forms in which users have them, value ranges, seeds and counts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_random_state

from aebench.data.picture import read_picture
from aebench.errors import InputError

LARGEST_SEED = 2**31
WHITE = 255


def read_pictures(paths: Sequence[str | Path], shape: tuple[int, ...]) -> np.ndarray:
    """Read pictures of a shape (height, width[, channels]) as (n, *shape) float32 in [0, 1]; they are not resized."""
    pictures = []
    for path in paths:
        if not Path(path).exists():
            raise InputError(f"{path} must be a picture, but no such file exists")
        picture, _ = read_picture(Path(path), grey=shape[2:] in ((), (1,)), background=None)
        pixels = np.asarray(picture if shape[2:] in ((), (1,)) else picture.convert("RGB"), np.float32)
        if pixels.size != np.prod(shape) or pixels.shape[:2] != shape[:2]:
            raise InputError(f"{path} must be a picture of shape {shape}, got {pixels.shape}")
        pictures.append(pixels.reshape(shape) / np.float32(WHITE))
    return np.stack(pictures)


def check_range(value_range: Any, name: str) -> tuple[float, float]:
    """Return the values of black and white; raises `InputError` unless they are two finite numbers in ascending order."""
    try:
        low, high = map(float, value_range)
    except (TypeError, ValueError):
        low, high = 0.0, -1.0
    if not -np.inf < low < high < np.inf:
        raise InputError(f"{name} must be (low, high) with finite numbers low < high, got {value_range!r}")
    return low, high


def integer(random_state: Any) -> int:
    """Return a seed: a non-negative integer is returned unchanged; otherwise one is drawn.

    It is drawn from a RandomState or, if `random_state` is None, from NumPy's global one. Raises `InputError` for other values.
    """
    if isinstance(random_state, (int, np.integer)) and random_state >= 0 and not isinstance(random_state, bool):
        return int(random_state)
    if random_state is None or hasattr(random_state, "randint"):
        return int(check_random_state(random_state).randint(LARGEST_SEED))
    raise InputError(f"random_state must be None, a non-negative integer or a RandomState, got {random_state!r}")


def count(value: Any, name: str) -> int:
    """Return a positive integer; raises `InputError` for other values."""
    if not isinstance(value, (int, np.integer)) or value < 1:
        raise InputError(f"{name} must be a positive integer, got {value!r}")
    return int(value)


def are_paths(images: Any) -> bool:
    """Whether `images` is a path or a list of paths."""
    paths = [images] if isinstance(images, (str, Path)) else images
    return isinstance(paths, (list, tuple)) and len(paths) > 0 and isinstance(paths[0], (str, Path))


def array(images: Any) -> Any:
    """Turn tensors, and lists of images, into arrays; other types are left to scikit-learn."""
    if isinstance(images, torch.Tensor):
        return images.detach().cpu().float().numpy()
    return np.asarray(images) if isinstance(images, (list, tuple)) and np.ndim(images) > 2 else images
