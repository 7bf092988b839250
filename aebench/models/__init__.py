"""The registry of models: each kind of model is an entry. The chapters vanilla to variational are one file each.

A model of the comparison is an entry of conf/<dataset>.yaml. Its `kind` is a name in this registry; the class of that kind
defines its other settings. Other packages add kinds through the entry point group `aebench.models`.
"""

from typing import Any

import torch

from aebench import config
from aebench.errors import InputError
from aebench.models import plugins
from aebench.models.base import Autoencoder
from aebench.models.images import Images
from aebench.registry import Registry

__all__ = ["MODELS", "Autoencoder", "Images", "build", "find", "modules"]

MODELS = Registry(
    "aebench.models",
    {
        "mean_image": "aebench.models.baselines:MeanImage",
        "raw_pixels": "aebench.models.baselines:RawPixels",
        "random_encoder": "aebench.models.random_encoder:RandomEncoder",
        "pca": "aebench.models.pca:PCA",
        "vanilla": "aebench.models.vanilla:Vanilla",
        "denoising": "aebench.models.denoising:Denoising",
        "sparse": "aebench.models.sparse:Sparse",
        "contractive": "aebench.models.contractive:Contractive",
        "stacked": "aebench.models.stacked:Stacked",
        "variational": "aebench.models.variational:Variational",
        "external": "aebench.models.external:External",
    },
)


def find(settings: dict[str, Any], path: str) -> type[Autoencoder]:
    """Return the class named by the `kind` of a model's settings; errors name `path`, where the settings are written."""
    name = str(settings.get("kind"))
    try:
        return MODELS.find(name, f"{path}.kind")
    except InputError:
        raise
    except Exception as error:  # of any type, such as a syntax error: the module of a plug-in is imported
        raise plugins.failure(MODELS.targets.get(name, name), "", plugins.EXPECTED["import"], error) from error


def modules(settings: dict[str, Any], path: str) -> tuple[str, ...]:
    """Return the names of the modules that define a model: that of its kind and, if it is external, that of its loader."""
    kind = find(settings, path)
    loader = str(settings.get("load")).partition(":")[:1] if "load" in kind.Settings.model_fields else ()
    return (kind.__module__, *loader)


def build(settings: dict[str, Any], pixels: int, path: str = "models") -> Autoencoder:
    """Build a model for images of `pixels` pixels; raises `InputError` if the settings are invalid."""
    kind = find(settings, path)
    checked = config.check(kind.Settings, settings, path)
    try:
        if torch.get_default_device().type == "meta":  # where sizes are checked, exceptions of plug-ins are not replaced
            return kind(checked, pixels)
        return plugins.guarded(kind, "__init__", lambda: kind(checked, pixels))
    except InputError as error:
        raise config.within(path, error) from None
