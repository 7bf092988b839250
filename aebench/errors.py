"""Input errors, reported in one line.

Every error caused by the input of the program (a parameter, a data file, a missing result) is raised as `InputError`.
`one_line` turns it into a message and exit status 1, so that users see no traceback for their own mistakes.
"""

import difflib
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class InputError(ValueError):
    """An error in the user's input; its text is the complete message."""


def unknown(path: str, name: str, known: Iterable[str]) -> InputError:
    """Return an error about an unknown name that lists the known names and suggests the closest one."""
    known = sorted(known)
    return InputError(f"{path} must be one of {', '.join(known)}, got '{name}'{did_you_mean(name, known)}")


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """A suggestion of the closest known name; empty if none is close."""
    closest = difflib.get_close_matches(str(name), list(known), n=1, cutoff=0.5)
    return f" (did you mean '{closest[0]}'?)" if closest else ""


@contextmanager
def one_line() -> Iterator[None]:
    """Print an `InputError` as one line on stderr and exit with status 1."""
    try:
        yield
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
