"""Pictures are upright and opaque, and whatever else a folder contains is named or rejected."""

import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from data_files import CLASSES, HELD, IMAGES, LABELS, as_folder, as_npz, prepared, write_conf
from PIL import Image

from aebench import data, storage
from aebench.data import external, limits
from aebench.data.picture import read_picture
from aebench.errors import InputError

pytestmark = pytest.mark.usefixtures("empty_folder")
ALPHA = np.arange(16, dtype=np.uint8).reshape(4, 4) * 17
GREY = np.full((4, 4), 100, np.uint8)
ORANGE = (200, 100, 0)


def folder_of(make) -> dict:
    """A folder with one picture per image, made of the pixels (4, 4)."""
    for i, label in enumerate(LABELS):
        file = Path("pictures") / CLASSES[label] / f"{i:03d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        make(IMAGES[i], file)
    return {"source": "folder", "path": "pictures"}


def read(settings: dict) -> data.Raw:
    return data.read(data.check(HELD | settings, "conf/mine.yaml:data"))


# --- transparency --------------------------------------------------------------------------------------------------------


def rgba(file: str) -> None:
    colour = Image.new("RGB", (4, 4), ORANGE)
    colour.putalpha(Image.fromarray(ALPHA))
    colour.save(file)


def premultiplied(file: str) -> None:
    """TIFF whose colours are multiplied by the opacity: its tag 338, ExtraSamples, is 1."""
    pixels = np.dstack([np.full((4, 4, 3), ORANGE) * (ALPHA[..., None] / 255.0), ALPHA]).round().astype(np.uint8)
    Image.fromarray(pixels).save(file)
    content = Path(file).read_bytes()
    tag = struct.pack("<HHIH", 338, 3, 1, 2)
    assert content.count(tag) == 1
    Path(file).write_bytes(content.replace(tag, struct.pack("<HHIH", 338, 3, 1, 1)))


def la(file: str) -> None:
    grey = Image.fromarray(GREY)
    grey.putalpha(Image.fromarray(ALPHA))
    grey.save(file)


def palette_alpha(file: str) -> None:
    """A palette whose 16 colours are equal, but differ in opacity."""
    indexed = Image.fromarray(np.arange(16, dtype=np.uint8).reshape(4, 4)).convert("L").copy()
    indexed = Image.frombytes("P", (4, 4), indexed.tobytes())
    indexed.putpalette(ORANGE * 256)
    indexed.save(file, transparency=bytes(range(0, 256, 17)))


def palette_index(file: str) -> None:
    """A palette of which the first colour is transparent."""
    indexed = Image.frombytes("P", (4, 4), bytes([0] * 8 + [1] * 8))
    indexed.putpalette([9, 9, 9, *ORANGE])
    indexed.save(file, transparency=0)


def grey_colour(file: str) -> None:
    """Grey with a transparent value."""
    Image.fromarray(np.repeat(np.uint8([[7], [100]]), 8, 0).reshape(4, 4)).save(file, transparency=7)


def rgb_colour(file: str) -> None:
    """RGB with a transparent colour."""
    pixels = np.full((4, 4, 3), ORANGE, np.uint8)
    pixels[:2] = (1, 2, 3)
    Image.fromarray(pixels).save(file, transparency=(1, 2, 3))


def bits(file: str) -> None:
    """One bit per pixel; black is transparent."""
    Image.fromarray(np.repeat([False, True], 8).reshape(4, 4)).save(file, transparency=0)


UPPER = np.repeat(np.uint8([0, 255]), 8).reshape(4, 4)
MODES = {  # mode: (writer, file, colour, opacity)
    "RGBA": (rgba, "x.png", ORANGE, ALPHA),
    "RGBA, WebP": (lambda file: rgba_exact_webp(file), "x.webp", ORANGE, UPPER),
    "RGBA, premultiplied": (premultiplied, "x.tiff", ORANGE, ALPHA),
    "LA": (la, "x.png", (100,) * 3, ALPHA),
    "P with opacities": (palette_alpha, "x.png", ORANGE, ALPHA),
    "P with an index": (palette_index, "x.png", ORANGE, UPPER),
    "GIF with an index": (palette_index, "x.gif", ORANGE, UPPER),
    "L with a value": (grey_colour, "x.png", (100,) * 3, UPPER),
    "RGB with a colour": (rgb_colour, "x.png", ORANGE, UPPER),
    "1 with a value": (bits, "x.png", (255,) * 3, UPPER),
}


def rgba_exact_webp(file: str) -> None:
    colour = Image.new("RGB", (4, 4), ORANGE)
    colour.putalpha(Image.fromarray(UPPER))
    colour.save(file, lossless=True)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("background", ["white", "black", "#102030"])
def test_transparent_pixels_are_drawn_on_the_background(mode, background):
    write, file, colour, opacity = MODES[mode]
    write(file)
    picture, _ = read_picture(Path(file), False, background)
    below = {"white": (255,) * 3, "black": (0,) * 3, "#102030": (16, 32, 48)}[background]
    a = opacity[..., None] / 255
    expected = a * colour + (1 - a) * below
    tolerance = 2 if "premultiplied" in mode else 1  # colours of premultiplied pixels are rounded twice
    got = np.asarray(picture)
    is_grey = len(set(colour)) == 1 == len(set(below))
    assert picture.mode == ("L" if is_grey else "RGB")
    np.testing.assert_allclose(got, expected[..., 0] if is_grey else expected, atol=tolerance)
    luminance = np.asarray(read_picture(Path(file), True, background)[0])
    np.testing.assert_allclose(luminance, expected @ (0.299, 0.587, 0.114), atol=tolerance + 1)


@pytest.mark.parametrize("mode", MODES)
def test_transparency_without_a_background_is_an_error(mode):
    write, file, *_ = MODES[mode]
    write(file)
    with pytest.raises(InputError, match=r"data\.background must be given for transparent pixels, as in x"):
        read_picture(Path(file), False, None)


def test_a_picture_with_an_opaque_alpha_channel_needs_no_background():
    settings = folder_of(lambda pixels, file: Image.fromarray(pixels).convert("LA").save(file))
    np.testing.assert_array_equal(read(settings).train.images, IMAGES.reshape(100, 16) / np.float32(255))
    rgb = np.dstack([IMAGES[0], IMAGES[1], IMAGES[2]])
    Image.fromarray(rgb).convert("RGBA").save("x.png")
    np.testing.assert_array_equal(np.asarray(read_picture(Path("x.png"), False, None)[0]), rgb)


def test_the_background_is_a_setting():
    def write(pixels, file):
        picture = Image.fromarray(pixels)
        picture.putalpha(Image.fromarray(ALPHA))
        picture.save(file)

    settings = folder_of(write)
    for background, white in (("white", 255), ("black", 0)):
        expected = (ALPHA * (IMAGES / 255) + (255.0 - ALPHA) * white / 255) / 255
        got = read(settings | {"background": background, "maximum": 255}).train.images
        np.testing.assert_allclose(got, expected.reshape(100, 16), atol=1 / 255)
    for wrong in ("wite", "#12345", "#ffffff00"):
        with pytest.raises(InputError, match=r"data\.background must be a colour such as white, black or '#808080', got"):
            read(settings | {"background": wrong})


# --- orientation ---------------------------------------------------------------------------------------------------------

TURNS = {  # EXIF orientation: how the stored pixels become upright
    1: lambda x: x,
    2: np.fliplr,
    3: lambda x: np.rot90(x, 2),
    4: np.flipud,
    5: np.transpose,
    6: lambda x: np.rot90(x, -1),
    7: lambda x: np.rot90(x, 2).T,
    8: np.rot90,
}


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("suffix", ["png", "webp", "tiff", "jpg"])
def test_pictures_are_turned_as_their_orientation_says(orientation, suffix):
    upright = np.repeat(np.repeat(np.uint8([[0, 60, 120], [180, 240, 30]]), 8, 0), 8, 1)
    stored = next(s for s in map(TURNS.get, TURNS) if np.array_equal(TURNS[orientation](s(upright)), upright))(upright)
    exif = Image.Exif()
    exif[274] = orientation
    options = {"webp": {"lossless": True}, "jpg": {"quality": 100}}.get(suffix, {})
    Image.fromarray(np.ascontiguousarray(stored)).save(f"x.{suffix}", exif=exif, **options)
    picture = read_picture(Path(f"x.{suffix}"), True, None)[0]
    np.testing.assert_allclose(np.asarray(picture), upright, atol=2 if suffix == "jpg" else 0)


def test_a_turned_picture_is_resized_upright():
    exif = Image.Exif()
    exif[274] = 6

    def write(pixels, file):
        Image.fromarray(np.repeat(np.rot90(pixels), 2, 0)).save(file, exif=exif)  # upright, it is 4 high and 8 wide

    got = read(folder_of(write) | {"size": [4, 8]}).train.images
    np.testing.assert_array_equal(got, np.repeat(IMAGES, 2, 2).reshape(100, 32) / np.float32(255))


# --- what else a folder contains -----------------------------------------------------------------------------------------


def save(file: str, **options) -> None:
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(IMAGES[0]).save(file, **options)


def link(file: str, target: str) -> None:
    Path(file).symlink_to(target)


SECOND = {"save_all": True, "append_images": [Image.fromarray(IMAGES[1])] * 2}
PASSED_OVER = {  # what: (how it is made, note)
    "hidden file": (lambda: Path("pictures/cat/.DS_Store").touch(), "skipped hidden files and folders: 1 (.DS_Store)"),
    "hidden folder": (lambda: save("pictures/.cache/a.png"), "skipped hidden files and folders: 1 (.cache)"),
    "beside": (lambda: save("pictures/a.png"), "skipped files beside the subfolders: 1 (a.png)"),
    "deeper": (
        lambda: [save(f"pictures/cat/sub/{name}.png") for name in "abcd"],
        "skipped files in folders inside the subfolders: 4 (cat/sub/a.png, cat/sub/b.png, cat/sub/c.png, ...)",
    ),
    "deepest": (
        lambda: save("pictures/cat/s/u/a.png"),
        "skipped files in folders inside the subfolders: 1 (cat/s/u/a.png)",
    ),
    "dangling link": (lambda: link("pictures/cat/x.png", "none"), "skipped broken links and special files: 1 (cat/x.png)"),
    "pipe": (lambda: os.mkfifo("pictures/cat/x"), "skipped broken links and special files: 1 (cat/x)"),
    "pages": (
        lambda: save("pictures/cat/000.tiff", **SECOND),
        "skipped frames or pages after the first: 2 (cat/000.tiff)",
    ),
    "frames": (
        lambda: save("pictures/cat/000.png", **SECOND),
        "skipped frames or pages after the first: 2 (cat/000.png)",
    ),
}


@pytest.mark.parametrize("what", PASSED_OVER)
def test_what_is_passed_over_is_counted_and_named(what, capsys):
    settings = as_folder()
    if what == "pages":
        Path("pictures/cat/000.png").unlink()
    make, note = PASSED_OVER[what]
    make()
    splits = prepared(settings | HELD)
    assert [len(splits[name].labels) for name in storage.SPLITS] == [70, 10, 20]
    assert data.notes("mine") == [f"pictures: {note}"] and capsys.readouterr().err == f"note: pictures: {note}\n"
    np.testing.assert_array_equal(splits["train"].images, prepared(as_npz() | HELD, "expected")["train"].images)


def test_nothing_is_noted_when_all_is_read(capsys):
    prepared(as_folder() | HELD)
    assert data.notes("mine") == [] and capsys.readouterr().err == ""


def test_notes_of_names_that_are_not_utf8_can_be_printed():
    settings = as_folder()
    Path(os.fsdecode(b"pictures/\xff.png")).touch()
    prepared(settings | HELD)
    assert data.notes("mine") == [r"pictures: skipped files beside the subfolders: 1 (\udcff.png)"]


OTHER_CLASSES = {  # what: (how it is made, message)
    "empty": (lambda: Path("pictures/cow").mkdir(), "pictures/cow must contain image files, or be removed, got none: every"),
    "only deeper": (
        lambda: save("pictures/cow/sub/a.png"),
        "pictures/cow must contain image files, or be removed, got none (but 1 in folders inside it)",
    ),
    "only hidden": (lambda: save("pictures/cow/.a.png"), "pictures/cow must contain image files, or be removed, got none"),
    "only links to nothing": (
        lambda: [Path("pictures/cow").mkdir(), link("pictures/cow/a.png", "none")],
        "pictures/cow must contain image files, or be removed, got none",
    ),
    "link to nothing": (
        lambda: link("pictures/cow", "none"),
        "pictures/cow must be a subfolder with the images of a class, or",
    ),
    "link to itself": (lambda: link("pictures/cow", "cow"), "pictures/cow must be a subfolder with the images of a class, or"),
    "line break": (lambda: save("pictures/c\now/a.png"), "names of subfolders must be 1 to 100 printable characters"),
    "not UTF-8": (
        lambda: save(os.fsdecode(b"pictures/\xff/a.png")),
        r"pictures: names of subfolders must be 1 to 100 printable characters without spaces at the ends, got '\udcff'",
    ),
}


@pytest.mark.parametrize("what", OTHER_CLASSES)
def test_what_would_change_the_classes_is_an_error(what):
    make, message = OTHER_CLASSES[what]
    write_conf("mine", as_folder() | HELD)
    make()
    with pytest.raises(InputError) as error:
        data.prepare("mine")
    assert message in str(error.value) and "\n" not in str(error.value) and not Path("data").exists()


def test_links_are_followed():
    as_folder(name="elsewhere")
    Path("pictures").mkdir()
    for name in CLASSES[:2]:
        link(f"pictures/{name}", f"../elsewhere/{name}")
    Path("pictures/owl").mkdir()
    for file in Path("elsewhere/owl").iterdir():
        link(f"pictures/owl/{file.name}", f"../../{file}")
    np.testing.assert_array_equal(read({"source": "folder", "path": "pictures"}).train.images, read(as_npz()).train.images)


def test_the_classes_of_a_test_folder_must_be_those_of_the_training_folder():
    settings = as_folder() | {
        "test_path": as_folder(IMAGES[::10], LABELS[::10], name="test")["path"],
        "test": None,
        "validation": 10,
    }
    Path("test/owl").rename("test/cow")
    with pytest.raises(InputError, match="test: labels must be one of cat, dog, owl, got 'cow'"):
        prepared(settings)


# --- memory --------------------------------------------------------------------------------------------------------------


def test_what_does_not_fit_into_memory_is_refused_before_it_is_read(monkeypatch):
    monkeypatch.setattr(limits, "free_memory", lambda: 10**6)
    message = r"must fit into memory \(0\.0 GB of 0\.0 GB may be used\), got "
    folder = as_folder()
    with pytest.raises(InputError, match=r"pictures with data\.size \[20000, 20000\] " + message + r"200\.0 GB"):
        read(folder | {"size": [20000, 20000]})
    with pytest.raises(InputError, match=r"the array 'images' of data\.npz " + message):
        read(as_npz(np.zeros((100, 100, 100), np.uint8)))
    Path("bomb.gz").write_bytes(gzip.compress(bytes(10**7)))
    with pytest.raises(InputError, match=r"the decompressed content of bomb\.gz " + message):
        external.read(Path("bomb.gz"))
    Path("large").write_bytes(bytes(10**6))
    with pytest.raises(InputError, match="the content of large " + message):
        external.read(Path("large"))
    assert len(read(folder).train.images) == 100


def test_decompression_stops_at_the_limit(monkeypatch):
    monkeypatch.setattr(limits, "free_memory", lambda: 10**6)
    monkeypatch.setattr(external, "CHUNK", 10**5)
    sizes = []
    monkeypatch.setattr(external, "must_fit", lambda size, what: (sizes.append(size), limits.must_fit(size, what)))
    with pytest.raises(InputError, match="must fit into memory"):
        external.decompress(gzip.compress(bytes(10**7)), "bomb")
    assert max(sizes) <= 7 * 10**5


def test_a_picture_of_too_many_pixels_is_refused(monkeypatch):
    settings = as_folder()
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(InputError, match=r"pictures/cat/000\.png must be an image file that Pillow reads, got: Image size"):
        read(settings)


def test_an_unknown_amount_of_memory_is_no_limit(monkeypatch):
    monkeypatch.setattr(limits, "free_memory", lambda: None)
    assert len(read(as_npz()).train.images) == 100
