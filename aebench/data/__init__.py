"""The table of contents of the data sources, and the way from a `data:` block of conf/<dataset>.yaml to data/<dataset>/.

Your own images need no code: `idx`, `npz`, `csv` and `folder` read them from files that the block names. Another kind of
source is one file, a subclass of `aebench.data.base.Source`, and one line here or an entry point of `aebench.datasets`.
"""

from typing import Any

from aebench import params, runs
from aebench.data.base import Raw, Source, accept
from aebench.data.card import describe, mean_images
from aebench.data.splits import divide
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


def check(block: dict[str, Any], path: str) -> Source:
    """The source a `data:` block describes, nothing read yet; `path` is where the block was written, for errors."""
    schema = SOURCES.find(str(block.get("source", "")), f"{path}.source")
    return params.check(schema, block, path)


def read(source: Source) -> Raw:
    """What `source` reads, held to the contract of `Raw`."""
    raw = source.read()
    accept(raw.train, raw.about, f"{raw.about.source} (train)")
    if isinstance(raw.test, runs.Split):
        accept(raw.test, raw.about, f"{raw.about.source} (test)")
    return raw


def prepare(dataset: str) -> dict[str, runs.Split]:
    """Read, check, divide and describe data set `dataset`, and only then write data/<dataset>/; returns the splits."""
    path = f"{params.conf_file(dataset)}:data"
    source = check(params.dataset(dataset).data, path)
    raw = read(source)
    splits = divide(raw, source, path)
    card, pictures = describe(raw.about, splits), mean_images(splits["train"])
    for name, split in splits.items():
        runs.save_split(dataset, name, split)
    runs.save_about(dataset, raw.about)
    runs.write_json(runs.DATA / dataset / "card" / "card.json", card)
    runs.write_arrays(runs.DATA / dataset / "card" / "mean_images.npz", **pictures)
    return splits
