"""How trained models are measured and pictured: conf/<dataset>.yaml:evaluation. A part of a representation has a block."""

from typing import Literal

from pydantic import Field, PositiveInt

from aebench.params import Schema


class Densities(Schema):
    """How many images, draws and grey levels the densities are of: `aebench/representation/density.py` and `lent.py`."""

    images: PositiveInt = 100
    """Test images, spread evenly, whose log p(x) is bounded."""
    samples: PositiveInt = 5000
    """Draws an image from a model's own posterior: the K of its importance-weighted bound."""
    draws: PositiveInt = 500
    """Draws an image under the density that every model is lent."""
    directions: PositiveInt = 400
    """Principal directions of the codes, at most, along which the lent codes vary; in the others they keep their mean. On
    MNIST codes of 1000 units lose a tenth of a nat by 400 (seen: ReLU units); raw pixels, then of rank 400, lose hundreds."""
    steps: PositiveInt = 3
    """Gauss-Newton steps from an image's code to the centre of these draws."""
    validation_images: PositiveInt = 30
    """Validation images, spread evenly, on which the lent observation's variance is chosen."""
    levels: int = Field(256, ge=2)
    """Grey levels of a pixel, from 0 to 1. That variance is at least their rounding's: without it a density has no limit."""

    @property
    def least_variance(self) -> float:
        """Of the error of rounding to the nearest of `levels`."""
        return (self.levels - 1) ** -2 / 12


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
    density: Densities = Field(default_factory=Densities)
