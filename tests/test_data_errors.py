"""Bad settings, files and data sources are reported in one line, and nothing is written."""

import io
import os
import re
import zipfile
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


def one_array() -> dict:
    np.save("data.npy", IMAGES)
    return {"source": "npz", "path": "data.npy"}


def lying_header() -> dict:
    """An archive whose array claims 2^40 images, and has none."""
    settings, header = as_npz(), io.BytesIO()
    claim = {"descr": "|u1", "fortran_order": False, "shape": (2**40, 4, 4)}
    np.lib.format.write_array_header_1_0(header, claim)
    with zipfile.ZipFile("data.npz", "w") as archive:
        archive.writestr("images.npy", header.getvalue())
    return settings


def fewer_in_header() -> dict:
    """An archive of which one byte is wrong: the header of the images gives them a width of 1 instead of 4."""
    settings = as_npz()
    content = Path("data.npz").read_bytes()
    Path("data.npz").write_bytes(content.replace(b"(100, 4, 4)", b"(100, 4, 1)", 1))
    return settings


def text_file() -> dict:
    settings = as_folder()
    Path("pictures/cat/read.me").write_text("These are cats.")
    return settings


def damaged_exif() -> dict:
    settings = as_folder()
    Image.fromarray(IMAGES[0]).save("pictures/cat/000.png", exif=b"Exif\0\0garbage")
    return settings


def pipe() -> dict:
    os.mkfifo("pipe.csv")
    return {"source": "csv", "path": "pipe.csv", "label": "kind"}


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
    "class with a name": (
        arrays(labels=np.array(["cat", "dog", "owl", "rare"])[RARE]),
        "data.test must ... , got 20, which takes 0 of the 1 images of class rare",
    ),
    "class with one image": (arrays(labels=RARE), "data.test must ... , got 20, which takes 0 of the 1 images of class 3"),
    "two test sets": (keys(test_images="a", test_labels="b"), EITHER),
    "half a test set": (keys(test=None, test_images="a"), EITHER),
    "no test set": (keys(test=None), EITHER),
    "one label written in two ways": (
        arrays(labels=np.array(["1", "01", "2"])[LABELS]),
        "data.npz: labels must be written in one way, got '01' and '1' for",
    ),
    "one label with a sign": (arrays(labels=np.array(["1", "+1", "2"])[LABELS]), "labels must be written in one way, got '+1'"),
    "black far below the darkest pixel": (
        arrays({"minimum": -1, "maximum": 1}, images=np.float32(IMAGES / 255)),
        "data.minimum must be the value of black in data.npz, where no pixel is below 0, got -1",
    ),
    "classes twice": (keys(classes=["a", "a", "b"]), "data.classes must not contain duplicates, got ['a', 'a', 'b']"),
    "maximum 0": (keys(maximum=0), "data.maximum must be greater than 0, got 0"),
    "test for MNIST": (
        lambda: MNIST | {"test": 5},
        "data must be one of binarised, hold_out, source, split_seed, validation, got 'test'",
    ),
    "no file": (keys(path="no.npz"), "no.npz must exist in ... or in AEBENCH_DATA_DIR, got none at no.npz"),
    "a folder": (lambda: as_idx() | {"images": "conf"}, "conf must be a readable file, got a folder"),
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
    "idx of 255 axes": (
        bytes_of(as_idx, "labels.idx", lambda b: bytes([0, 0, 8, 255]) + bytes(4 * 255)),
        "labels.idx must be an IDX file with at most 4 axes, got 255",
    ),
    "idx of 2^40 labels": (
        bytes_of(as_idx, "labels.idx", lambda b: bytes([0, 0, 8, 2, 0, 16, 0, 0, 0, 16, 0, 0, 1])),
        "labels.idx must have 1099511627788 bytes, as its header gives the shape (1048576, 1048576), got 13",
    ),
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
    "npz of objects": (
        arrays(labels=np.array(["a", "b", "c"], object)[LABELS]),
        "the array 'labels' of data.npz must be numbers or text, got Python objects",
    ),
    "npz of one array": (
        one_array,
        "data.npy must be an npz archive of plain arrays, got a single array: save it with np.savez",
    ),
    "npz header that lies": (lying_header, "data.npz must be an npz archive of plain arrays, got one that NumPy cannot read"),
    "npz with one wrong byte in a header": (
        fewer_in_header,
        "data.npz must be an npz archive of plain arrays, got one that NumPy cannot read",
    ),
    "unknown array": (keys(images="image"), "an array of data.npz must be one of images, labels, got 'image' (did you mean"),
    "a pipe": (pipe, "pipe.csv must be a readable file, got a pipe, socket or device"),
    "path of 300 characters": (keys(path="a" * 300), f"{'a' * 300} must exist in ... , got none at a"),
    "path with a line break": (keys(path="a\nb"), "a\\nb must exist in ... , got none at a\\nb"),
    "path that is not UTF-8": (keys(path="a\udcff"), "a\\udcff must exist in ... , got none at a\\udcff"),
    "path of an unknown user": (keys(path="~nobody-here/x"), "~nobody-here/x must begin with the name of a user after ~"),
    "NaN": (arrays(images=pixel(np.nan)), f"data.npz (train): {RANGE}nan in image 17"),
    "infinite": (arrays(images=pixel(np.inf)), f"data.npz (train): {RANGE}inf in image 17"),
    "below 0": (arrays(images=pixel(-0.5)), f"{RANGE}-0.5 in image 17"),
    "above 1": (arrays(images=pixel(1.5)), f"{RANGE}1.5 in image 17"),
    "just above 1": (arrays(images=pixel(1.0000001)), f"{RANGE}1.0000001 in image 17"),
    "above the maximum": (arrays({"maximum": 20}, images=IMAGES.clip(0, 30)), f"{RANGE}1.5 in image 0"),
    "integers of unknown white": (
        arrays(images=IMAGES.astype(int)),
        "data.maximum must be given for int64 pixels ... data.npz",
    ),
    "complex pixels": (arrays(images=IMAGES * 1j), "data.npz: pixels must be numbers, got complex128"),
    "0/1 as uint8": (arrays(images=IMAGES // 128), "data.maximum must be given for uint8 pixels of at most 1 (the value of w"),
    "0 to 16 as uint8": (arrays(images=IMAGES // 16), "data.maximum must be given for uint8 pixels of at most 15"),
    "0 to 15 in IDX": (lambda: as_idx(IMAGES // 16), "data.maximum must be given for uint8 pixels of at most 15"),
    "0/1 as pictures": (
        lambda: as_folder(IMAGES // 128),
        "data.maximum must be given for uint8 pixels of at most 1 (the value",
    ),
    "divided twice": (arrays(images=IMAGES / 255**2), "data.maximum must be given for float64 pixels of at most 0.0039"),
    "divided by 255 again": (
        arrays({"maximum": 255}, images=IMAGES / 255),
        "data.maximum must be the value of white in data.npz, where no pixel is above 1, got 255",
    ),
    "divided by 16 again": (
        arrays({"maximum": 16}, images=IMAGES / 255),
        "data.maximum must be the value of white in data.npz",
    ),
    "maximum 1e30": (keys(maximum=1e30), "data.maximum must be the value of white in data.npz, where no pixel is above 255"),
    "maximum 1e300": (keys(maximum=1e300), "data.maximum must be the value of white in data.npz"),
    "maximum 1e-320": (arrays({"maximum": 1e-320}, images=IMAGES / 255), f"{RANGE}inf in image 0"),
    "black images": (arrays(images=IMAGES * 0), "data.maximum must be given for uint8 pixels of at most 0"),
    "seed above 2^53": (keys(split_seed=2**53 + 1), f"data.split_seed must be less than or equal to {2**53}, got {2**53 + 1}"),
    "not square": (
        arrays(images=FLAT[:, :12]),
        "data.shape must have 12 values, in 1, 3 or 4 channels, like the images of data.npz, got nothing (and the",
    ),
    "wrong shape of rows": (arrays({"shape": [4, 5]}, images=FLAT), "data.shape must have 16 values, ... , got [4, 5]"),
    "two channels": (arrays({"shape": [2, 4, 2]}, images=FLAT), "data.shape must have 16 values, in 1, 3 or 4 channels"),
    "another shape": (keys(shape=[2, 8]), "data.shape must be that of the images in data.npz, (4, 4), or left out, got [2, 8]"),
    "channels first": (
        arrays({"shape": [4, 4, 3]}, images=RGB),
        "data.shape must be that of the images in data.npz, (3, 4, 4), or left out, got [4, 4, 3] (channels must be last: save",
    ),
    "channels first without a shape": (
        arrays(images=np.tile(RGB, 2)),
        "images must be ... with 1, 3 or 4 channels ... , got (100, 3, 4, 8) (channels must be last: save images.transpose",
    ),
    "tiny, channels first": (arrays(images=RGB), "data.shape must be given for images of shape (3, 4, 4) in data.npz"),
    "channels first, also 3 wide": (
        arrays({"shape": [4, 3, 3]}, images=RGB[..., :3]),
        "data.shape must be that of the images in data.npz, (3, 4, 3), or left out, got [4, 3, 3] (channels must be last: save",
    ),
    "rows with an axis for channels": (
        arrays(images=FLAT[:, None]),
        "data.shape must be given for images of shape (1, 16) in data.npz",
    ),
    "planes of rows": (arrays(images=RGB.reshape(100, 3, 16)), "data.shape must be given for images of shape (3, 16)"),
    "five axes": (arrays(images=IMAGES[:, None, None]), "images must be ... , got (100, 1, 1, 4, 4)"),
    "a number for images": (arrays(images=np.array(3)), "images must be ... , got ()"),
    "fractional labels": (arrays(labels=LABELS / 2), "labels must be 100 integers or names, one per image, got float64"),
    "one-hot labels": (arrays(labels=np.eye(3, dtype=int)[LABELS]), "labels must be 100 ... , got int64 (100, 3)"),
    "labels beyond the classes": (keys(classes=["a", "b"]), "data.npz: labels must be one of 0, 1, got '2'"),
    "a class without images": (keys(classes=list("abcd")), "data.npz (train): every class must have an image, got none of 'd'"),
    "labels that are names in another order": (
        keys(classes=["2", "1", "0"]),
        "data.classes must not contain 0, which is also the label of '2' in data.npz (use other names, or labels that are all",
    ),
    "labels beside the names": (
        keys(classes=["1", "2", "3"]),
        "data.classes must not contain 1, which is also the label of '2' in data.npz",
    ),
    "a class with a line break": (
        keys(classes=["a\nb", "b", "c"]),
        "mine.yaml:data.classes must be 1 to 100 printable ... 'a\\nb'",
    ),
    "a class without a name": (arrays(labels=np.array(["", "b", "c"])[LABELS]), "data.npz: names of classes must be 1 to 100"),
    "a label with a space": (arrays(labels=np.array(["a", "a ", "c"])[LABELS]), "names of classes must be ... 'a '"),
    "a single class": (arrays(labels=LABELS * 0), "data.npz: labels must be of at least two classes, got only '0'"),
    "a title of two lines": (keys(title="a\nb"), "data.title must be one line of text, got 'a\\nb'"),
    "the training images as test images": (
        keys(test=None, test_images="images", test_labels="labels"),
        "data.npz: test images must not be the training images, got the same 100",
    ),
    "a file as its own test file": (
        lambda: as_csv() | {"test": None, "test_path": "data.csv"},
        "data.csv: test images must not be the training images, got the same 100",
    ),
    "unknown test label": (arrays(TEST, ti=255 - IMAGES, tl=LABELS + 1), "data.npz: labels must be one of 0, 1, 2, got '3'"),
    "test images of another shape": (
        arrays(TEST, ti=IMAGES.reshape(100, 2, 8), tl=LABELS),
        "data.npz: test images must be of shape (4, 4) like the training images, got (2, 8)",
    ),
    "test pixels above 1": (arrays(TEST, ti=pixel(2), tl=LABELS), f"data.npz (test): {RANGE}2.0 in image 17"),
    "csv empty": (bytes_of(as_csv, "data.csv", lambda b: b""), "data.csv must be a CSV file with a header, got an empty"),
    "csv of a header": (bytes_of(as_csv, "data.csv", lambda b: b[:9]), "data.csv must be ... one image per line, got 0 lines"),
    "csv not text": (
        bytes_of(as_csv, "data.csv", lambda b: b"\xff\xfe" + b),
        "data.csv must be a CSV file with a header in UTF-8, got:",
    ),
    "csv without the label": (
        lambda: as_csv() | {"label": "class"},
        "data.label must be a column of data.csv (kind, p0, p1, ... 17 in all), got 'class'",
    ),
    "csv with a word": (cell("white"), "data.csv: column 'p0' must be numbers, got 'white' in line 6"),
    "csv with an empty cell": (cell(""), "data.csv: column 'p0' must be filled, got nothing in line 6"),
    "csv above 255": (cell("300"), f"data.csv (train): {RANGE}1.1764706 in image 4"),
    "csv without a label": (cell("", column=0), "data.csv: column 'kind' must be filled, got nothing in line 6"),
    "an empty folder": (
        lambda: {"source": "folder", "path": "conf"},
        "conf must be a folder with one subfolder of image files",
    ),
    "pictures in a file": (
        lambda: {"source": "folder", "path": as_npz()["path"]},
        "data.npz must be a folder with one subfolder per class, got a file",
    ),
    "no pictures": (
        no_pictures,
        "pictures/cat must contain image files, or be removed, got none: every subfolder of pictures is a class",
    ),
    "no picture": (
        bytes_of(as_folder, "pictures/cat/000.png", lambda b: b"?"),
        "cat/000.png must be an image file that Pillow reads",
    ),
    "a text beside the pictures": (
        text_file,
        "pictures/cat/read.me must be an image file that Pillow reads, got: cannot identify image file",
    ),
    "picture with damaged EXIF": (
        damaged_exif,
        "pictures/cat/000.png must have an EXIF orientation that Pillow reads, or none, got: not a TIFF file",
    ),
    "picture cut short": (
        bytes_of(as_folder, "pictures/cat/000.png", lambda b: b[:50]),
        "cat/000.png must be an image",
    ),
    "picture of which a byte is missing": (
        bytes_of(as_folder, "pictures/cat/000.png", lambda b: b[:50] + b[51:]),
        "cat/000.png must be an image file that Pillow reads, got: ",
    ),
    "picture with another checksum": (
        bytes_of(as_folder, "pictures/cat/000.png", lambda b: b[:-13] + bytes([b[-13] ^ 1]) + b[-12:]),
        "cat/000.png must be an image file that Pillow reads, got: broken PNG file",
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


@pytest.mark.parametrize(("text", "got"), [("class class", "SyntaxError"), ("1 / 0", "ZeroDivisionError: division by zero")])
def test_a_source_whose_module_cannot_be_imported_is_one_line(tmp_path, monkeypatch, text, got):
    (tmp_path / "faulty_source.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    message = f"conf/mine.yaml:data.source must be a class that can be imported, got 'faulty_source:Mine': {got}"
    with pytest.raises(InputError, match=re.escape(message)):
        data.check({"source": "faulty_source:Mine"}, "conf/mine.yaml:data")
