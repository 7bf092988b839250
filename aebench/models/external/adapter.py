"""Any object with `encode` and `decode`, or `transform` and `inverse_transform`, as functions of tensors.

Images x (n, d), codes h (n, k). A torch module is given tensors, any other object arrays.
"""

from collections.abc import Callable
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import jvp, vmap

from aebench.errors import InputError

DECODER, ENCODER_DERIVATIVE, DECODER_DERIVATIVE = "decoder", "encoder derivative", "decoder derivative"
"""What an object may lack."""
PAIRS = (("encode", "decode"), ("transform", "inverse_transform"))


class Adapter:
    """The functions of `target`, which is called `name` in errors, and what is `missing`, with reasons.

    It is tried with images x (n, d) in [0, 1], whose codes must have `latent_dim` units, any number if None. Arrays are float64
    if it rejects float32. `clipped` is true if it rejects pixels outside [0, 1]: they are then set to 0 or 1.
    """

    def __init__(self, target: Any, name: str, x: Tensor, latent_dim: int | None):
        self.target, self.name, self.is_module = target, name, isinstance(target, nn.Module)
        self.dtype, self.clipped = np.float32, False
        method, inverse = next((pair for pair in PAIRS if hasattr(target, pair[0])), ("", ""))
        if not method:
            expected = " or ".join(map(" and ".join, PAIRS))
            raise InputError(f"{name} must return an object with {expected}, got {type(target).__name__}")
        if self.is_module:
            target.eval().requires_grad_(False)
        self.directions = {"encode": (method, latent_dim), "decode": (inverse, x.shape[1])}
        if not self.is_module and _failure(self.encode, x):
            self.dtype = np.float64
        if failure := _failure(self.encode, x):
            raise InputError(f"{name} must return an object that encodes images {tuple(x.shape)} in [0, 1], got {failure}")
        self.clipped, h = bool(_failure(self.encode, 2 * x - 0.5)), self.encode(x)
        self.latent_dim = h.shape[1]
        no_decoder = f"no {inverse}" if not hasattr(target, inverse) else _failure(self.decode, torch.cat([h, -2 * h]))
        found = {
            DECODER: no_decoder,
            ENCODER_DERIVATIVE: self._no_derivative(self.encode, x),
            DECODER_DERIVATIVE: no_decoder or self._no_derivative(self.decode, h),
        }
        self.missing = {what: reason for what, reason in found.items() if reason}

    @property
    def device(self) -> torch.device:
        """The device of a torch module."""
        return next(chain(self.target.parameters(), self.target.buffers(), [torch.empty(0)])).device

    def encode(self, x: Tensor) -> Tensor:
        """Return the codes (n, k) of images (n, d)."""
        return self._call("encode", x.clamp(0, 1) if self.clipped else x)

    def decode(self, h: Tensor) -> Tensor:
        """Return the reconstructions (n, d) of codes (n, k)."""
        return self._call("decode", h)

    def _call(self, direction: str, rows: Tensor) -> Tensor:
        (method, width), flat = self.directions[direction], rows.flatten(0, -2)
        argument = flat.to(self.device) if self.is_module else flat.detach().cpu().numpy().astype(self.dtype)
        result = getattr(self.target, method)(argument)
        result = (result if isinstance(result, Tensor) else torch.from_numpy(_dense(result))).to(rows)
        result = result.flatten(1) if direction == "decode" else result  # images may have their shape
        if result.ndim != 2 or len(result) != len(flat) or width not in (None, result.shape[1]):
            expected = f"an object whose {method} returns shape ({len(flat)}, {width or 'units'})"
            raise InputError(f"{self.name} must return {expected}, got {tuple(result.shape)}")
        return result.unflatten(0, rows.shape[:-1])

    def _no_derivative(self, function: Callable[[Tensor], Tensor], rows: Tensor) -> str:
        return _failure(_differentiate, function, rows) if self.is_module else "not a torch module"


def _dense(result: Any) -> np.ndarray:
    return np.asarray(result.toarray() if hasattr(result, "toarray") else result, np.float32)


def _failure(function: Callable[..., Any], *arguments: Any) -> str:
    """Call a function of the user, and return why it fails; empty if it does not."""
    try:
        finite = function(*arguments).isfinite().all()
    except Exception as error:  # of any type
        return " ".join(f"{type(error).__name__}: {error}".split())
    return "" if finite else "values that are not finite"


def _differentiate(function: Callable[[Tensor], Tensor], rows: Tensor) -> Tensor:
    """Compute the derivatives of the kinds that the metrics need; raises an error if there are none."""
    with torch.enable_grad():
        x = rows.clone().requires_grad_()
        y = function(x)
        units = torch.eye(y.shape[1]).to(y)[:, None].expand(-1, len(y), -1)
        torch.autograd.grad(y, x, units, is_grads_batched=True)
    return vmap(lambda v: jvp(function, (rows,), (v.expand_as(rows),))[1])(torch.eye(rows.shape[1]).to(rows))
