"""YAML files: read, written and edited with ruamel.yaml (YAML 1.2), in the format of DVC, which uses it, too."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError
from ruamel.yaml.comments import CommentedMap

from aebench.errors import InputError
from aebench.storage.formats import atomic_write

FLOW_WIDTH = 80
"""Length from which DVC breaks lines; a longer mapping in braces is hard to read after that."""


def read_yaml(file: Path) -> dict[str, Any]:
    """Read a YAML file (version 1.2, UTF-8) that contains a mapping."""
    try:
        document = _parse(file.read_text(encoding="utf-8"))
    except OSError as error:
        got = "none" if isinstance(error, FileNotFoundError) else error.strerror
        raise InputError(f"{file} must be a file in the project's folder, got {got}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{file} must be UTF-8, got the byte {error.object[error.start]:#04x} at {error.start}") from None
    except (YAMLError, ValueError) as error:  # ValueError: an integer with thousands of digits
        raise InputError(f"{file} must be valid YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise InputError(f"{file} must be valid YAML with few levels of nesting, got too many") from None
    if not isinstance(document, dict):
        raise InputError(f"{file} must be a mapping, got {document!r}")
    return deepcopy(document)


def write_yaml(file: Path, document: dict[str, Any]) -> None:
    """Write a mapping."""
    with atomic_write(file) as partial:
        _round_trip().dump(document, partial)


@contextmanager
def edit_yaml(file: Path) -> Iterator[CommentedMap]:
    """Yield the content of a file that `read_yaml` accepts, and write its changes; the comments are kept.

    After an error the file is unchanged.
    """
    document = _round_trip().load(file)
    yield document
    write_yaml(file, document)


def in_one_line(value: dict[str, Any]) -> CommentedMap:
    """A mapping in braces. DVC breaks long lines, so a long mapping has a line for each key instead."""
    line = CommentedMap(value)
    if len(repr(value)) < FLOW_WIDTH:
        line.fa.set_flow_style()
    return line


def _round_trip() -> YAML:
    parser = YAML()
    parser.default_flow_style = False
    return parser


@lru_cache(maxsize=16)
def _parse(text: str) -> Any:
    """Parse a document; each is parsed once, because that takes a tenth of a second."""
    return YAML(typ="safe", pure=True).load(text)


def read_lock(file: Path) -> dict[str, Any]:
    """Read dvc.lock, which DVC has written, as `read_yaml` does but by libyaml, in a quarter of the time.

    libyaml is not used for other files, because many levels of nesting crash it.
    """
    try:
        document = _parse_lock(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, YAMLError):
        return read_yaml(file)  # its errors name what is wrong
    return deepcopy(document) if isinstance(document, dict) else read_yaml(file)


@lru_cache(maxsize=4)
def _parse_lock(text: str) -> Any:
    return YAML(typ="safe").load(text)
