"""Published data sets of four IDX files (MNIST and its successors), read from disk or downloaded, and verified.

Files are read from the folder named by AEBENCH_DATA_DIR, else from pooch's cache (e.g. ~/.cache/aebench), else from the
mirrors in turn. The SHA-256 is that of the decompressed content, since mirrors compress the same images differently. A file
with a different SHA-256 is an error in the user's folder and is skipped in the cache or on a mirror.
"""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from aebench.data import external
from aebench.data.base import Raw, Source
from aebench.data.idx import parse
from aebench.errors import InputError
from aebench.storage import About, Split

WHITE = 255.0


@dataclass(frozen=True)
class Download:
    """Four files: possible `folders` below AEBENCH_DATA_DIR, `mirrors` (URLs of folders), and `sha256` by file name."""

    about: About
    folders: tuple[str, ...]
    mirrors: tuple[str, ...]
    sha256: dict[str, str]

    def content(self, file: str) -> bytes:
        """Return the decompressed content of `file`, whose checksum has been verified."""
        path = self._local(file)
        if path is None:
            return self._cached(file).read_bytes()
        content = external.read(path)
        digest = hashlib.sha256(content).hexdigest()
        if digest != self.sha256[file]:
            raise InputError(f"{path} must have SHA-256 {self.sha256[file]} when decompressed, got {digest}")
        return content

    def _local(self, file: str) -> Path | None:
        folder = external.data_folder()
        names = [name + suffix for name in (file, file.replace("-idx", ".idx")) for suffix in ("", ".gz")]
        candidates = [folder / sub / name for sub in self.folders for name in names] if folder else []
        return next((path for path in candidates if path.is_file()), None)

    def _cached(self, file: str) -> Path:
        import pooch

        pooch.get_logger().setLevel("WARNING")
        cache = Path(pooch.os_cache("aebench")) / self.folders[0]
        for mirror in self.mirrors:
            known = {"registry": {file: f"sha256:{self.sha256[file]}"}, "urls": {file: f"{mirror}/{file}.gz"}}
            try:
                return Path(pooch.create(cache, mirror, **known, retry_if_failed=1).fetch(file, downloader=_download))
            except (OSError, ValueError) as failure:
                reason = "wrong content" if isinstance(failure, ValueError) else type(failure).__name__
        path = f"{self.folders[0]}/{file}.gz"
        raise InputError(
            f"{path} must be on a mirror or in your own folder (set {external.DATA_DIR}=<folder> with <folder>/{path}), "
            f"got {reason} from the last of {len(self.mirrors)} mirrors; make reproduce (DATASETS=digits) needs no network"
        )


class Published(Source):
    """A published data set with an official test set; uint8 pixels are divided by 255."""

    FILES: ClassVar[Download]

    @property
    def pixels(self) -> int:
        """Number of values per image."""
        return self.FILES.about.pixels

    @property
    def white(self) -> float:
        """The value of white."""
        return WHITE

    def read(self) -> Raw:
        """Read the official training and test images."""
        return Raw(self._split("train"), self.FILES.about, self._split("t10k"))

    def _split(self, part: str) -> Split:
        names = [f"{part}-{kind}" for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")]
        images, labels = (parse(self.FILES.content(name), name) for name in names)
        return Split(images.reshape(len(images), -1).astype("float32") / WHITE, labels.astype("int64"))


def _download(url: str, output_file: str, pooch: Any) -> None:
    """Download and decompress a gzip file, so that pooch verifies and caches the content."""
    from pooch import HTTPDownloader

    packed = io.BytesIO()
    HTTPDownloader(progressbar=True)(url, packed, pooch)
    Path(output_file).write_bytes(external.decompress(packed.getvalue(), url))
