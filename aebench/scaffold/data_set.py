"""Create the settings of a new data set: look at its files and write conf/<name>.yaml with untuned settings."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from aebench import config, data
from aebench.data.base import Raw, Source
from aebench.data.labels import listed
from aebench.data.splits import divide
from aebench.errors import InputError, check_names
from aebench.scaffold import file_formats
from aebench.storage import RESERVED_DATASETS, About, Split, atomic_write
from aebench.storage.yaml_files import edit_yaml

TEMPLATE = Path(__file__).parent / "data_set.yaml.txt"
DARK = 2.0**-20
"""A power of two below any real pixel value, so that scaling is exact."""
WHITES = (1, 15, 16, 31, 63, 100, 127, 255, 1023, 4095, 65535)
"""Usual values of white."""
LEVEL_IMAGES = 2000
"""Number of images whose grey levels are counted."""
CONTINUOUS = 256
"""Number of grey levels of images whose pixels are not multiples of a step."""
MOST_LEVELS = 65536
"""Number of steps from black to white from which pixels are considered continuous."""
MISSING = ("nan", "none", "null", "na", "n/a", "<na>", "nat")
"""What programs write for a missing label, in lower case."""
SHARES = ((0.1, 0.2), (0.2, 0.2), (0.25, 0.25), (0.5, 0.34))
"""Fractions of the images for validation and test: the first that give every class an image in each split."""
SMALL, UPDATES, FEWEST_EPOCHS, MOST_EPOCHS = 10_000, 3000, 10, 100
"""Training sets below `SMALL` images have batches of 64, others of 128, and enough epochs for `UPDATES` updates."""
NARROW, WIDE = 256, 4096
"""Pixels from which codes and layers have the sizes of MNIST, and from which overcomplete codes are left out."""


@dataclass(frozen=True)
class NewData:
    """The file that was written, and one line per guess."""

    file: Path
    guesses: list[str]


def new_data(name: str, paths: list[str], label: str | None = None, title: str | None = None) -> NewData:
    """Write conf/<name>.yaml for these files: CSV, npz, IDX, or folders of pictures.

    Raises `InputError`, before anything is written, for an invalid or used name, and for files that cannot be read or used.
    """
    check_names([name], "NAME", RESERVED_DATASETS)
    known = {file.stem.lower(): file for file in config.CONF.glob("*.yaml")}
    if name.lower() in known:
        raise InputError(f"NAME must be new, got {name!r}: {known[name.lower()]} exists and is not overwritten")
    file = config.CONF / f"{name}.yaml"
    block = file_formats.settings(paths, label) | {"title": title or data.title(name), "licence": "not stated"}
    official = any(key.startswith("test_") for key in block)
    raw = _raw_pixels(block | ({} if official else {"test": 0.2}), f"{file}:data")
    block |= dict(zip(("minimum", "maximum"), value_range(_every(raw)), strict=True))
    levels = grey_levels(raw.train.images[:LEVEL_IMAGES], block["minimum"], block["maximum"])
    block, splits, raw = _with_splits(block, official, f"{file}:data")
    about = raw.about
    values = _values(name, len(splits["train"].labels), about) | {"levels": levels}
    values["data"] = "\n".join(f"  {key}: {_scalar(value)}" for key, value in block.items())
    values["images"] = sum(len(split.labels) for split in splits.values())
    text = Template(TEMPLATE.read_text()).substitute(values)
    with atomic_write(file) as partial:
        partial.write_text(text, encoding="utf-8")
        with edit_yaml(partial) as document:
            models = document["models"]
            overcomplete = [model for model, each in models.items() if each.get("latent_dim") == values["wide"]]
            for model in overcomplete if about.pixels > WIDE else []:
                del models[model]
    return NewData(file, [*_guesses(block, splits, values, about, official), *raw.notes])


def value_range(parts: Iterable[np.ndarray]) -> tuple[float, float]:
    """Return the values of black and white of pixels: usual ones if they fit, otherwise the smallest and the largest pixel."""
    extremes = [(float(part.min()), float(part.max())) for part in parts]
    low, high = min(pair[0] for pair in extremes), max(pair[1] for pair in extremes)
    if not (np.isfinite(low) and np.isfinite(high)) or low == high:
        raise InputError(f"pixels must be finite numbers that differ, got {low:g} to {high:g}")
    if low < 0:
        return (-1, 1) if low >= -1 and 0 < high <= 1 else (_plain(low), _plain(high))
    white = next((white for white in WHITES if white >= high), high)
    return 0, _plain(white if high >= white / 2 else high)


def grey_levels(pixels: np.ndarray, black: float, white: float) -> int:
    """Return the number of grey levels from black to white if all pixels are multiples of a step, else `CONTINUOUS`."""
    values = np.unique(pixels).astype(float)
    if len(values) < 2:
        return 2
    count = round((white - black) / np.diff(values).min())
    steps = (values - black) / (white - black) * count
    return count + 1 if count < MOST_LEVELS and np.abs(steps - steps.round()).max() < 0.01 else CONTINUOUS


def _raw_pixels(block: dict[str, Any], path: str) -> Raw:
    """Read the images with the values of their files. White is set to `DARK`, because sources reject values far below white."""
    source = data.check(block | {"validation": 0.1}, path)
    raw = source.model_copy(update={"maximum": DARK, "minimum": 0.0}).read()
    train, test = (
        replace(split, images=split.images * np.float32(DARK)) if isinstance(split, Split) else split
        for split in (raw.train, raw.test)
    )
    return replace(raw, train=train, test=test)


def _every(raw: Raw) -> list[np.ndarray]:
    return [split.images for split in (raw.train, raw.test) if isinstance(split, Split)]


def _with_splits(block: dict[str, Any], official: bool, path: str) -> tuple[dict[str, Any], dict[str, Split], Raw]:
    """Add the first shares for validation and test with which every class has an image in each split."""
    for validation, test in SHARES:
        chosen = block | {"validation": validation} | ({} if official else {"test": test})
        source: Source = data.check(chosen, path)
        raw = data.read(source)
        try:
            return chosen, divide(raw, source, path), raw
        except InputError as error:
            failure = error
    raise failure


def _values(name: str, images: int, about: About) -> dict[str, Any]:
    batch_size = 64 if images < SMALL else 128
    batches = ceil(images / batch_size)
    epochs = min(max(ceil(UPDATES / batches), FEWEST_EPOCHS), MOST_EPOCHS)
    small, pixels = about.pixels < NARROW, about.pixels
    layer = epochs // 5
    return {
        "name": name,
        "title": about.title,
        "shape": " x ".join(map(str, about.shape)) + " pixels",
        "classes": f"{len(about.classes)} classes",
        "pixels": pixels,
        "batch_size": batch_size,
        "batches": batches,
        "epochs": epochs,
        "search_epochs": epochs if images < SMALL else max(epochs // 3, 1),
        "narrow": min(8, max(pixels // 4, 1)) if small else 30,
        "wide": min(2 * pixels, max(1000, pixels + pixels // 4)),
        "hidden": 128 if small else 512,
        "half": 64 if small else 256,
        "layer_epochs": layer,
        "stack_epochs": epochs - 3 * layer,
    }


def _guesses(
    block: dict[str, Any], splits: dict[str, Split], values: dict[str, Any], about: About, official: bool
) -> Iterator[str]:
    yield f"{values['images']:,} images of {values['shape']} in {values['classes']}: {listed(about.classes)}"
    guessed = ("images", "label", "size", "grey", "background")
    read = ", ".join(f"{key} {value}" for key, value in block.items() if key in guessed)
    yield f"read as {block['source']}" + (f" with {read}" if read else "")
    yield f"black is {block['minimum']:g} and white {block['maximum']:g}; {values['levels']} grey levels"
    if missing := [name for name in about.classes if name.lower() in MISSING]:
        yield f"a class is called {missing[0]}: if that means a missing label, remove its images"
    counts = ", ".join(f"{len(split.labels):,} {name}" for name, split in splits.items())
    chosen = "those given" if official else f"a random {block['test']:.0%}"
    yield f"{counts} images; the test images are {chosen}"
    yield f"{values['epochs']} epochs of {values['batches']} batches; the learning rate of 0.001 is not tuned"
    if values["pixels"] > WIDE:
        yield f"no overcomplete models: their codes would have more than {WIDE:,} units"


def _plain(value: float) -> float:
    return int(value) if float(value).is_integer() else float(value)


def _scalar(value: Any) -> str:
    return value if value in ("csv", "npz", "idx", "folder") else json.dumps(value, ensure_ascii=False)
