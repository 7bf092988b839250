"""How trained models are measured and pictured: conf/<dataset>.yaml:evaluation. A part of a representation has a block."""

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt

from aebench.params import Schema


class Embedding(Schema):
    """Whether neighbours stay neighbours, from images to codes and from codes to their t-SNE map."""

    images: PositiveInt = 10_000
    """The first test images are compared and mapped: work grows with the square of their number."""
    neighbours: PositiveInt = 12
    """k of trustworthiness and continuity."""
    perplexity: PositiveFloat = 30
    """About how many neighbours hold a point of the map; there is a map of more than 3 times as many images."""
    components: int = Field(50, ge=2)
    """Codes of more numbers are reduced to so many principal components before they are mapped."""
    exaggerated: PositiveInt = 250
    """Iterations that pull neighbours together 12 times as hard, then `iterations` that do not."""
    iterations: PositiveInt = 500


class Evaluation(Schema):
    """What all parts share, then a block a part."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: PositiveInt = 1
    noise: Literal["masking", "subset_masking", "dropout", "gaussian", "salt_and_pepper"] = "masking"
    """How test images are corrupted, of `aebench.corruptions`."""
    corruption: float = Field(0.2, ge=0, lt=1)
    """A share of the pixels; a standard deviation for gaussian. Less than 1, which would leave nothing of an image."""
    jacobian_images: PositiveInt = 200
    """Test images whose encoder Jacobians are taken: a backward pass for every unit of the code."""
    images: PositiveInt = 10
    """Test images shown in the reconstruction figure."""
    scatter_per_class: PositiveInt = 500
    """Test images a class in the scatter of 2-D codes (the lecture's Fig. 3 shows 500)."""
    embedding: Embedding = Field(default_factory=Embedding)
