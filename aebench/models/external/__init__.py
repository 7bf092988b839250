"""External model: trained elsewhere, compared with the others. It is an entry of conf/<dataset>.yaml, or see `aebench judge`.

    mine:
      kind: external
      load: my_package.models:load
      latent_dim: 32

`load` names a function without arguments. It returns a fitted object with `encode` and `decode`, or with `transform` and
`inverse_transform`, such as a transformer of scikit-learn or a torch module. Images are rows x (n, d) in [0, 1], codes (n, k).
Metrics that need what the object lacks are skipped: without a decoder the metrics of reconstructions; without derivatives, as
for an object that is not a torch module, those of Jacobians and the ex-post density. A model of aebench also has its posterior,
prior and likelihood.

The object must be the same whenever it is loaded. Its codes and reconstructions of fixed images of noise are recorded with the
results. They identify it, with the code of the module of `load`, by a hash; and they are compared when it is evaluated. Which
images it was trained on cannot be checked.
"""

import hashlib
import sys
from functools import cached_property
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import torch
from pydantic import PositiveInt, field_validator
from torch import Generator, Tensor

from aebench.code_hashes import code_hashes
from aebench.errors import InputError
from aebench.models.base import Autoencoder, ModelSettings
from aebench.models.baselines import Baseline
from aebench.models.external.adapter import DECODER, Adapter
from aebench.models.images import Images
from aebench.randomness import Streams
from aebench.storage import History, Trained

IMAGES = 16
"""Number of images of noise."""
TOLERANCE = 1e-3
"""Largest difference between two computations of an output, relative to the largest output; processors round differently."""


def find_loader(target: str) -> Any:
    """Return the function called `target`; its module may be in the working directory. Raises `InputError` if there is none."""
    if (folder := str(Path.cwd())) not in sys.path:
        sys.path.append(folder)
    try:
        module, _, function = target.partition(":")
        loader = resolve_name(target) if module and function else None
    except Exception as error:  # code of the user, which may raise anything
        raise InputError(f"load must be <module>:<function>, got {target!r}: {type(error).__name__}: {error}") from None
    if not callable(loader):
        raise InputError(f"load must be <module>:<function>, got {target!r}")
    return loader


def adapt(load: str, pixels: int, latent_dim: int | None = None) -> Adapter:
    """Load the object that the function called `load` returns, for images of this number of pixels."""
    function, name = find_loader(load), f"load ({load})"
    try:
        target = function()
    except Exception as error:  # code of the user, which may raise anything
        raise InputError(f"{name} must return an object, got {type(error).__name__}: {error}") from None
    if isinstance(getattr(target, "trained_", None), Trained):  # an estimator of aebench
        target = target.module()
    return Adapter(target, name, noise(pixels), latent_dim)


def noise(pixels: int) -> Tensor:
    """Draw the images (`IMAGES`, pixels) in [0, 1] with which an object is tried and identified."""
    return torch.rand(IMAGES, pixels, generator=Streams(0).torch("external"))


class ExternalSettings(ModelSettings):
    """`load` names the function that returns the object, `<module>:<function>`; its codes have `latent_dim` units."""

    load: str
    latent_dim: PositiveInt

    @field_validator("load")
    @classmethod
    def _check_load(cls, load: str) -> str:
        find_loader(load)
        return load


class External(Baseline):
    """An object from elsewhere as a model that is not trained."""

    Settings = ExternalSettings
    stochastic = False

    def __init__(self, settings: ExternalSettings, pixels: int):
        super().__init__(settings, pixels)
        self.register_buffer("outputs", torch.full((IMAGES * (settings.latent_dim + pixels),), torch.nan))
        self._is_same = False

    @cached_property
    def adapter(self) -> Adapter:
        """The object, loaded on first use. It is not a submodule: its weights are its own."""
        return adapt(self.settings.load, self.pixels, self.latent_dim)

    @property
    def missing(self) -> dict[str, str]:
        """What the object lacks, with reasons."""
        return self.adapter.missing

    @property
    def size(self) -> int | None:
        """Number of weights of a torch module; None for other objects."""
        module = self.adapter.target
        return sum(v.numel() for v in module.state_dict().values()) if isinstance(module, torch.nn.Module) else None

    def fit(self, ensemble: Any, images: Images, minimise: Any) -> History:
        """Record the outputs and the hash of the object, and what it lacks; the images are not used."""
        outputs = self._outputs()
        ensemble.load({"outputs": outputs})
        module = self.settings.load.partition(":")[0]
        code = [f"{name} {code}" for name, code in code_hashes(module).items() if name.split(".")[0] == module.split(".")[0]]
        digest = hashlib.sha256("\n".join(code).encode() + outputs.numpy().tobytes()).hexdigest()[:16]
        self.facts = {"external": digest} | ({"pixels": "limited to [0, 1]"} if self.adapter.clipped else {})
        self.facts |= {f"no {what}": reason for what, reason in self.missing.items()}
        return History()

    def encode(self, x: Tensor) -> Tensor:
        """Return the codes (n, k) of images (n, d)."""
        self._check()
        return self.adapter.encode(x)

    def decode(self, h: Tensor) -> Tensor:
        """Return the reconstructions (n, d) of codes (n, k); NaN without a decoder."""
        self._check()
        return h.new_full((len(h), self.pixels), torch.nan) if DECODER in self.missing else self.adapter.decode(h)

    def posterior(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return mean and log-variance of q(z|x) of a model of aebench; empty for other objects."""
        return own.posterior(x) if (own := self._own(x.device)) else ()

    def nll(self, x: Tensor, z: Tensor) -> Tensor | None:
        """Return -log p(x|z) of a model of aebench."""
        return own.nll(x, z) if (own := self._own(x.device)) else None

    def prior(self, n: int, generator: Generator) -> Tensor | None:
        """Draw samples of the prior of a model of aebench."""
        return own.prior(n, generator) if (own := self._own(generator.device)) else None

    def effective_beta(self) -> Tensor | None:
        """Return the effective β of a model of aebench."""
        return own.effective_beta() if (own := self._own(torch.device("cpu"))) else None

    def _own(self, device: torch.device) -> Autoencoder | None:
        target = self.adapter.target
        return target.to(device) if isinstance(target, Autoencoder) else None

    def _outputs(self) -> Tensor:
        images = noise(self.pixels)
        codes = self.adapter.encode(images)
        images = torch.zeros_like(images) if DECODER in self.missing else self.adapter.decode(codes)
        return torch.cat([codes.flatten(), images.flatten()])

    def _check(self) -> None:
        """Raise `InputError` if the object is not the one whose outputs were recorded."""
        if self._is_same or self.outputs[0].isnan():
            return
        recorded, outputs = self.outputs.cpu(), self._outputs()
        if (outputs - recorded).abs().max() > TOLERANCE * recorded.abs().max():
            expected = "the same object each time, whose codes are not random"
            raise InputError(f"{self.adapter.name} must return {expected}, got another; if it is new, run its stage train")
        self._is_same = True
