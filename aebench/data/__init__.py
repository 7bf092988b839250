"""The registry of data sources, and `prepare`, which turns the `data:` block of conf/<dataset>.yaml into data/<dataset>/.

User-provided images need no code: `idx`, `npz`, `csv` and `folder` read the files named in the block. Any other source is a
subclass of `aebench.data.base.Source`, registered by an entry here or by an entry point of the group `aebench.datasets`.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from aebench import config, storage
from aebench.data.base import Raw, Source, accept
from aebench.data.binarised import NOTES
from aebench.data.card import describe, mean_images
from aebench.data.splits import divide
from aebench.errors import InputError
from aebench.registry import Registry

SOURCES = Registry(
    "aebench.datasets",
    {
        "digits": "aebench.data.digits:Digits",
        "mnist": "aebench.data.mnist:Mnist",
        "fashion_mnist": "aebench.data.fashion_mnist:FashionMnist",
        "idx": "aebench.data.idx:Idx",
        "npz": "aebench.data.npz:Npz",
        "csv": "aebench.data.csv:Csv",
        "folder": "aebench.data.folder:Folder",
    },
)


def check(settings: dict[str, Any], path: str) -> Source:
    """Return the source described by a `data:` block, without reading its files; `path` is where the block is written."""
    name = str(settings.get("source", ""))
    try:
        schema = SOURCES.find(name, f"{path}.source")
    except InputError:
        raise
    except Exception as error:  # of any type, such as a syntax error: the module of a plug-in is imported
        got = f"'{name}': {type(error).__name__}: {error}"
        raise InputError(f"{path}.source must be a class that can be imported, got {got}") from error
    return config.check(schema, settings, path)


def read(source: Source) -> Raw:
    """Read `source` and check its images and labels, see `accept`."""
    raw = source.read()
    accept(raw.train, raw.about, f"{raw.about.source} (train)")
    if isinstance(raw.test, storage.Split):
        accept(raw.test, raw.about, f"{raw.about.source} (test)")
    return raw


def notes(dataset: str) -> list[str]:
    """Return what was skipped or changed when the data set was prepared; empty if it has not been prepared."""
    file = card_file(dataset)
    return storage.read_json(file).get("notes", []) if file.exists() else []


def card_file(dataset: str) -> Path:
    """Path of the data card."""
    return storage.DATA / dataset / "card" / "card.json"


def title(dataset: str) -> str:
    """Return the default title of a data set: its name in words."""
    words = dataset.replace("_", " ").strip()
    return words[0].upper() + words[1:]


def prepare(dataset: str) -> dict[str, storage.Split]:
    """Read, check, split and describe a data set; write data/<dataset>/ only if all of these succeed.

    What was skipped or changed is printed on stderr and noted in the data card.
    """
    path = f"{config.conf_file(dataset)}:data"
    source = check(config.dataset(dataset).data, path)
    raw = read(source)
    about = replace(raw.about, title=raw.about.title or title(dataset))
    splits = divide(raw, source, path)
    remarks = (*raw.notes, *([NOTES[source.binarised]] if source.binarised else []))
    card, pictures = describe(about, splits, remarks), mean_images(splits["train"])
    for name, split in splits.items():
        storage.save_split(dataset, name, split)
    storage.save_about(dataset, about)
    storage.write_json(card_file(dataset), card)
    storage.write_arrays(storage.DATA / dataset / "card" / "mean_images.npz", **pictures)
    for note in remarks:
        print(f"note: {note}", file=sys.stderr)
    return splits
