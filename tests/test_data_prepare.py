"""Preparing a data set writes the scaled images, a description and a card, the same bytes each time."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from data_files import CLASSES, HELD, IMAGES, LABELS, as_idx, as_npz, bytes_of, prepared, write_conf

from aebench import storage
from aebench.data.card import pixel_moments

pytestmark = pytest.mark.usefixtures("empty_folder")
ROOT = Path(__file__).parents[1]
DIGITS = {
    "train": "b48cb3efde7bc89ee07ddb3d9422a8980efa61f66ca0e0b6a7b6133e51b390ea",
    "validation": "c30c46ed22057d7ecb79570ff91d8895cb1f8e266d0d71e1f31c53c09a2eb7e7",
    "test": "3632acb14267b8adca5c979498e4f2814b8b80b3ea2ab3a178bb56c4022d52d6",
}
"""SHA-256 of the images and labels of digits, on which all reported numbers depend."""


def test_digits_are_scaled_split_and_described():
    prepared({"source": "digits", "test": 360, "validation": 180}, "digits")
    about, splits = storage.load_about("digits"), {name: storage.load_split("digits", name) for name in storage.SPLITS}
    assert [len(splits[name].labels) for name in storage.SPLITS] == [1257, 180, 360]
    assert about.shape == (8, 8) and about.classes == tuple("0123456789") and "Alpaydin" in about.source
    digests = {
        name: hashlib.sha256(split.images.tobytes() + split.labels.tobytes()).hexdigest() for name, split in splits.items()
    }
    assert digests == DIGITS
    for split in splits.values():
        assert split.images.dtype == np.float32 and split.labels.dtype == np.int64
        assert split.images.shape == (len(split.labels), 64) and split.images.min() == 0 and split.images.max() == 1


def test_about_does_not_depend_on_the_images():
    prepared(as_npz() | HELD)
    first = Path("data/mine/about.json").read_bytes()
    prepared(as_npz(images=255 - IMAGES, labels=LABELS[::-1]) | HELD)
    assert Path("data/mine/about.json").read_bytes() == first


def test_the_card_describes_each_split_and_the_training_pixels():
    splits = prepared(as_npz() | HELD | {"classes": list(CLASSES)})
    card, train = storage.read_json(Path("data/mine/card/card.json")), splits["train"]
    assert card["classes"] == list(CLASSES) and card["shape"] == [4, 4]
    assert card["splits"]["train"]["per_class"] == [14, 21, 35] and card["splits"]["train"]["balance"] == 14 / 35
    assert card["splits"]["test"]["images"] == 20
    assert card["splits"]["train"]["sha256"] == hashlib.sha256(train.images.tobytes()).hexdigest()
    assert card["train_pixels"]["mean"] == pytest.approx(train.images.mean(), abs=1e-6)
    assert card["train_pixels"]["sd"] == pytest.approx(train.images.std(), abs=1e-6)
    pictures = storage.read_arrays(Path("data/mine/card/mean_images.npz"))
    np.testing.assert_allclose(pictures["overall"], train.images.mean(0), atol=1e-6)
    np.testing.assert_allclose(pictures["by_class"][2], train.images[train.labels == 2].mean(0), atol=1e-6)
    assert pictures["by_class"].shape == (3, 16)


def test_pixel_moments_sum_in_double_precision():
    images = np.full((4000, 1000), 0.1, dtype=np.float32)
    assert pixel_moments(images) == pytest.approx((float(np.float32(0.1)), 0), abs=1e-7)


def test_a_second_prepare_writes_the_same_bytes():
    written = []
    for _ in range(2):
        prepared(as_npz() | HELD)
        written.append({path: path.read_bytes() for path in sorted(Path("data").rglob("*")) if path.is_file()})
    assert written[0] == written[1] and len(written[0]) == 7


def stage(name: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-m", "stages.prepare", name], env=environment, capture_output=True, text=True)


def test_the_stage_prepares_and_prints_the_sizes():
    write_conf("mine", as_npz() | HELD)
    done = stage("mine")
    assert (done.returncode, done.stdout, done.stderr) == (0, "70 train images, 10 validation images, 20 test images\n", "")


def test_the_stage_exits_1_with_one_line_and_no_output():
    write_conf("mine", bytes_of(as_idx, "labels.idx", lambda content: content[:-1])() | HELD)
    done = stage("mine")
    assert (done.returncode, done.stdout) == (1, "") and not Path("data").exists()
    assert done.stderr == "error: labels.idx must have 108 bytes, as its header gives the shape (100,), got 107\n"
