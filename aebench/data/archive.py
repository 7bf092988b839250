"""A published data set of four IDX files, had from the first place that gives the right bytes.

Looked for in the folder named by AEBENCH_DATA_DIR, then in pooch's cache (e.g. ~/.cache/aebench), then on the mirrors in
turn. SHA-256 is taken of the unpacked content, since mirrors pack the same images differently. A wrong file in the
user's folder is an error; in the cache or on a mirror it is passed over.
"""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aebench.data import files
from aebench.data.base import Raw
from aebench.data.idx import parse
from aebench.errors import InputError
from aebench.runs import About, Split


@dataclass(frozen=True)
class Archive:
    """Where the files lie: sub-`folders` of AEBENCH_DATA_DIR, `mirrors` (addresses of folders), and `sha256` by file."""

    about: About
    folders: tuple[str, ...]
    mirrors: tuple[str, ...]
    sha256: dict[str, str]

    def read(self) -> Raw:
        """The official training and test images; uint8 pixels / 255."""
        return Raw(self._split("train"), self.about, self._split("t10k"))

    def _split(self, part: str) -> Split:
        images, labels = (parse(self.content(f"{part}-{kind}"), kind) for kind in ("images-idx3-ubyte", "labels-idx1-ubyte"))
        return Split(images.reshape(len(images), -1).astype("float32") / 255, labels.astype("int64"))

    def content(self, file: str) -> bytes:
        """The unpacked content of `file`, which has the right checksum."""
        place = self._local(file)
        if place is None:
            return self._cached(file).read_bytes()
        found = files.content(place)
        digest = hashlib.sha256(found).hexdigest()
        if digest != self.sha256[file]:
            raise InputError(f"{place} must have SHA-256 {self.sha256[file]} when unpacked, got {digest}")
        return found

    def _local(self, file: str) -> Path | None:
        folder = files.data_folder()
        names = [name + packed for name in (file, file.replace("-idx", ".idx")) for packed in ("", ".gz")]
        places = [folder / sub / name for sub in self.folders for name in names] if folder else []
        return next((place for place in places if place.is_file()), None)

    def _cached(self, file: str) -> Path:
        import pooch

        pooch.get_logger().setLevel("WARNING")
        cache = Path(pooch.os_cache("aebench")) / self.folders[0]
        for mirror in self.mirrors:
            known = {"registry": {file: f"sha256:{self.sha256[file]}"}, "urls": {file: f"{mirror}/{file}.gz"}}
            try:
                return Path(pooch.create(cache, mirror, **known, retry_if_failed=1).fetch(file, downloader=download))
            except (OSError, ValueError) as failure:
                reason = "wrong content" if isinstance(failure, ValueError) else type(failure).__name__
        wanted = f"{self.folders[0]}/{file}.gz"
        raise InputError(
            f"{wanted} must be on a mirror or in your own folder (set {files.DATA_DIR}=<folder> with <folder>/{wanted}), "
            f"got {reason} from the last of {len(self.mirrors)} mirrors; make reproduce (DATASETS=digits) needs no network"
        )


def download(url: str, output_file: str, pooch: Any) -> None:
    """A pooch downloader that stores what a gzip file contains, so that pooch checks and caches the content."""
    from pooch import HTTPDownloader

    packed = io.BytesIO()
    HTTPDownloader(progressbar=True)(url, packed, pooch)
    Path(output_file).write_bytes(files.unpack(packed.getvalue(), url))
