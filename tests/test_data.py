"""Data sources: every format gives the same images, splits are stratified, and bad input is reported in one line."""

import dataclasses
import gzip
import hashlib
import io
import os
import re
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain
from pathlib import Path

import numpy as np
import pooch
import pytest
from data_files import CLASSES, IMAGES, LABELS, WRITERS, as_csv, as_folder, as_idx, as_npz, idx_bytes, write_conf
from PIL import Image

from aebench import data, storage
from aebench.data import external
from aebench.data.card import pixel_moments
from aebench.data.mnist import Mnist
from aebench.data.splits import shares
from aebench.errors import InputError

ROOT = Path(__file__).parents[1]
HELD = {"validation": 10, "test": 20}
REAL = os.environ.get(external.DATA_DIR)


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(external.DATA_DIR, raising=False)
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / "cache" / name)
    return tmp_path


def prepared(settings: dict, name: str = "mine") -> dict[str, storage.Split]:
    write_conf(name, settings)
    return data.prepare(name)


# --- files written ---------------------------------------------------------------------------------------------------


def test_digits_are_scaled_split_and_described():
    prepared({"source": "digits", "test": 360, "validation": 180}, "digits")
    about, splits = storage.load_about("digits"), {name: storage.load_split("digits", name) for name in storage.SPLITS}
    assert [len(splits[name].labels) for name in storage.SPLITS] == [1257, 180, 360]
    assert about.shape == (8, 8) and about.classes == tuple("0123456789") and "Alpaydin" in about.source
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
    assert written[0] == written[1] and len(written[0]) == 6


# --- splits ------------------------------------------------------------------------------------------------------------


def identities(splits: dict[str, storage.Split]) -> dict[str, list[int]]:
    """Indices of the images of each split in IMAGES, whose images are distinct."""
    index = {np.float32(image / np.float32(255)).tobytes(): i for i, image in enumerate(IMAGES)}
    return {name: [index[image.tobytes()] for image in split.images] for name, split in splits.items()}


def test_splits_are_disjoint_cover_everything_and_keep_order_and_labels():
    splits = prepared(as_npz() | HELD)
    indices = identities(splits)
    assert sorted(chain.from_iterable(indices.values())) == list(range(100))
    for name, split in splits.items():
        assert indices[name] == sorted(indices[name])
        assert split.labels.tolist() == LABELS[indices[name]].tolist()


def test_splits_are_stratified():
    splits = prepared(as_npz() | HELD)
    assert {name: np.bincount(split.labels).tolist() for name, split in splits.items()} == {
        "train": [14, 21, 35],
        "validation": [2, 3, 5],
        "test": [4, 6, 10],
    }


def test_the_split_depends_on_the_split_seed_only():
    first = identities(prepared(as_npz() | HELD))
    assert identities(prepared(as_npz() | HELD | {"title": "other"}, "other")) == first
    assert identities(prepared(as_npz() | HELD | {"split_seed": 1}))["test"] != first["test"]
    fewer = identities(prepared(as_npz() | HELD | {"validation": 5}))
    assert fewer["test"] == first["test"] and set(fewer["validation"]) < set(first["validation"])


def test_the_split_of_digits_never_changes():
    splits = prepared({"source": "digits", "test": 360, "validation": 180})
    sums = {name: hashlib.sha256(split.images.tobytes()).hexdigest()[:8] for name, split in splits.items()}
    assert sums == {"train": "e7bbf66b", "validation": "7d056084", "test": "44cc9693"}


def test_fractions_are_of_all_for_test_and_of_the_rest_for_validation():
    splits = prepared(as_npz() | {"test": 0.2, "validation": 0.25})
    assert [len(splits[name].labels) for name in storage.SPLITS] == [60, 20, 20]


def test_shares_are_rounded_by_largest_remainder():
    assert shares(np.array([50, 30, 20]), 7).tolist() == [4, 2, 1]  # exactly 3.5, 2.1, 1.4
    assert shares(np.array([10, 10, 10]), 4).tolist() == [2, 1, 1]
    assert shares(np.array([5923, 6742, 5958]), 1000).sum() == 1000


# --- formats -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", WRITERS)
def test_every_format_gives_the_same_images(kind):
    splits = prepared(WRITERS[kind]() | HELD | ({} if kind == "folder" else {"classes": list(CLASSES)}))
    expected = prepared(as_npz() | HELD, "expected")
    for name in storage.SPLITS:
        np.testing.assert_array_equal(splits[name].images, expected[name].images)
        np.testing.assert_array_equal(splits[name].labels, expected[name].labels)
    assert storage.load_about("mine").classes == CLASSES and storage.load_about("mine").shape == (4, 4)


def test_an_official_test_set_is_left_as_it_is():
    more = {"test_images": IMAGES[:30:3], "test_labels": LABELS[::10]}
    Path("ti").write_bytes(idx_bytes(more["test_images"]))
    Path("tl").write_bytes(idx_bytes(more["test_labels"]))
    keys = {"test_images": "test_images", "test_labels": "test_labels"}
    sources = [
        as_idx() | {"test_images": "ti", "test_labels": "tl"},
        as_npz(**more) | keys,
        as_csv() | {"test_path": as_csv(*more.values(), name="test.csv")["path"]},
        as_folder() | {"test_path": as_folder(*more.values(), name="test")["path"]},
    ]
    for settings in sources:
        splits = prepared(settings | {"validation": 10})
        np.testing.assert_array_equal(splits["test"].images, more["test_images"].reshape(10, -1) / np.float32(255))
        assert len(splits["train"].labels) == 90


def test_labels_are_numbered_in_sorted_order_and_names_kept():
    names = np.array(["b", "a", "c"])[LABELS]
    splits = prepared(as_csv(labels=names) | HELD)
    assert storage.load_about("mine").classes == ("a", "b", "c") and splits["train"].labels[0] == 1
    prepared(as_csv(labels=np.array(["NA", "nan", "None"])[LABELS]) | HELD)
    assert storage.load_about("mine").classes == ("NA", "None", "nan")
    splits = prepared(as_npz(labels=LABELS + 7) | HELD)
    assert storage.load_about("mine").classes == ("7", "8", "9") and splits["train"].labels[0] == 0
    splits = prepared(as_csv(labels=names) | HELD | {"classes": ["c", "b", "a"]})
    assert storage.load_about("mine").classes == ("c", "b", "a") and splits["train"].labels[0] == 1


@pytest.mark.parametrize(
    ("images", "keys", "shape"),
    [
        (IMAGES.reshape(100, 16), {}, (4, 4)),
        (IMAGES.reshape(100, 16), {"shape": [2, 8]}, (2, 8)),
        (IMAGES[..., None], {}, (4, 4)),
        (np.stack([IMAGES] * 3, -1), {}, (4, 4, 3)),
        (IMAGES.reshape(100, 16)[:, :12], {"shape": [2, 2, 3]}, (2, 2, 3)),
    ],
)
def test_the_image_shape_is_that_of_the_array_or_the_one_given(images, keys, shape):
    splits = prepared(as_npz(images) | HELD | keys)
    assert storage.load_about("mine").shape == shape
    assert splits["train"].images.shape[1] == storage.load_about("mine").pixels


@pytest.mark.parametrize(
    ("images", "keys", "white"),
    [
        (IMAGES, {}, 255),
        (IMAGES // 16, {"maximum": 15}, 15),
        (IMAGES / 255, {}, 1),
        (IMAGES.astype(np.int64), {"maximum": 255}, 255),
        (IMAGES.astype(np.float64), {"maximum": 255}, 255),
        (IMAGES > 127, {"maximum": 1}, 1),
    ],
)
def test_pixels_are_divided_by_white(images, keys, white):
    raw = data.read(data.check(as_npz(images) | HELD | keys, "conf/mine.yaml:data"))
    np.testing.assert_allclose(raw.train.images, images.reshape(100, 16) / white, atol=1e-7)


def test_pictures_are_converted_to_grey_and_resized():
    for i, label in enumerate(LABELS):
        folder = Path("colour") / CLASSES[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (6 + i % 2, 4), (255, 0, 0)).save(folder / f"{i}.png")
    (Path("colour") / "cat" / ".DS_Store").write_bytes(b"not a picture")
    settings = {"source": "folder", "path": "colour", "size": [2, 3]} | HELD
    assert prepared(settings)["train"].images[0].reshape(2, 3, 3)[1, 2].tolist() == [1, 0, 0]
    grey = prepared(settings | {"grey": True})
    assert storage.load_about("mine").shape == (2, 3) and np.allclose(grey["train"].images, 76 / 255)


def test_relative_paths_may_be_in_the_data_folder(tmp_path, monkeypatch):
    settings = as_npz()
    (tmp_path / "elsewhere").mkdir()
    Path("data.npz").rename("elsewhere/data.npz")
    monkeypatch.setenv(external.DATA_DIR, str(tmp_path / "elsewhere"))
    prepared(settings | HELD)
    assert storage.load_about("mine").source == "data.npz"


# --- MNIST: published files ----------------------------------------------------------------------------------------------

TINY = {
    "train-images-idx3-ubyte": idx_bytes(IMAGES),
    "train-labels-idx1-ubyte": idx_bytes(np.arange(100) % 10),
    "t10k-images-idx3-ubyte": idx_bytes(IMAGES[:10]),
    "t10k-labels-idx1-ubyte": idx_bytes(np.arange(10)),
}
FILE = "train-images-idx3-ubyte"
MNIST = {"source": "mnist", "validation": 20}


@pytest.fixture
def tiny(monkeypatch):
    """Replace MNIST by 100 + 10 images of 4 x 4 pixels on the given mirrors."""
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    sums = {file: hashlib.sha256(content).hexdigest() for file, content in TINY.items()}
    about = dataclasses.replace(Mnist.FILES.about, shape=(4, 4))

    def install(*mirrors: str) -> None:
        small = dataclasses.replace(Mnist.FILES, about=about, sha256=sums, mirrors=mirrors)
        monkeypatch.setattr(Mnist, "FILES", small)

    return install


@pytest.fixture
def server(tmp_path):
    """The URL of a web server for the folder `web`, and a list of the requested paths."""
    requested = []

    class Handler(SimpleHTTPRequestHandler):
        def log_request(self, *_):
            requested.append(self.path)

        def log_error(self, *_):
            pass

    (tmp_path / "web").mkdir()
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=tmp_path / "web"))
    thread = threading.Thread(target=partial(httpd.serve_forever, poll_interval=0.01))
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}", requested
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def put(folder: Path, compressed: bool = True, dotted: bool = False) -> Path:
    """Write the four files to `folder` under one of their usual names."""
    folder.mkdir(parents=True)
    for file, content in TINY.items():
        name = (file.replace("-idx", ".idx") if dotted else file) + (".gz" if compressed else "")
        (folder / name).write_bytes(gzip.compress(content) if compressed else content)
    return folder


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("dotted", [True, False])
@pytest.mark.parametrize("folder", Mnist.FILES.folders)
def test_published_files_are_found_under_their_usual_names(tiny, tmp_path, monkeypatch, folder, dotted, compressed):
    tiny()
    put(tmp_path / "mine" / folder, compressed, dotted)
    monkeypatch.setenv(external.DATA_DIR, str(tmp_path / "mine"))
    assert len(prepared(MNIST)["test"].labels) == 10


def test_train_and_validation_are_the_official_training_images(tiny, tmp_path, monkeypatch):
    tiny()
    put(tmp_path / "mine" / "mnist")
    monkeypatch.setenv(external.DATA_DIR, str(tmp_path / "mine"))
    splits = prepared(MNIST)
    indices = identities(splits)
    assert sorted(indices["train"] + indices["validation"]) == list(range(100))
    assert indices["test"] == list(range(10))
    assert np.bincount(splits["validation"].labels).tolist() == [2] * 10


def test_a_failing_mirror_is_followed_by_the_next(tiny, server, tmp_path):
    url, requested = server
    put(tmp_path / "web" / "good")
    for content, folder in [(b"<html>no</html>", "page"), (gzip.compress(b"other"), "wrong"), (b"\x1f\x8bcut", "broken")]:
        (tmp_path / "web" / folder).mkdir()
        (tmp_path / "web" / folder / f"{FILE}.gz").write_bytes(content)
    tiny(*(f"{url}/{folder}" for folder in ("absent", "page", "wrong", "broken", "good")))
    assert len(prepared(MNIST)["train"].labels) == 80
    assert [path for path in requested if FILE in path] == [
        f"/{folder}/{FILE}.gz" for folder in ("absent", "page", "wrong", "broken") for _ in range(2)
    ] + [f"/good/{FILE}.gz"]


def test_files_are_downloaded_again_only_if_damaged(tiny, server, tmp_path):
    url, requested = server
    put(tmp_path / "web" / "good")
    tiny(f"{url}/good")
    prepared(MNIST)
    prepared(MNIST)
    assert len(requested) == 4
    (tmp_path / "cache" / "aebench" / "mnist" / FILE).write_bytes(b"damaged")
    prepared(MNIST)
    assert len(requested) == 5


def test_without_network_the_error_says_where_to_put_the_file(tiny, monkeypatch):
    log = io.StringIO()
    for handler in pooch.get_logger().handlers:
        monkeypatch.setattr(handler, "stream", log)
    tiny("http://127.0.0.1:9/a", "http://127.0.0.1:9/b")
    with pytest.raises(InputError) as error:
        prepared(MNIST)
    line = str(error.value)
    assert "\n" not in line and log.getvalue() == ""
    assert "AEBENCH_DATA_DIR=<folder> with <folder>/mnist/train-images-idx3-ubyte.gz" in line
    assert "ConnectionError" in line and "DATASETS=digits" in line
    assert not Path("data").exists()


def test_a_wrong_file_in_a_local_folder_is_an_error(tiny, tmp_path, monkeypatch):
    tiny()
    folder = put(tmp_path / "mine" / "mnist", compressed=False)
    (folder / FILE).write_bytes(TINY[FILE][:-1] + b"?")
    monkeypatch.setenv(external.DATA_DIR, str(tmp_path / "mine"))
    with pytest.raises(InputError, match=rf"mnist/{FILE} must have SHA-256 \w{{64}} when decompressed, got \w{{64}}$"):
        prepared(MNIST)


def test_the_data_folder_must_exist(tiny, monkeypatch):
    tiny()
    monkeypatch.setenv(external.DATA_DIR, "nowhere")
    with pytest.raises(InputError, match="AEBENCH_DATA_DIR must be a folder, got 'nowhere'"):
        prepared(MNIST)


@pytest.mark.skipif(not REAL, reason=f"{external.DATA_DIR} is not set")
@pytest.mark.parametrize(("kind", "mean", "sd"), [("mnist", 0.1307, 0.3081), ("fashion_mnist", 0.2860, 0.3530)])
def test_the_real_files_have_the_known_mean_and_standard_deviation(monkeypatch, kind, mean, sd):
    monkeypatch.setenv(external.DATA_DIR, REAL)
    raw = data.read(data.check({"source": kind, "validation": 6000}, "data"))
    assert pixel_moments(raw.train.images) == pytest.approx((mean, sd), abs=5e-5)
    assert (len(raw.train.labels), len(raw.test.labels)) == (60000, 10000)


# --- bad input is reported in one line ----------------------------------------------------------------------------------------


def keys(**change):
    """A valid npz file with changed settings."""
    return lambda: as_npz() | change


def arrays(change: dict | None = None, **arrays: np.ndarray):
    """An npz file with other arrays."""
    return lambda: as_npz(**arrays) | (change or {})


def bytes_of(write, path: str, change):
    """The files of `write` with the bytes of `path` changed."""

    def make() -> dict:
        settings = write()
        Path(path).write_bytes(change(Path(path).read_bytes()))
        return settings

    return make


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
