"""Files that are meant to do harm, and names and texts that mean something to HTML, LaTeX or a file system."""

import ast
import gzip
import io
import re
import resource
import struct
import subprocess
import sys
import zipfile
import zlib
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from data_files import HELD, IMAGES, LABELS, as_folder, as_idx, as_npz, prepared
from hypothesis import given, settings
from hypothesis import strategies as st
from project import ROOT

from aebench import storage
from aebench.data import external, limits
from aebench.errors import InputError, check_names
from aebench.reporting import templates

LIMIT = 3 * 2**30
"""Bytes of memory that a process with a bomb may have."""
PROGRAM = """
import resource, sys
from aebench import data, errors
with errors.one_line():
    data.read(data.check(eval(sys.argv[1]), "conf/mine.yaml:data"))
print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


# --- bombs ---------------------------------------------------------------------------------------------------------------


def idx_header(*shape):
    return bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)


def gzip_bomb() -> dict:
    """64 GB of zeros in 64 MB, as 64 members of 1 GB each."""
    compressor = zlib.compressobj(9, wbits=31)
    member = b"".join(compressor.compress(bytes(2**24)) for _ in range(64)) + compressor.flush()
    with Path("images.idx.gz").open("wb") as stream:
        for _ in range(64):
            stream.write(member)
    return {"source": "idx", "images": "images.idx.gz", "labels": "labels.idx"}


def claims_many_images() -> dict:
    """A header that claims 2^40 images of one pixel."""
    Path("images.idx").write_bytes(idx_header(2**20, 2**20, 1) + bytes(100))
    return as_idx() | {"images": "images.idx"}


def picture_bomb() -> dict:
    """A PNG of 60,000 x 60,000 pixels in a few kilobytes."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    folder = as_folder()
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(2**20)))
    Path("pictures/cat/000.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b""))
    return folder


def npz_bomb() -> dict:
    """An archive of 10 MB whose array has 10 GB, more than may be used."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (10 * 2**30,)})
    with (
        zipfile.ZipFile("data.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("images.npy", "w", force_zip64=True) as s,
    ):
        s.write(header.getvalue())
        for _ in range(10 * 16):
            s.write(bytes(2**26))
    return {"source": "npz", "path": "data.npz"}


BOMBS = {  # (function that makes it, the line)
    claims_many_images: "images.idx must have 1099511627792 bytes, as its header gives the shape (1048576, ",
    picture_bomb: "pictures/cat/000.png must be an image file that Pillow reads, got: Image size (3600000000 pixels)",
}
LONG_BOMBS = {
    gzip_bomb: "the decompressed content of images.idx.gz must fit into memory",
    npz_bomb: "the array 'images' of data.npz must fit into memory",
}


def read_in_little_memory(source: dict) -> str:
    """Read a data set in a process of limited memory; returns its only line."""
    limit = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_AS, (4 * LIMIT, 4 * LIMIT))}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, repr(HELD | source)], capture_output=True, text=True, check=False, timeout=300, **limit
    )
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr[-2000:]
    return done.stderr


@pytest.mark.parametrize("bomb", BOMBS, ids=lambda bomb: bomb.__name__)
def test_a_bomb_is_refused_without_its_content(bomb, empty_folder):
    with pytest.raises(InputError) as error:
        prepared(HELD | bomb())
    assert str(error.value).startswith(BOMBS[bomb])


@pytest.mark.reliability
def test_bombs_do_not_exhaust_the_memory(empty_folder, monkeypatch, tried):
    sitecustomize = f"from aebench.data import limits\nlimits.free_memory = lambda: {LIMIT}\n"
    Path("sitecustomize.py").write_text(sitecustomize)
    monkeypatch.setenv("PYTHONPATH", f"{empty_folder}:{ROOT}")
    for bomb, line in {**BOMBS, **LONG_BOMBS}.items():
        assert read_in_little_memory(bomb()).startswith(f"error: {line}")
    what = "decompression bombs: gzip of 64 GB, npz of 10 GB, picture of 3.6 gigapixels, header of 2^40 images"
    tried(what, 4, "one line each")


def test_a_gzip_bomb_stops_at_the_limit(empty_folder, monkeypatch):
    monkeypatch.setattr(limits, "free_memory", lambda: 2 * 10**8)
    Path("bomb").write_bytes(gzip.compress(bytes(2 * 10**8)))
    with pytest.raises(InputError, match=r"the decompressed content of bomb must fit into memory \(0\.1 GB of 0\.2 GB"):
        external.read(Path("bomb"))


# --- nothing is unpickled ------------------------------------------------------------------------------------------------


class Mine:
    """Unpickling it writes a file."""

    def __reduce__(self):
        return (Path("pwned").touch, ())


@pytest.mark.parametrize("array", ["images", "labels"])
def test_nothing_in_an_npz_file_is_unpickled(array, empty_folder):
    objects = np.array([Mine()] * 100, dtype=object)
    with pytest.raises(InputError, match=f"the array '{array}' of data.npz must be numbers or text, got Python objects"):
        prepared(HELD | as_npz(**{"images": IMAGES, "labels": LABELS} | {array: objects}))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        storage.read_arrays(Path("data.npz"))
    assert not Path("pwned").exists()


def test_the_package_calls_nothing_that_unpickles_or_runs_text():
    """`torch.load`, pickle and its relatives, YAML loaders that make objects, `eval` and `exec`, and shells."""
    wrong = []
    for path in [*(ROOT / "aebench").rglob("*.py"), *(ROOT / "stages").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = {alias.name.split(".")[0] for alias in node.names} | {(getattr(node, "module", "") or "").split(".")[0]}
                wrong += [
                    (path.name, name) for name in names & {"pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
                ]
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                options = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                unsafe = (
                    called in ("eval", "exec", "torch.load", "os.system", "yaml.unsafe_load") or options.get("shell") == "True"
                )
                unsafe |= called.endswith("np.load") and options.get("allow_pickle") != "False"
                unsafe |= called == "yaml.load" and "import yaml" in path.read_text()
                unsafe |= called.endswith("YAML") and options.get("typ") not in (None, "'safe'", "'rt'")
                wrong += [(path.name, node.lineno, called)] if unsafe else []
    assert wrong == []


# --- names and texts -----------------------------------------------------------------------------------------------------


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.text(max_size=80))
def test_a_name_that_passes_is_one_part_of_a_path_and_one_word_of_a_shell(name):
    try:
        check_names([name], "models")
    except InputError as error:
        assert str(error).isprintable()
        return
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,63}", name) and Path("runs", name).parts == ("runs", name)


TEXTS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Z"]), max_size=40)
EVIL = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}",
    "{% raw %}",
    "' onclick='x",
    "&lt;",
    "</table>",
)


class Reader(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self):
        super().__init__()
        self.tags, self.text = [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, sorted(name for name, _ in attrs)))

    def handle_data(self, data):
        self.text += data


def html(text):
    source = '<td title="{{ text }}">{{ text }}</td>'
    reader = Reader()
    reader.feed(templates._environment(".html").from_string(source).render(text=text))
    return reader


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.one_of(TEXTS, st.sampled_from(EVIL)))
def test_html_shows_any_text_and_makes_no_tag_of_it(text):
    assert html(text).tags == [("td", ["title"])] and html(text).text == text


ACTIVE = re.compile(r"(?<!\\)(?:\\\\)*[&%$#_{}~^]|\\(?:write|input|include|immediate|def|catcode|openout|csname)\b")


@settings(derandomize=True, max_examples=200, deadline=None)
@given(
    st.one_of(
        TEXTS, st.sampled_from([r"\input{/etc/passwd}", r"\write18{rm -rf /}", r"^^5cinput", "50% & more_$x$", r"\\", "#1~{}"])
    )
)
def test_latex_has_no_command_and_no_active_character_of_any_text(text):
    escaped = templates.latex(text)
    for known in set(templates.LATEX.values()):  # what the table itself writes
        escaped = escaped.replace(known, "") if len(known) > 1 else escaped
    assert not ACTIVE.search(escaped) and "\\" not in escaped


def test_texts_of_users_are_escaped_in_the_report(fake_project):
    import fake_runs

    card = Path("data/fake/card/card.json")
    content = storage.read_json(card)
    storage.write_json(card, content | {"title": EVIL[0], "licence": EVIL[1], "notes": [EVIL[2]], "source": r"\input{x} <b>"})
    texts = fake_runs.write_texts()
    page = Path("runs/pages/fake.html")
    for name, text in {**texts, "page": page.read_text() if page.exists() else ""}.items():
        if name in (".html", "page"):
            assert "<script>alert" not in text and "<img src=x" not in text and "<b>" not in text
        if name == ".tex":
            assert r"\input{x}" not in text
