"""Small data sets in every format, written in random styles and then damaged at random.

`outcome` reads one of them and compares it with what a second reader, which is written here and shares no code with
`aebench.data`, finds in the damaged files. A reader may reject a file with a one-line error, or return what is in it;
nothing else.
"""

import csv
import gzip
import io
import re
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from aebench import data
from aebench.data.base import Raw
from aebench.errors import InputError

HELD = {"validation": 1, "test": 1}
NAMES = ("cat", "dog", "owl")
TOKENS = (b"nan", b"inf", b"-inf", b"", b"-", b'"', b'""', b",", b",,", b"\n", b"\r", b"\r\n", b"\0", b"1e400", b"1e-400", b" ")
TOKENS += (
    b"\xff",
    "é".encode(),
    b"9" * 30,
    b"0x10",
    b"1_0",
    b"True",
    b"NA",
    b"#",
    b";",
    b"\t",
    b"'",
    b"+1",
    b"1.",
    b".5",
    b"\xef\xbb\xbf",
)
HEADER = 64
"""Bytes at the beginning of a file, or at its end, that are damaged more often than others."""


@dataclass
class Case:
    """Files in the current folder, their settings, and a function that reads them again: images (n, h, w) / white, labels.

    Damage to pictures other than PNG cannot be found, since they have no checksums: only their number and labels are `exact`.
    """

    kind: str
    settings: dict
    files: list[Path]
    reference: Callable[[], tuple[np.ndarray, list[str]]]
    damage: list[str] = field(default_factory=list)
    exact: bool = True


# --- writing -------------------------------------------------------------------------------------------------------------


def some_images(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, h, w) uint8 that reach 255, and labels (n,) of two or three classes with two images or more."""
    classes, (n, h, w) = rng.integers(2, 4), (rng.integers(6, 12), *rng.integers(1, 5, 2))
    labels = np.concatenate([np.repeat(np.arange(classes), 2), rng.integers(0, classes, n - 2 * classes)])
    images = rng.integers(0, 256, (n, h, w), dtype=np.uint8)
    images[0, 0, 0] = 255
    return images, rng.permutation(labels)


def write_csv(rng: np.random.Generator) -> Case:
    images, labels = some_images(rng)
    names = [NAMES[label] for label in labels] if rng.random() < 0.5 else [str(label) for label in labels]
    flat, place = images.reshape(len(images), -1), rng.integers(0, images[0].size + 1)
    rows = [[f"p{i}" for i in range(flat.shape[1])], *([str(pixel) for pixel in row] for row in flat)]
    for row, label in zip(rows, ["kind", *names], strict=True):
        row.insert(place, label)
    stream = io.StringIO()
    quoting = (csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC)[rng.integers(3)]
    csv.writer(stream, lineterminator=("\n", "\r\n")[rng.integers(2)], quoting=quoting).writerows(rows)
    content = (b"\xef\xbb\xbf" if rng.random() < 0.1 else b"") + stream.getvalue().encode()
    Path("data.csv").write_bytes(content)
    settings = {"source": "csv", "path": "data.csv", "label": "kind", "maximum": 255, "shape": list(images.shape[1:])}
    return Case("csv", settings, [Path("data.csv")], lambda: read_csv(images.shape[1:], place))


def write_idx(rng: np.random.Generator) -> Case:
    images, labels = some_images(rng)
    for name, array in {"images.idx": images, "labels.idx": labels}.items():
        Path(name).write_bytes(idx(array))
    packed = rng.random() < 0.3
    if packed:
        Path("images.idx").write_bytes(gzip.compress(idx(images)))
    settings = {"source": "idx", "images": "images.idx", "labels": "labels.idx", "maximum": 255}
    return Case("idx", settings, [Path("images.idx"), Path("labels.idx")], read_idx)


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.astype(np.uint8).tobytes()


def write_npz(rng: np.random.Generator) -> Case:
    images, labels = some_images(rng)
    names = np.array(NAMES)[labels]
    kinds = (images, images / 255, images.astype(np.float32) / np.float32(255), images.astype(np.int32))
    save = np.savez_compressed if rng.random() < 0.5 else np.savez
    written = kinds[rng.integers(len(kinds))]
    save("data.npz", images=written, labels=names if rng.random() < 0.5 else labels)
    settings = {"source": "npz", "path": "data.npz", "maximum": 255 if written.dtype.kind in "iu" else 1}
    if rng.random() < 0.5:
        settings["shape"] = list(images.shape[1:])
    return Case("npz", settings, [Path("data.npz")], read_npz)


def write_folder(rng: np.random.Generator) -> Case:
    images, labels = some_images(rng)
    images, checked = images.repeat(2, 1).repeat(2, 2), rng.random() < 0.5
    folder, files = Path("pictures"), []
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        suffix = "png" if checked else ("bmp", "gif", "jpg", "tiff")[rng.integers(4)]
        files.append(folder / NAMES[label] / f"{i:02d}.{suffix}")
        files[-1].parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(files[-1])
    order = np.argsort([str(file) for file in files])
    expected = images[order] / 255, [NAMES[label] for label in labels[order]]
    settings = {"source": "folder", "path": "pictures", "maximum": 255, "grey": True}
    return Case("folder", settings, [files[i] for i in order], lambda: expected, exact=checked)


WRITERS = {"csv": write_csv, "idx": write_idx, "npz": write_npz, "folder": write_folder}


# --- the second readers --------------------------------------------------------------------------------------------------


def read_csv(shape: tuple[int, ...], place: int) -> tuple[np.ndarray, list[str]]:
    text = Path("data.csv").read_bytes().decode("utf-8-sig")
    rows = [row for row in csv.reader(io.StringIO(text, newline=""), skipinitialspace=True) if row and row != [""]]
    header = [name.strip() for name in rows[0]]
    assert len(set(header)) == len(header) and {len(row) for row in rows} == {len(header)}, "lines of several lengths"
    label = header.index("kind")
    pixels = [[float(cell) for i, cell in enumerate(row) if i != label] for row in rows[1:]]
    return np.array(pixels).reshape(-1, *shape) / 255, [row[label].strip() for row in rows[1:]]


def read_idx() -> tuple[np.ndarray, list[str]]:
    images, labels = (_idx(Path(name).read_bytes()) for name in ("images.idx", "labels.idx"))
    return images / 255, [str(label) for label in labels.tolist()]


def _idx(content: bytes) -> np.ndarray:
    content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    kind = {8: "B", 9: "b", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}[content[2]]
    shape = [int.from_bytes(content[4 * i : 4 * i + 4], "big") for i in range(1, content[3] + 1)]
    values = np.frombuffer(content[4 + 4 * content[3] :], kind)
    assert not any(content[:2]) and values.size == np.prod(shape)
    return values.reshape(shape)


def read_npz() -> tuple[np.ndarray, list[str]]:
    with zipfile.ZipFile("data.npz") as archive:
        images, labels = (np.lib.format.read_array(io.BytesIO(archive.read(f"{name}.npy"))) for name in ("images", "labels"))
    return images / (255 if images.dtype.kind in "iu" else 1), [str(label) for label in labels.tolist()]


# --- damage --------------------------------------------------------------------------------------------------------------


DAMAGE = {
    "flip": lambda part, rng: part[:1] and bytes([part[0] ^ (1 << rng.integers(8))]) + part[1:],
    "byte": lambda part, rng: bytes([rng.integers(256)]) + part[1:],
    "insert": lambda part, rng: rng.bytes(len(part)) + part,
    "token": lambda part, rng: TOKENS[rng.integers(len(TOKENS))] + part[rng.integers(2) :],
    "drop": lambda part, rng: b"",
    "repeat": lambda part, rng: part * 2,
    "swap": lambda part, rng: part[::-1],
    "cut": None,
}
"""What becomes of a part of a file; "cut" removes everything from there."""


def damage(case: Case, rng: np.random.Generator) -> None:
    """Change the bytes of one or several files; sometimes not at all."""
    for _ in range(rng.integers(0, 4)):
        file, kind = case.files[rng.integers(len(case.files))], list(DAMAGE)[rng.integers(len(DAMAGE))]
        content = file.read_bytes()
        start = _place(len(content), rng)
        end = start + int(rng.integers(1, 1 + max(1, min(HEADER, len(content) - start))))
        rest = DAMAGE[kind](content[start:end], rng) + content[end:] if DAMAGE[kind] else b""
        file.write_bytes(content[:start] + rest)
        case.damage.append(f"{kind} of bytes {start} to {end} of {len(content)} in {file}")


def _place(n: int, rng: np.random.Generator) -> int:
    if n == 0 or rng.random() < 0.4:
        return int(rng.integers(0, max(1, min(n, HEADER))))
    return int(rng.integers(max(0, n - HEADER), n)) if rng.random() < 0.3 else int(rng.integers(0, n))


# --- outcome -------------------------------------------------------------------------------------------------------------


def outcome(case: Case) -> str:
    """Read the files of `case`. Returns "read" or "refused"; raises `AssertionError` for everything else."""
    settings = HELD | case.settings
    try:
        raw = data.read(data.check(settings, "conf/mine.yaml:data"))
    except InputError as error:
        text = str(error)
        assert text.isprintable() and " must " in text and len(text) < 1000, text
        return "refused"
    except Exception as error:
        raise AssertionError(f"{type(error).__name__}: {error} after {case.damage}") from error
    try:
        images, labels = case.reference()
    except Exception as error:
        raise AssertionError(
            f"{case.kind} was read, although the second reader fails ({error!r}) after {case.damage}"
        ) from None
    same(raw, images, labels, case)
    return "read"


def same(raw: Raw, images: np.ndarray, labels: list[str], case: Case) -> None:
    """Raise `AssertionError` unless `raw` has these images and labels."""
    named = [raw.about.classes[label] for label in raw.train.labels]
    written = [str(int(label)) if re.fullmatch("[+-]?[0-9]+", label) and case.kind != "csv" else label for label in labels]
    assert named == written, f"labels {labels} were read as {named} after {case.damage}"
    pixels = images.reshape(len(images), -1)
    if not case.exact:
        assert raw.train.images.shape == pixels.shape or case.damage
        return
    np.testing.assert_allclose(raw.train.images, pixels, rtol=1e-6, atol=1e-6, err_msg=str(case.damage))
