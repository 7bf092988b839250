"""What a user may do wrong, said in one line.

Every mistake that comes from outside the program (a parameter, a data file, a missing run) is raised as `InputError`;
`one_line` turns it into a message and exit status 1, so that no traceback reaches a user for a mistake of theirs.
"""

import difflib
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class InputError(ValueError):
    """A mistake in what the user gave; its text is the whole message."""


def unknown(path: str, name: str, known: Iterable[str]) -> InputError:
    """An error for an unknown name: lists the known names and the nearest one."""
    known = sorted(known)
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    hint = f" (did you mean '{near[0]}'?)" if near else ""
    return InputError(f"{path} must be one of {', '.join(known)}, got '{name}'{hint}")


@contextmanager
def one_line() -> Iterator[None]:
    """Print an `InputError` as one line on stderr and exit with status 1."""
    try:
        yield
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
