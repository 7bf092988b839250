"""The base class of settings, and the check of a block of settings against its class.

Error messages have the form `<file>:<path> must be <constraint>, got <value>`.
"""

import re
from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from aebench.errors import InputError, did_you_mean, unknown

KEY_OF = "a key of "
T = TypeVar("T", bound=BaseModel)


class Schema(BaseModel):
    """Base class of settings: immutable, strictly typed, rejects unknown keys."""

    may_be_empty: ClassVar[tuple[str, ...]] = ()
    """Blocks with defaults for all keys, which are required nevertheless."""
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def check(schema: type[T], settings: Any, path: str) -> T:
    """Convert `settings` to `schema`; raises `InputError` for the first mistake. `path` is where the settings are written.

    Unknown keys are reported before missing ones, because an unknown key may be a misspelling of the missing one.
    """
    try:
        return schema.model_validate(settings)
    except ValidationError as invalid:
        errors = invalid.errors(include_url=False)
        errors.sort(key=lambda error: error["type"] != "extra_forbidden")
        raise _explain(errors, schema, settings, path) from None


def with_value(settings: dict[str, Any], path: str, value: Any, where: str) -> dict[str, Any]:
    """Return a copy of nested settings in which the setting at `path`, such as training.epochs, is `value`.

    Raises `InputError` if part of the path has no settings; `where` is where `settings` are written.
    """
    key, _, rest = path.partition(".")
    inner = settings.get(key, {})
    if rest and not isinstance(inner, dict):
        raise InputError(f"{where}.{key} must have keys for {path!r}, got {inner!r}")
    return settings | {key: with_value(inner, rest, value, f"{where}.{key}") if rest else value}


def within(path: str, error: InputError) -> InputError:
    """Prepend `path` to the path in the message of an error in a nested block."""
    text = str(error)
    prefix = KEY_OF if text.startswith(KEY_OF) else ""
    return InputError(f"{prefix}{path}.{text.removeprefix(prefix)}")


def _explain(errors: list[dict[str, Any]], schema: type[BaseModel], settings: Any, path: str) -> InputError:
    error, location = errors[0], _location(errors[0], settings)
    if isinstance(inner := error.get("ctx", {}).get("error"), InputError):
        return within(path, inner)
    where, parent = _join(path, location), _join(path, location[:-1])
    if error["type"] == "extra_forbidden":
        return _unknown_key(where, parent, location[-1], _keys(schema, location[:-1]))
    if error["loc"][-1:] == ("[key]",) and error["type"] == "literal_error":
        return _unknown_key(where, parent, location[-1], _values(error))
    if error["type"] == "missing":
        hint = " (an empty block, {}, takes the defaults)" if location[-1] in getattr(schema, "may_be_empty", ()) else ""
        return InputError(f"{where} must be given{hint}, got nothing")
    same = [other for other in errors if _location(other, settings) == location]  # a union has one error per alternative
    constraint = " or ".join([_constraint(same[0]), *(_constraint(other).removeprefix("must be ") for other in same[1:])])
    hint = did_you_mean(error["input"], [value for other in same for value in _values(other)])
    return InputError(f"{where} {constraint}, got {error['input']!r}{hint}")


def _location(error: dict[str, Any], settings: Any) -> list[str | int]:
    """Return the keys and indices from `settings` to the mistake, without pydantic's names for alternatives of a union."""
    location = []
    for part in error["loc"]:
        if isinstance(settings, dict) and part != "[key]":
            settings = settings.get(part)
        elif isinstance(settings, list) and isinstance(part, int):
            settings = settings[part]
        else:
            break
        location.append(part)
    return location


def _join(path: str, location: Sequence[str | int]) -> str:
    return (path + ("" if path.endswith(":") else ".") + ".".join(map(str, location))).rstrip(".:")


def _unknown_key(where: str, parent: str, key: str, known: Sequence[str]) -> InputError:
    return unknown(f"{KEY_OF}{parent}", key, known)


def _keys(schema: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    """Return the keys of the block at `location`, which may pass through lists and dictionaries."""
    for part in location:
        if part in schema.model_fields:
            schema = _schema_in(schema.model_fields[part].annotation)
    return list(schema.model_fields)


def _schema_in(annotation: Any) -> type[BaseModel] | None:
    """Return the schema in an annotation such as `list[Schema] | None`, if there is one."""
    if hasattr(annotation, "model_fields"):
        return annotation
    return next(filter(None, map(_schema_in, get_args(annotation))), None)


def _values(error: dict[str, Any]) -> list[str]:
    """Return the allowed values of a literal; empty for other types."""
    return re.findall("'([^']*)'", error["ctx"]["expected"]) if error["type"] == "literal_error" else []


def _constraint(error: dict[str, Any]) -> str:
    """Return the constraint that is violated, as text that starts with "must"."""
    if values := _values(error):
        return "must be " + ("one of " if values[1:] else "") + ", ".join(values)
    text = re.sub(" after validation, not .*", "", error["msg"].removeprefix("Value error, ").replace("should", "must"))
    return text[max(text.find("must"), 0) :]
