"""The table of contents of the family: one chapter of the lecture a file, one line a model.

A row of the comparison is a block of conf/<dataset>.yaml: its `kind` is a name of this table, the rest the chapter's own
parameters. Another package adds kinds through the entry point group `aebench.models`.
"""

from typing import Any

from aebench import params
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


def find(block: dict[str, Any], path: str) -> type[Autoencoder]:
    """The class that a params block names as its `kind`; `path` is where the block was written, for errors."""
    return MODELS.find(str(block.get("kind")), f"{path}.kind")


def build(block: dict[str, Any], pixels: int, path: str = "models") -> Autoencoder:
    """The model of a params block, for images of `pixels` numbers."""
    kind = find(block, path)
    return kind(params.check(kind.Params, block, path), pixels)
