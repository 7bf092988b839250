"""Published files (MNIST) are found in a local folder, or downloaded and checked."""

import dataclasses
import gzip
import hashlib
import io
import os
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pooch
import pytest
from data_files import IMAGES, MNIST, identities, idx_bytes, prepared

from aebench import data
from aebench.data import external
from aebench.data.card import pixel_moments
from aebench.data.mnist import Mnist
from aebench.errors import InputError

pytestmark = pytest.mark.usefixtures("empty_folder")
REAL = os.environ.get(external.DATA_DIR)
TINY = {
    "train-images-idx3-ubyte": idx_bytes(IMAGES),
    "train-labels-idx1-ubyte": idx_bytes(np.arange(100) % 10),
    "t10k-images-idx3-ubyte": idx_bytes(IMAGES[:10]),
    "t10k-labels-idx1-ubyte": idx_bytes(np.arange(10)),
}
FILE = "train-images-idx3-ubyte"


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
