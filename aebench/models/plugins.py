"""Calls of models of other packages: what goes wrong in them is reported in one line, with a traceback in a log file.

error: my_package.mine:Mine.terms must return a dict of scalars, got ValueError: ...; traceback: .checkpoints/errors/....log
"""

import traceback
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from aebench.errors import InputError
from aebench.registry import is_plugin
from aebench.storage import CHECKPOINTS

EXPECTED = {
    "__init__": "build the model from settings and a number of pixels",
    "encode": "return codes of shape (n, latent_dim)",
    "decode": "return images of shape (n, pixels)",
    "draw": "return a tuple of tensors of length n",
    "terms": "return a dict of scalars",
    "import": "be imported",
}
"""Method -> what it must do."""
LOGS = CHECKPOINTS / "errors"


def call(model: nn.Module, method: str, *args: Any) -> Any:
    """Call a method of a model; raises `InputError` if a plug-in returns an invalid result."""
    result = guarded(type(model), method, lambda: getattr(model, method)(*args))
    if is_plugin(type(model)) and (got := _wrong(model, method, result, *args)):
        raise InputError(f"{_name(type(model))}.{method} must {EXPECTED[method]}, got {got}")
    return result


def guarded(kind: type, method: str, work: Callable[[], Any]) -> Any:
    """Return work(), which calls a method of a model; raises `InputError` instead of any other exception of a plug-in."""
    if not is_plugin(kind):
        return work()
    try:
        return work()
    except InputError:
        raise
    except Exception as error:
        raise failure(_name(kind), f".{method}", EXPECTED.get(method, "return a result"), error) from error


def failure(name: str, part: str, expected: str, error: BaseException) -> InputError:
    """Return an error in one line about an exception in a plug-in, and write its traceback to the file that the line names."""
    file = LOGS / f"{name.replace(':', '.')}.log"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    message = " ".join(str(error).split())
    return InputError(f"{name}{part} must {expected}, got {type(error).__name__}: {message:.300}; traceback: {file}")


def _name(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


def _wrong(model: nn.Module, method: str, result: Any, *args: Any) -> str:
    """Describe a wrong result; empty if it is right."""
    if method == "terms":
        return _of_terms(result)
    if method == "draw":
        return "" if isinstance(result, tuple) and all(isinstance(part, Tensor) for part in result) else type(result).__name__
    if method not in ("encode", "decode"):
        return ""
    width = model.latent_dim if method == "encode" else model.pixels
    if not isinstance(result, Tensor):
        return type(result).__name__
    return "" if result.shape == (*args[0].shape[:-1], width) else f"shape {tuple(result.shape)} for {tuple(args[0].shape)}"


def _of_terms(terms: Any) -> str:
    if not isinstance(terms, dict) or not terms:
        return "an empty dict" if isinstance(terms, dict) else type(terms).__name__
    wrong = {n: v for n, v in terms.items() if not isinstance(v, Tensor) or v.ndim}
    return next((f"{n}: {tuple(v.shape) if isinstance(v, Tensor) else type(v).__name__}" for n, v in wrong.items()), "")
