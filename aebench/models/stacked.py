"""Stacked autoencoder: greedy layer-wise pretraining, then fine-tuning (Hinton & Salakhutdinov 2006; Bengio et al. 2007).

    pretraining   for l = 1..L: train an autoencoder of h_{l-1} with its own loss; h_l = f_l(h_{l-1}), h_0 = x
    fine-tuning   x̂ = g_1(...g_L(f_L(...f_1(x)))): train all layers with the first layer's reconstruction error of x

x (n, d), h_l (n, k_l); the code is h_L. Each layer is a model of another chapter, trained on codes of clean images.
"""

from functools import reduce

from pydantic import Field, field_validator
from torch import Tensor, nn

from aebench.config import check
from aebench.errors import unknown
from aebench.models.base import Autoencoder, ModelSettings
from aebench.models.classifier import ClassifierSettings
from aebench.models.contractive import Contractive
from aebench.models.denoising import Denoising
from aebench.models.images import Images
from aebench.models.sparse import Sparse
from aebench.models.vanilla import Vanilla

LAYERS = {"vanilla": Vanilla, "denoising": Denoising, "sparse": Sparse, "contractive": Contractive}


def layer_model(settings: dict, path: str = "layers") -> tuple[type[Autoencoder], ModelSettings]:
    """Return the class of a layer, named by its `kind`, and its checked settings."""
    if (kind := settings.get("kind", next(iter(LAYERS)))) not in LAYERS:  # `check` reports a missing kind
        raise unknown(f"{path}.kind", kind, LAYERS)
    return LAYERS[kind], check(LAYERS[kind].Settings, settings, path)


class StackedSettings(ModelSettings):
    """`layers` are listed from the bottom up. A layer's `training` is for pretraining, the model's for fine-tuning."""

    layers: list[dict] = Field(min_length=1)
    classifier: ClassifierSettings | None = None

    @field_validator("layers")
    @classmethod
    def _check_layers(cls, layers: list[dict]) -> list[dict]:
        return [layer for i, layer in enumerate(layers) if layer_model(layer, f"layers.{i}")]


class Stacked(Autoencoder):
    """A stack of autoencoders."""

    Settings = StackedSettings
    latent_dim = property(lambda self: self.layers[-1].latent_dim)

    def __init__(self, settings: StackedSettings, pixels: int):
        super().__init__(settings, pixels)
        self.layers = nn.ModuleList()
        for model, layer_settings in map(layer_model, settings.layers):
            self.layers.append(model(layer_settings, self.latent_dim if self.layers else pixels))

    def encode(self, x: Tensor) -> Tensor:
        """Return the codes (n, k_L) of images (n, d)."""
        return reduce(lambda h, layer: layer.encode(h), self.layers, x)

    def decode(self, h: Tensor, down_to: int = 0) -> Tensor:
        """Decode codes (n, k_L) to images (n, d), or to h_l (n, k_l) with l = `down_to`."""
        return reduce(lambda h, layer: layer.decode(h), reversed(self.layers[down_to:]), h)

    def terms(self, x: Tensor, noise: tuple) -> dict[str, Tensor]:
        """Return the reconstruction error through all layers."""
        return {"reconstruction": self.layers[0].reconstruction(x, self.decode(self.encode(x), down_to=1))}

    def pretrain(self, ensemble, images: Images, train) -> None:
        """Call `train(i, layer's ensemble, layer's images)` for each layer, from the bottom up, and copy the weights."""
        for i in range(len(self.layers)):
            train(i, layer := ensemble.submodule(f"layers.{i}."), images)
            ensemble.load(layer.state, f"layers.{i}.")
            images = Images(layer.codes(images.train), layer.codes(images.validation))

    def fit(self, ensemble, images: Images, minimise):
        """Pretrain, then fine-tune; return the history of fine-tuning."""
        self.pretrain(ensemble, images, lambda i, layer, x: minimise(layer, x, self.layers[i].settings.training))
        return minimise(ensemble, images)
