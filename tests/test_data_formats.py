"""Every file format gives the same images, labels, shapes and pixel values."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from data_files import CLASSES, HELD, IMAGES, LABELS, WRITERS, as_csv, as_folder, as_idx, as_npz, idx_bytes, prepared
from PIL import Image

from aebench import data, storage
from aebench.data import external
from aebench.errors import InputError

pytestmark = pytest.mark.usefixtures("empty_folder")


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
        assert [note.partition(": ")[2] for note in data.notes("mine")] == ["10 of 10 test images are also training images"]


def test_images_that_occur_more_than_once_are_reported():
    prepared(as_npz(images=np.concatenate([IMAGES, IMAGES[:3]]), labels=np.concatenate([LABELS, LABELS[:3]])) | HELD)
    (note,) = data.notes("mine")
    assert note.startswith("data.npz: 3 of 103 images are copies of others")
    prepared(as_npz() | HELD)
    assert data.notes("mine") == []


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


@pytest.mark.parametrize("write", [as_csv, as_npz])
@pytest.mark.parametrize(
    ("labels", "classes", "expected"),
    [
        (["0", "1", "2"], ["2", "1", "0"], {"0": 2, "1": 1, "2": 0}),  # text that is a name is no index
        (["0", "1", "2"], ["cat", "dog", "owl"], {"0": 0, "1": 1, "2": 2}),
        (["1", "2", "3"], ["3", "2", "1"], {"1": 2, "2": 1, "3": 0}),
        (["8", "9", "10"], None, {"8": 0, "9": 1, "10": 2}),
        (["8", "9", "x"], None, {"8": 0, "9": 1, "x": 2}),
    ],
)
def test_labels_that_are_text(write, labels, classes, expected):
    raw = data.read(data.check(write(labels=np.array(labels)[LABELS]) | HELD | {"classes": classes}, "conf/mine.yaml:data"))
    assert raw.about.classes == tuple(classes or expected)
    assert raw.train.labels.tolist() == [expected[labels[label]] for label in LABELS]


def test_integers_that_are_no_indices_are_names():
    raw = data.read(data.check(as_npz(labels=LABELS + 1) | HELD | {"classes": ["3", "2", "1"]}, "conf/mine.yaml:data"))
    assert raw.train.labels.tolist() == (2 - LABELS).tolist()


def test_labels_of_two_files_are_compared_as_text():
    names = np.array(["1", "2", "x"])
    settings = as_csv(labels=names[LABELS]) | {"test_path": "test.csv", "validation": 10}
    as_csv(IMAGES[::10], LABELS[::10] + 1, name="test.csv")  # without the x, a column of integers
    with pytest.raises(InputError, match=r"test\.csv: labels must be one of 1, 2, x, got '3'"):
        prepared(settings)
    as_csv(IMAGES[::10], names[LABELS[::10]], name="test.csv")
    assert prepared(settings)["test"].labels.tolist() == LABELS[::10].tolist()


@pytest.mark.parametrize(
    ("images", "keys", "shape"),
    [
        (IMAGES.reshape(100, 16), {}, (4, 4)),
        (IMAGES.reshape(100, 16), {"shape": [2, 8]}, (2, 8)),
        (IMAGES[..., None], {}, (4, 4)),
        (np.stack([IMAGES] * 3, -1), {}, (4, 4, 3)),
        (IMAGES, {"shape": [4, 4, 1]}, (4, 4)),
        (IMAGES.reshape(100, 1, 16), {"shape": [1, 16]}, (1, 16)),
        (np.stack([IMAGES] * 3, 1), {"shape": [3, 4, 4]}, (3, 4, 4)),
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
        (IMAGES // 3, {"maximum": 255}, 255),
        (IMAGES.clip(0, 128), {}, 255),
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
    grey = prepared(settings | {"grey": True, "maximum": 255})  # no pixel reaches half of the default
    assert storage.load_about("mine").shape == (2, 3) and np.allclose(grey["train"].images, 76 / 255)


def test_relative_paths_may_be_in_the_data_folder(tmp_path, monkeypatch):
    settings = as_npz()
    (tmp_path / "elsewhere").mkdir()
    Path("data.npz").rename("elsewhere/data.npz")
    monkeypatch.setenv(external.DATA_DIR, str(tmp_path / "elsewhere"))
    prepared(settings | HELD)
    assert storage.load_about("mine").source == "data.npz"


@pytest.mark.parametrize("write", [as_npz, as_csv])
def test_black_may_have_another_value_than_0(write):
    signed = IMAGES / np.float32(127.5) - 1
    splits = prepared(write(images=signed) | HELD | {"minimum": -1, "maximum": 1})
    expected = prepared(as_npz() | HELD, "expected")
    np.testing.assert_allclose(splits["train"].images, expected["train"].images, rtol=0, atol=2e-7)  # two roundings
    assert splits["train"].images.min() == 0 and splits["train"].images.max() == 1


def test_white_must_be_brighter_than_black():
    with pytest.raises(InputError, match="must have a maximum above minimum = 1, got"):
        prepared(as_npz() | HELD | {"minimum": 1, "maximum": 1})


def test_a_data_set_without_a_title_has_its_name_in_words():
    prepared(as_npz() | HELD, "my_faces")
    assert storage.load_about("my_faces").title == "My faces"
    prepared(as_npz() | HELD | {"title": "Faces of 1990"}, "my_faces")
    assert storage.load_about("my_faces").title == "Faces of 1990"


def test_title_licence_and_names_of_classes_are_not_inputs_of_training():
    files = [storage.split_file("mine", name) for name in storage.SPLITS] + [Path("data/mine/dimensions.json")]
    prepared(as_npz() | HELD)
    before = [file.read_bytes() for file in files]
    prepared(as_npz() | HELD | {"title": "Other", "licence": "CC0", "classes": ["x", "y", "z"]})
    assert [file.read_bytes() for file in files] == before
    stages = yaml.safe_load((Path(__file__).parent.parent / "dvc.yaml").read_text())["stages"]
    readers = {name for name, stage in stages.items() if any("about.json" in dep for dep in stage.get("deps", ()))}
    assert readers == {"report"}
    assert storage.load_dimensions("mine") == ((4, 4), 3)
