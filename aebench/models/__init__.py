"""The models: one file per chapter of the lecture, one line per kind of model.

A model of the comparison is an entry of conf/<dataset>.yaml. Its `kind` is a name in this registry; its other settings are
defined by the class of that kind. Other packages add kinds through the entry point group `aebench.models`.
"""

from typing import Any

from aebench import config
from aebench.errors import InputError
from aebench.models.base import Autoencoder, Images
from aebench.registry import Registry

__all__ = ["MODELS", "Autoencoder", "Images", "build", "find"]

MODELS = Registry(
    "aebench.models",
    {
        "mean_image": "aebench.models.controls:MeanImage",
        "raw_pixels": "aebench.models.controls:RawPixels",
        "random_encoder": "aebench.models.random_encoder:RandomEncoder",
        "pca": "aebench.models.pca:PCA",
        "vanilla": "aebench.models.vanilla:Vanilla",
        "denoising": "aebench.models.denoising:Denoising",
        "sparse": "aebench.models.sparse:Sparse",
        "contractive": "aebench.models.contractive:Contractive",
        "stacked": "aebench.models.stacked:Stacked",
        "variational": "aebench.models.variational:Variational",
    },
)


def find(settings: dict[str, Any], path: str) -> type[Autoencoder]:
    """The class named by the `kind` of a model's settings. Errors name `path`, the location of the settings."""
    return MODELS.find(str(settings.get("kind")), f"{path}.kind")


def build(settings: dict[str, Any], pixels: int, path: str = "models") -> Autoencoder:
    """Build a model for images of `pixels` pixels; raises `InputError` if the settings are invalid."""
    kind = find(settings, path)
    checked = config.check(kind.Settings, settings, path)
    try:
        return kind(checked, pixels)
    except InputError as error:
        raise config.within(path, error) from None
