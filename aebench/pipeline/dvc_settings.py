"""Settings that DVC must be able to read: it parses YAML with libyaml, which rejects some texts that other parsers accept."""

from pathlib import Path

from dvc.utils.serialize import ParseError, load_yaml

from aebench.errors import InputError

REMEDY = (
    "DVC cannot read a string with a colon, such as my_models:load, within braces or brackets; write it on a line of its own: "
    "`load: my_models:load`"
)


def check_readable(file: Path) -> None:
    """Raise `InputError` unless DVC can read a file of settings; otherwise, it fails when it has already removed outputs."""
    try:
        load_yaml(str(file))
    except ParseError as failure:
        mark = getattr(failure.__cause__, "problem_mark", None)
        where = f"{getattr(failure.__cause__, 'problem', failure)}" + (f" in line {mark.line + 1}" if mark else "")
        raise InputError(f"{file} must be YAML that DVC can read, got {where}; {REMEDY}") from None
