"""Input errors, reported in one line.

Every error caused by the input of the program (a parameter, a data file, a missing result) is raised as `InputError`.
`one_line` turns it into a message and exit status 1, so that users see no traceback for their own mistakes.
"""

import difflib
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

LONGEST_NAME = 64
MOST_LISTED, CLOSEST_LISTED = 40, 6
"""Number of known names up to which an error lists all, and number that it lists of more."""
NAME = re.compile(f"[A-Za-z][A-Za-z0-9_]{{,{LONGEST_NAME - 1}}}")


class InputError(ValueError):
    """An error in the user's input; its text is the complete message, in one line of printable characters."""

    def __init__(self, text: str):
        super().__init__(printable(text))


def printable(text: str) -> str:
    """Return `text` with line breaks and other unprintable characters, such as bytes that are not UTF-8, as escapes."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def unknown(path: str, name: str, known: Iterable[str]) -> InputError:
    """Return an error about an unknown name that lists the known names (of many, the closest) and suggests the closest one."""
    known = sorted(known)
    listed = known if len(known) <= MOST_LISTED else difflib.get_close_matches(name, known, CLOSEST_LISTED, cutoff=0)
    more = f", ... ({len(known)} in all)" if len(listed) < len(known) else ""
    return InputError(f"{path} must be one of {', '.join(listed)}{more}, got '{name}'{did_you_mean(name, known)}")


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """A suggestion of the closest known name; empty if none is close."""
    closest = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.5)
    return f" (did you mean '{closest[0]}'?)" if closest else ""


def check_names(names: Iterable[object], path: str, reserved: Iterable[str] = ()) -> None:
    """Raise `InputError` unless all `names` at `path` are distinct on every file system and not `reserved`.

    Names of data sets, models and studies are parts of files, commands, stages of DVC (`train@<dataset>-<model>`) and paths of
    settings (`models.<model>`). They consist of letters, digits and underscores, begin with a letter, and must not differ
    only in case.
    """
    known: dict[str, object] = {}
    for name in names:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            constraint = f"names of 1 to {LONGEST_NAME} letters, digits and underscores that begin with a letter"
            raise InputError(f"{path} must have {constraint}, got {name!r}")
        if name.lower() in reserved:
            raise InputError(f"{path} must not have a name that the pipeline uses for its own files, got {name!r}")
        if (other := known.setdefault(name.lower(), name)) != name:
            raise InputError(f"{path} must have names that differ by more than case, got {other!r} and {name!r}")


@contextmanager
def one_line() -> Iterator[None]:
    """Print an `InputError` as one line on stderr and exit with status 1."""
    try:
        yield
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
