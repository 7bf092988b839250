"""A small data set and functions that write it to the current folder in every format that `aebench.data` reads."""

import gzip
import json
import struct
from pathlib import Path

import numpy as np
from PIL import Image

from aebench import config, data, storage

CLASSES = ("cat", "dog", "owl")
SIZES = (20, 30, 50)
LABELS = np.repeat(np.arange(3), SIZES)
IMAGES = np.random.default_rng(0).integers(0, 256, (100, 4, 4), dtype=np.uint8)
HELD = {"validation": 10, "test": 20}
MNIST = {"source": "mnist", "validation": 20}
TRAINING = {"epochs": 1, "batch_size": 1, "learning_rate": 0.1}


def write_conf(name: str, data: dict) -> None:
    """Write conf/<name>.yaml with these `data:` settings, as JSON, which is valid YAML."""
    config.CONF.mkdir(exist_ok=True)
    content = {"data": data, "training": TRAINING, "models": {"mean": {"kind": "mean_image"}}}
    content |= {block: {} for block in config.Dataset.may_be_empty}
    (config.CONF / f"{name}.yaml").write_text(json.dumps(content))


def idx_bytes(array: np.ndarray) -> bytes:
    """The uint8 `array` in IDX format."""
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.astype(np.uint8).tobytes()


def as_idx(images=IMAGES, labels=LABELS) -> dict:
    Path("images.idx.gz").write_bytes(gzip.compress(idx_bytes(images)))
    Path("labels.idx").write_bytes(idx_bytes(labels))
    return {"source": "idx", "images": "images.idx.gz", "labels": "labels.idx"}


def as_npz(images=IMAGES, labels=LABELS, **more: np.ndarray) -> dict:
    np.savez("data.npz", images=images, labels=labels, **more)
    return {"source": "npz", "path": "data.npz"}


def as_csv(images=IMAGES, labels=LABELS, name: str = "data.csv") -> dict:
    flat = images.reshape(len(images), -1)
    lines = [",".join(["kind", *(f"p{i}" for i in range(flat.shape[1]))])]
    lines += [",".join(map(str, [label, *pixels])) for label, pixels in zip(labels, flat.tolist(), strict=True)]
    Path(name).write_text("\n".join(lines) + "\n")
    return {"source": "csv", "path": name, "label": "kind", "maximum": 255}


def as_folder(images=IMAGES, labels=LABELS, name: str = "pictures") -> dict:
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        folder = Path(name) / CLASSES[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{i:03d}.png")
    return {"source": "folder", "path": name}


WRITERS = {"idx": as_idx, "npz": as_npz, "csv": as_csv, "folder": as_folder}


def bytes_of(write, path: str, change):
    """The files of `write` with the bytes of `path` changed."""

    def make() -> dict:
        settings = write()
        Path(path).write_bytes(change(Path(path).read_bytes()))
        return settings

    return make


def prepared(settings: dict, name: str = "mine") -> dict[str, storage.Split]:
    write_conf(name, settings)
    return data.prepare(name)


def identities(splits: dict[str, storage.Split]) -> dict[str, list[int]]:
    """Indices of the images of each split in IMAGES, whose images are distinct."""
    index = {np.float32(image / np.float32(255)).tobytes(): i for i, image in enumerate(IMAGES)}
    return {name: [index[image.tobytes()] for image in split.images] for name, split in splits.items()}
