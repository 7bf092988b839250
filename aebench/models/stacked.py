"""Stacked autoencoder: greedy, layer after layer, then all at once (Hinton & Salakhutdinov 2006; Bengio et al. 2007).

    pretraining  for l = 1..L: an autoencoder of h_{l-1} is trained by its own loss; h_l = f_l(h_{l-1}), h_0 = x
    fine-tuning  x̂ = g_1(...g_L(f_L(...f_1(x)))), all layers together, by the first layer's reconstruction error of x

A layer is a model of another chapter, pretrained with its corruption or penalty; the codes passed up, h_l (n, k_l), are clean.
"""

from functools import reduce
from typing import Any

from pydantic import Field, field_validator
from torch import Tensor, nn

from aebench.errors import unknown
from aebench.models import contractive, denoising, sparse, vanilla
from aebench.models.base import Autoencoder, Images, ModelParams
from aebench.models.classifier import Downstream
from aebench.params import check
from aebench.runs import History

PRETRAINERS = {"ae": vanilla.Vanilla, "dae": denoising.Denoising, "sae": sparse.Sparse, "cae": contractive.Contractive}


def chapter(block: dict[str, Any], path: str = "layers") -> tuple[type[Autoencoder], ModelParams]:
    """The model of a layer's block, and its parameters: `pretrainer`, and what that chapter's own block may say."""
    if (name := block.get("pretrainer")) not in PRETRAINERS:
        raise unknown(f"{path}.pretrainer", name, PRETRAINERS)
    rest = {key: value for key, value in block.items() if key != "pretrainer"}
    return PRETRAINERS[name], check(PRETRAINERS[name].Params, {"kind": name} | rest, path)


class StackedParams(ModelParams):
    """`layers`, bottom up; `training` in a layer is of its pretraining, in the row of the fine-tuning without labels."""

    layers: list[dict[str, Any]] = Field(min_length=1)
    classifier: Downstream | None = None

    @field_validator("layers")
    @classmethod
    def _are_blocks(cls, blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [block for i, block in enumerate(blocks) if chapter(block, f"layers.{i}")]


class Stacked(Autoencoder):
    """Models on top of each other; the code is the last one's. One layer, not fine-tuned, is that model."""

    Params = StackedParams
    code = property(lambda self: self.layers[-1].code)

    def __init__(self, params: StackedParams, pixels: int):
        super().__init__(params, pixels)
        self.layers = nn.ModuleList()
        for model, its in map(chapter, params.layers):
            self.layers.append(model(its, self.code if self.layers else pixels))

    def encode(self, x: Tensor) -> Tensor:
        """(n, d) -> (n, k_L)."""
        return reduce(lambda h, model: model.encode(h), self.layers, x)

    def decode(self, h: Tensor, down_to: int = 0) -> Tensor:
        """(n, k_L) -> (n, d), or h_l (n, k_l) with l = `down_to`."""
        return reduce(lambda h, model: model.decode(h), reversed(self.layers[down_to:]), h)

    def terms(self, x: Tensor, noise: tuple) -> dict[str, Tensor]:
        """The error of the unrolled net."""
        return {"reconstruction": self.layers[0].reconstruction(x, self.decode(self.encode(x), down_to=1))}

    def pretrain(self, ensemble, images: Images, train):
        """Yield each `train(number, layer's ensemble, its images)`; when all are done, their weights are in `ensemble`."""
        for i in range(len(self.layers)):
            part = ensemble.part(f"layers.{i}.")
            yield train(i, part, images)
            ensemble.load(part.state, f"layers.{i}.")
            images = Images(part.codes(images.train), part.codes(images.validation))

    def fit(self, ensemble, images: Images, minimise) -> History:
        """Pretrain, then fine-tune; the history is the fine-tuning's."""
        list(self.pretrain(ensemble, images, lambda i, e, x: minimise(e, x, self.layers[i].params.training)))
        return minimise(ensemble, images)
