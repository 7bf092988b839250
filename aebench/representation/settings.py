"""How trained models are measured and pictured: conf/<dataset>.yaml:evaluation. A part of a representation has a block."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PositiveInt

from aebench.params import Schema


def _rising(levels: list[float]) -> list[float]:
    if sorted(set(levels)) != levels:
        raise ValueError("must rise from one to the next")
    return levels


Levels = Annotated[list[Annotated[float, Field(gt=0, le=1)]], Field(min_length=1), AfterValidator(_rising)]
Degradation = Literal["masking", "gaussian", "salt_and_pepper", "blur", "occlusion", "shift"]


class Robustness(Schema):
    """Which test images are degraded, how and how far: `aebench.representation.degraded`."""

    images: PositiveInt = 500
    """The first of the test images, or all if they are fewer."""
    levels: dict[Degradation, Levels] = Field(
        {
            "masking": [0.1, 0.25, 0.5],
            "gaussian": [0.1, 0.2, 0.4],
            "salt_and_pepper": [0.1, 0.25, 0.5],
            "blur": [0.075, 0.1, 0.15],
            "occlusion": [0.25, 0.375, 0.5],
            "shift": [0.05, 0.1, 0.15],
        },
        min_length=1,
    )
    """A share of the pixels (masking, salt and pepper) or of the image's shorter side; a standard deviation for gaussian."""


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
    spectra: PositiveInt = 50
    """Test images, and as many of uniform noise, whose encoder Jacobians' singular values are taken."""
    robustness: Robustness = Field(default_factory=Robustness)
    images: PositiveInt = 10
    """Test images shown in the reconstruction figure."""
    scatter_per_class: PositiveInt = 500
    """Test images a class in the scatter of 2-D codes (the lecture's Fig. 3 shows 500)."""
