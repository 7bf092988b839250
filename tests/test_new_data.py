"""`aebench new-data` describes files of every format by settings that are valid, that nobody has tuned, and that can run."""

import re
from pathlib import Path

import numpy as np
import pytest
from data_files import CLASSES, IMAGES, LABELS, WRITERS, as_csv, as_folder, as_npz, idx_bytes
from PIL import Image

from aebench import config, data
from aebench.config import Suite
from aebench.errors import InputError
from aebench.pipeline.checks import check_dataset
from aebench.scaffold.data_set import grey_levels, new_data, value_range
from aebench.storage import load_about, read_yaml

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.usefixtures("empty_folder")


def paths_of(settings):
    return [settings[key] for key in ("path", "images", "labels") if key in settings]


def check(name):
    """Check all models of a data set, as the stage `check` does."""
    conf = config.dataset(name)
    check_dataset(name, Suite(datasets=[name], models=list(conf.models), stacks=list(conf.stacks), seeds=[0]))
    return conf


@pytest.mark.parametrize("kind", WRITERS)
def test_every_format_is_recognised_and_read_as_before(kind):
    settings = WRITERS[kind]()
    written = new_data("mine", paths_of(settings))
    conf = check("mine")
    assert written.file == Path("conf/mine.yaml") and conf.data["maximum"] == 255 and conf.data["minimum"] == 0
    splits = data.prepare("mine")
    expected = data.read(data.check(settings | {"validation": 0.1, "test": 0.2}, "expected")).train.images
    found = np.concatenate([split.images for split in splits.values()])
    np.testing.assert_array_equal(np.unique(found, axis=0), np.unique(expected, axis=0))
    assert load_about("mine").classes == (CLASSES if kind == "folder" else ("0", "1", "2"))
    assert load_about("mine").title == "Mine"


def test_settings_are_not_those_of_digits():
    new_data("mine", paths_of(as_npz()))
    conf, digits = config.dataset("mine"), read_yaml(ROOT / "conf/digits.yaml")
    assert not conf.remarks and not conf.studies and conf.training.learning_rate == 0.001 and conf.training.threads == 1
    assert not any("learning_rate" in settings.get("training", {}) for settings in conf.all_models.values())
    assert conf.compute == {"processes": 1, "threads": 1, "device": "auto"}
    assert conf.evaluation["density"]["levels"] == 256 != digits["evaluation"]["density"]["levels"]
    assert set(conf.all_models) <= set(digits["models"]) | set(digits["stacks"])  # the names that the claims use


def test_an_official_test_set_is_found():
    Path("t10k-images").write_bytes(idx_bytes(IMAGES[::4]))
    Path("t10k-labels").write_bytes(idx_bytes(LABELS[::4]))
    train = paths_of(WRITERS["idx"]())
    new_data("a", ["t10k-images", *train, "t10k-labels"])
    as_npz(test_images=IMAGES[::4], test_labels=LABELS[::4])
    new_data("b", ["data.npz"])
    new_data("c", [as_csv(IMAGES[::4], LABELS[::4], "test.csv")["path"], as_csv()["path"]])
    as_folder(name="both/train")
    as_folder(IMAGES[::4], LABELS[::4], "both/test")
    new_data("d", ["both"])
    for name in "abcd":
        conf = check(name)
        assert "test" not in conf.data, name
        np.testing.assert_array_equal(data.prepare(name)["test"].images, IMAGES[::4].reshape(25, -1) / np.float32(255))


def test_a_word_that_contains_test_is_not_test_data():
    """Neither a folder nor `latest` is; images would get labels of other images, or the sets would be exchanged."""
    Path("latest").mkdir()
    for name, every in (("a", 1), ("b", 2)):
        Path(f"latest/{name}-images").write_bytes(idx_bytes(IMAGES[::every]))
        Path(f"latest/{name}-labels").write_bytes(idx_bytes(LABELS[::every]))
    with pytest.raises(InputError, match="must be four IDX files of which those of the test data have test or t10k in their"):
        new_data("a", [f"latest/{name}" for name in ("a-images", "b-images", "b-labels", "a-labels")])
    as_csv(name="latest.csv")
    as_csv(IMAGES[::4], LABELS[::4], "eval.csv")
    new_data("b", ["latest.csv", "eval.csv"])
    assert (config.dataset("b").data["path"], config.dataset("b").data["test_path"]) == ("latest.csv", "eval.csv")


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        ([0, 255], (0, 255)),
        ([3, 200], (0, 255)),
        ([0, 16], (0, 16)),
        ([0, 0.7], (0, 1)),
        ([-1, 1], (-1, 1)),
        ([-0.2, 0.9], (-1, 1)),
        ([-1.5, 3.25], (-1.5, 3.25)),
        ([0, 3.7], (0, 3.7)),
        ([0, 65535], (0, 65535)),
    ],
)
def test_black_and_white_are_usual_values_if_they_fit(pixels, expected):
    assert value_range([np.array(pixels)]) == expected
    assert value_range([np.array(pixels[:1]), np.array(pixels[1:])]) == expected


@pytest.mark.parametrize(
    ("pixels", "black", "white", "levels"),
    [
        (np.arange(17), 0, 16, 17),
        ([0, 255], 0, 255, 2),
        (np.arange(0, 256, 3), 0, 255, 86),
        (np.float32(np.arange(2001) / 1000 - 1), -1, 1, 2001),
        (np.random.default_rng(0).random(5000), 0, 1, 256),
        ([0.1, 0.4, 0.45], 0, 1, 21),
    ],
)
def test_grey_levels_are_counted(pixels, black, white, levels):
    assert grey_levels(np.asarray(pixels), black, white) == levels


def test_pixels_in_any_range_become_images():
    as_npz(images=IMAGES / np.float32(127.5) - 1)
    new_data("mine", ["data.npz"])
    assert check("mine").data["minimum"] == -1 and config.dataset("mine").evaluation["density"]["levels"] == 256
    assert data.prepare("mine")["train"].images.min() == 0


def test_pixels_far_below_one_have_their_own_white():
    as_npz(images=IMAGES / np.float32(255) * np.float32(0.05))
    written = new_data("mine", ["data.npz"])
    assert check("mine").data["maximum"] == pytest.approx(0.05) and "white 0.05" in written.guesses[2]
    images = data.prepare("mine")["train"].images
    assert images.min() == 0 and images.max() == pytest.approx(1)


def test_a_class_that_may_be_a_missing_label_is_named():
    as_csv()
    text = Path("data.csv").read_text()
    Path("data.csv").write_text(re.sub(r"(?m)^2,", "NaN,", text))
    assert any("a class is called NaN: if that means a missing" in guess for guess in new_data("mine", ["data.csv"]).guesses)
    data.prepare("mine")
    assert "NaN" in load_about("mine").classes
    Path("data.csv").write_text(text)
    assert not any("missing label" in guess for guess in new_data("other", ["data.csv"]).guesses)


def test_large_pictures_of_several_sizes_are_resized_and_transparency_is_drawn_on_white():
    for i, (width, mode) in enumerate([(40, "RGB"), (50, "L"), (90, "RGBA")] * 10):
        file = Path("pictures", CLASSES[i % 2], f"{i}.png")
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((width, 30), 100).convert(mode).save(file)
    new_data("mine", ["pictures"])
    conf = check("mine")
    assert conf.data["size"] == [32, 32] and conf.data["grey"] and conf.data["background"] == "white"
    assert data.prepare("mine")["train"].images.shape[1] == 1024


def test_small_classes_have_an_image_in_every_split():
    new_data("mine", paths_of(as_npz(IMAGES[:9], np.arange(9) % 3)))
    assert all(set(split.labels) == {0, 1, 2} for split in data.prepare("mine").values())


def test_a_file_is_never_overwritten():
    new_data("mine", paths_of(as_npz()))
    before = Path("conf/mine.yaml").read_bytes()
    with pytest.raises(InputError, match=r"NAME must be new, got 'MINE': conf/mine.yaml exists and is not overwritten"):
        new_data("MINE", ["data.npz"])
    assert Path("conf/mine.yaml").read_bytes() == before


ERRORS = {
    "no files": (lambda: ["nowhere"], "nowhere must exist in the project's folder"),
    "text": (lambda: [str(Path("a.txt").write_text("text") and "a.txt")], "PATH must be CSV files, an npz file,"),
    "labels only": (lambda: [WRITERS["idx"]()["labels"]], "got 0 with images and 1 with labels"),
    "other arrays": (lambda: [str(np.savez("o.npz", a=1, b=2) or "o.npz")], "o.npz must have arrays named images and labels"),
    "test images without labels": (
        lambda: [str(np.savez("t.npz", images=IMAGES, labels=LABELS, x_test=IMAGES) or "t.npz")],
        "t.npz must have both images and labels of test data, or neither, got x_test alone",
    ),
    "no label": (lambda: [str(Path("h.csv").write_text("p0,p1,z0,z1\n1,2,3,4\n") and "h.csv")], "--label must be given"),
    "semicolons": (lambda: [str(Path("s.csv").write_text("label;p0;p1\n1;2;3\n") and "s.csv")], "values, got semicolons: save"),
    "tabs": (lambda: [str(Path("t.csv").write_text("label\tp0\n1\t2\n") and "t.csv")], "s between its values, got tabs"),
    "no header": (
        lambda: [str(Path("n.csv").write_text("7,0,0,12,0.5\n1,0,0,3,4\n") and "n.csv")],
        "n.csv must begin with a line of column names, got the values 7, 0, 0, 12, ...",
    ),
    "no header, names": (
        lambda: [str(Path("n.csv").write_text("cat,0,0,12\ndog,0,3,4\n") and "n.csv")],
        "n.csv must begin with a line of column names, got the values cat, 0, 0, 12, ...",
    ),
    "header of numbers": (lambda: [str(Path("n.csv").write_text("0,1,2,3\n1,0,3,4\n") and "n.csv")], "--label must be given"),
    "one class": (lambda: paths_of(as_npz(labels=LABELS * 0)), "labels must be of at least two classes"),
    "constant": (lambda: paths_of(as_npz(images=IMAGES * 0 + 9)), "pixels must be finite numbers that differ, got 9 to 9"),
    "two images": (lambda: paths_of(as_npz(IMAGES[:2], np.arange(2))), "must take and leave at least one image of every class"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_what_cannot_be_used_is_named_and_nothing_is_written(case):
    make, message = ERRORS[case]
    with pytest.raises(InputError, match=re.escape(message)):
        new_data("mine", make())
    assert not Path("conf/mine.yaml").exists()


def test_a_column_of_labels_is_for_csv_files_only():
    with pytest.raises(InputError, match="--label must be given for CSV files only, got 'kind'"):
        new_data("mine", paths_of(as_npz()), label="kind")


def test_the_column_of_the_labels_may_be_given():
    as_csv()
    Path("data.csv").write_text(Path("data.csv").read_text().replace("kind,p0", "z0,p0", 1))
    with pytest.raises(InputError, match=r"--label must be one of .*, got 'y0'"):
        new_data("mine", ["data.csv"], label="y0")
    new_data("mine", ["data.csv"], label="z0")
    assert check("mine").data["label"] == "z0"
