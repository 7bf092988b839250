"""Bad settings, files and data sources are reported in one line, and nothing is written."""

import re
from pathlib import Path

import numpy as np
import pytest
from data_files import CLASSES, HELD, IMAGES, LABELS, MNIST, as_csv, as_folder, as_idx, as_npz, bytes_of, write_conf
from PIL import Image

from aebench import data, storage
from aebench.errors import InputError

pytestmark = pytest.mark.usefixtures("empty_folder")


def keys(**change):
    """A valid npz file with changed settings."""
    return lambda: as_npz() | change


def arrays(change: dict | None = None, **arrays: np.ndarray):
    """An npz file with other arrays."""
    return lambda: as_npz(**arrays) | (change or {})


def cell(text: str, column: int = 1):
    """A CSV file in which one cell of image 4 is `text`; column 0 is the label."""

    def make() -> dict:
        settings = as_csv()
        lines = [line.split(",") for line in Path("data.csv").read_text().split("\n")]
        lines[5][column] = text
        Path("data.csv").write_text("\n".join(map(",".join, lines)))
        return settings

    return make


def picture(**new: int | str):
    """A folder of pictures, one of which has another `mode` or `size` (Pillow's names)."""

    def make() -> dict:
        settings = as_folder()
        Image.new(**{"mode": "L", "size": (4, 4)} | new).save("pictures/cat/a.png")
        return settings

    return make


def no_pictures() -> dict:
    Path("pictures/cat").mkdir(parents=True)
    return {"source": "folder", "path": "pictures"}


def pixel(value: float) -> np.ndarray:
    """Images in [0, 1], except that one pixel of image 17 is `value`."""
    images = IMAGES / 255
    images[17, 2, 3] = value
    return images


FLAT = IMAGES.reshape(100, 16)
RGB = np.stack([IMAGES] * 3, 1)
RARE = np.where(np.arange(100) == 99, 3, LABELS)
TEST = {"test": None, "test_images": "ti", "test_labels": "tl"}
EITHER = "data must have either test or test_images and test_labels, got {"
RANGE = "pixels / maximum must be in [0, 1], got "
BAD = {  # mistake: (function that makes the input, message, in which " ... " is any text)
    "no source": (lambda: {}, "mine.yaml:data.source must be one of csv, digits, ... , got ''"),
    "unknown source": (keys(source="minst"), "data.source must be one of ... , got 'minst' (did you mean 'mnist'?)"),
    "source of another type": (keys(source=["npz"]), "data.source must be one of ... , got '['npz']'"),
    "unknown key": (keys(pth="x"), "a key of conf/mine.yaml:data must be one of ... , got 'pth' (did you mean 'path'?)"),
    "missing key": (lambda: {"source": "npz"}, "data.path must be given, got nothing"),
    "validation 0": (keys(validation=0), "data.validation must be a count of at least 1 or a fraction in (0, 1), got 0"),
    "validation 1.0": (keys(validation=1.0), "data.validation must be a count ... , got 1.0"),
    "validation true": (keys(validation=True), "data.validation must be a count ... , got True"),
    "test word": (keys(test="all"), "data.test must be a count ... , got 'all'"),
    "all validation": (keys(validation=80), "data.validation must ... got 80, which takes 16 of the 16 images of class 0"),
    "more than all": (
        keys(test=101),
        "data.test must take and leave at least one image of every class, got 101, which takes 20 of the 20",
    ),
    "class with one image": (arrays(labels=RARE), "data.test must ... , got 20, which takes 0 of the 1 images of class 3"),
    "two test sets": (keys(test_images="a", test_labels="b"), EITHER),
    "half a test set": (keys(test=None, test_images="a"), EITHER),
    "no test set": (keys(test=None), EITHER),
    "classes twice": (keys(classes=["a", "a", "b"]), "data.classes must not contain duplicates, got ['a', 'a', 'b']"),
    "maximum 0": (keys(maximum=0), "data.maximum must be greater than 0, got 0"),
    "test for MNIST": (lambda: MNIST | {"test": 5}, "data must be one of source, split_seed, validation, got 'test'"),
    "no file": (keys(path="no.npz"), "no.npz must exist in ... or in AEBENCH_DATA_DIR, got none at no.npz"),
    "a folder": (lambda: as_idx() | {"images": "conf"}, "conf must be a readable file, got: Is a directory"),
    "gzip cut short": (
        bytes_of(as_idx, "images.idx.gz", lambda b: b[:60]),
        "images.idx.gz must be a complete gzip file, got 60",
    ),
    "gzip damaged": (
        bytes_of(as_idx, "images.idx.gz", lambda b: b[:99] + b"????" + b[103:]),
        "images.idx.gz must be a complete gzip file, got",
    ),
    "idx cut short": (bytes_of(as_idx, "labels.idx", lambda b: b[:-1]), "labels.idx must have 108 bytes ... (100,), got 107"),
    "idx too long": (bytes_of(as_idx, "labels.idx", lambda b: b + b"1"), "labels.idx must have 108 bytes ... , got 109"),
    "idx magic": (
        bytes_of(as_idx, "labels.idx", lambda b: b"\0\0\7\1" + b[4:]),
        "labels.idx must be an IDX file, got 108 bytes",
    ),
    "idx header cut": (bytes_of(as_idx, "labels.idx", lambda b: b[:6]), "labels.idx must be an IDX file, got 6 bytes"),
    "idx empty": (bytes_of(as_idx, "labels.idx", lambda b: b""), "labels.idx must be an IDX file, got 0 bytes"),
    "idx swapped": (lambda: as_idx() | {"images": "labels.idx"}, "images must be (n, pixels), ... , got (100,)"),
    "idx of no images": (lambda: as_idx(IMAGES[:0], LABELS[:0]), "images must be ... and not empty, got (0, 4, 4)"),
    "fewer images": (lambda: as_idx(IMAGES[1:]), "images.idx.gz and labels.idx: labels must be 99 ... , got uint8 (100,)"),
    "fewer labels": (arrays(labels=LABELS[1:]), "data.npz: labels must be 100 ... , got int64 (99,)"),
    "npz cut short": (bytes_of(as_npz, "data.npz", lambda b: b[:500]), "data.npz must be an npz archive"),
    "npz damaged": (
        bytes_of(as_npz, "data.npz", lambda b: b[:300] + b"????" + b[304:]),
        "data.npz must be an npz archive",
    ),
    "npz empty": (bytes_of(as_npz, "data.npz", lambda b: b""), "data.npz must be an npz archive"),
    "npz pickled": (arrays(labels=np.array([None] * 100)), "data.npz must be an npz archive of plain arrays"),
    "unknown array": (keys(images="image"), "an array of data.npz must be one of images, labels, got 'image' (did you mean"),
    "NaN": (arrays(images=pixel(np.nan)), f"data.npz (train): {RANGE}nan to nan in image 17"),
    "infinite": (arrays(images=pixel(np.inf)), f"data.npz (train): {RANGE} ... to inf in image 17"),
    "below 0": (arrays(images=pixel(-0.5)), f"{RANGE}-0.5 to ... in image 17"),
    "above 1": (arrays(images=pixel(1.5)), f"{RANGE} ... to 1.5 in image 17"),
    "above the maximum": (arrays({"maximum": 20}, images=IMAGES.clip(0, 30)), f"{RANGE} ... to 1.5 in image 0"),
    "integers of unknown white": (
        arrays(images=IMAGES.astype(int)),
        "data.maximum must be given for int64 pixels ... data.npz",
    ),
    "complex pixels": (arrays(images=IMAGES * 1j), "data.npz: pixels must be numbers, got complex128"),
    "not square": (arrays(images=FLAT[:, :12]), "data.shape must have 12 values, like the images of data.npz, got nothing"),
    "wrong shape": (keys(shape=[4, 5]), "data.shape must have 16 values, like the images of data.npz, got [4, 5]"),
    "channels first": (arrays(images=RGB[..., :2]), "images must be ... with 1, 3 or 4 channels ... , got (100, 3, 4, 2)"),
    "five axes": (arrays(images=IMAGES[:, None, None]), "images must be ... , got (100, 1, 1, 4, 4)"),
    "a number for images": (arrays(images=np.array(3)), "images must be ... , got ()"),
    "fractional labels": (arrays(labels=LABELS / 2), "labels must be 100 integers or names, one per image, got float64"),
    "one-hot labels": (arrays(labels=np.eye(3, dtype=int)[LABELS]), "labels must be 100 ... , got int64 (100, 3)"),
    "labels beyond the classes": (keys(classes=["a", "b"]), "data.npz: labels must be one of 0, 1, got 2"),
    "a class without images": (keys(classes=list("abcd")), "data.npz (train): every class must have an image, got none of 'd'"),
    "unknown test label": (arrays(TEST, ti=IMAGES, tl=LABELS + 1), "data.npz: labels must be one of 0, 1, 2, got 3"),
    "test images of another shape": (
        arrays(TEST, ti=IMAGES.reshape(100, 2, 8), tl=LABELS),
        "data.npz: test images must be of shape (4, 4) like the training images, got (2, 8)",
    ),
    "test pixels above 1": (arrays(TEST, ti=pixel(2), tl=LABELS), f"data.npz (test): {RANGE} ... to 2 in image 17"),
    "csv empty": (bytes_of(as_csv, "data.csv", lambda b: b""), "data.csv must be a CSV file with a header, got: No columns"),
    "csv of a header": (bytes_of(as_csv, "data.csv", lambda b: b[:9]), "data.csv must be ... one image per line, got 0 lines"),
    "csv not text": (
        bytes_of(as_csv, "data.csv", lambda b: b"\xff\xfe" + b),
        "data.csv must be a CSV file with a header, got:",
    ),
    "csv ragged": (cell("3,3"), "data.csv must be a CSV file with a header, got: ... line 6"),
    "csv without the label": (
        lambda: as_csv() | {"label": "class"},
        "data.label must be a column of data.csv (kind, p0, p1, ... 17 in all), got 'class'",
    ),
    "csv with a word": (cell("white"), "data.csv: column 'p0' must be numbers, got 'white'"),
    "csv with an empty cell": (cell(""), f"data.csv (train): {RANGE}nan to nan in image 4"),
    "csv above 255": (cell("300"), f"data.csv (train): {RANGE} ... to 1.17647 in image 4"),
    "csv without a label": (cell("", column=0), "data.csv: column 'kind' must be filled, got nothing for image 4"),
    "pictures in a file": (
        lambda: {"source": "folder", "path": as_npz()["path"]},
        "data.npz must be a folder with one subfolder per class, got a file",
    ),
    "no pictures": (no_pictures, "pictures must be a folder with one subfolder of image files per class, got none"),
    "no picture": (
        bytes_of(as_folder, "pictures/cat/000.png", lambda b: b"?"),
        "cat/000.png must be an image file that Pillow reads",
    ),
    "picture cut short": (
        bytes_of(as_folder, "pictures/cat/000.png", lambda b: b[:50]),
        "cat/000.png must be an image",
    ),
    "picture of another size": (picture(size=(4, 5)), "cat/a.png must be (4, 4) like pictures/cat/000.png ... , got (5, 4)"),
    "picture in colour": (picture(mode="RGB"), "cat/a.png must be (4, 4) like pictures/cat/000.png ... , got (4, 4, 3)"),
    "picture of 16 bits": (picture(mode="I;16"), "cat/a.png must be an image file with 8 bits per channel, got mode I;16"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_reported_in_one_line_and_leaves_nothing(case):
    make, message = BAD[case]
    write_conf("mine", HELD | make())
    with pytest.raises(InputError, match=".*".join(map(re.escape, message.split(" ... ")))) as error:
        data.prepare("mine")
    assert "\n" not in str(error.value)
    assert not Path("data").exists()


def test_settings_are_checked_without_reading_files():
    settings = HELD | {"source": "csv", "path": "not there yet", "label": "kind"}
    assert data.check(settings, "conf/mine.yaml:data").label == "kind"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": IMAGES}, r"images must be \(n >= 1, 16\) with n labels"),
        ({"images": IMAGES.reshape(100, 16)}, r"images must be float32 and labels int64, got uint8 and int64"),
        ({"labels": LABELS + 1}, r"labels must be 0 to 2, got 1 to 3"),
        ({"labels": LABELS - 1}, r"labels must be 0 to 2, got -1 to 1"),
    ],
)
def test_a_plugged_in_source_must_fulfil_the_contract(change, message):
    good = {"images": np.float32(IMAGES.reshape(100, 16) / 255), "labels": LABELS}
    about = storage.About("mine", (4, 4), CLASSES, "me", "none")
    data.accept(storage.Split(**good), about, "mine")
    with pytest.raises(InputError, match=message):
        data.accept(storage.Split(**good | change), about, "mine")
