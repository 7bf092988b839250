"""How trained models are measured and pictured: conf/<dataset>.yaml:evaluation. A part of a representation has a block."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PositiveFloat, PositiveInt

from aebench import params
from aebench.judge import Judging
from aebench.params import Schema


class Generation(Schema):
    """How codes are drawn and how many are decoded; the judge of what comes of them has a block of its own, `judge`."""

    samples: PositiveInt = 2000
    """Of each sampler, and as many test images; all test images where there are fewer."""
    mixture_components: PositiveInt = 10
    mixture_axes: PositiveInt = 64
    """Principal axes of the training codes that the mixture is of; along the others codes are drawn from one normal."""
    mixture_codes: PositiveInt = 10_000
    """Training codes that the mixture is fitted on, drawn by the seed."""
    mixture_rounds: PositiveInt = 30
    """Of expectation and maximisation, at most."""


class StrangeImages(Schema):
    """What the models are shown that is no image of the data set (`strange.py`)."""

    images: PositiveInt = 2000
    """So many of noise, and as many test images (all, if there are no more) with their pixels permuted."""


class Quantisation(Schema):
    """How finely codes are quantised (`quantised.py`)."""

    images: PositiveInt = 2000
    """Test images, and validation images, that are decoded from quantised codes; all, if there are no more."""
    bits: list[Annotated[int, Field(ge=1, le=12)]] = Field([1, 2, 3, 4, 6, 8], min_length=1)
    """Per unit; 0, every unit at its mean, is tried always."""
    budgets: list[PositiveInt] = Field([16, 32, 64, 128, 256, 512, 1024], min_length=1)
    """Bits per image at which models of any code size are compared."""


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


class Classification(Schema):
    """Classifiers of frozen codes (`aebench.downstream`): with how many labels, and which penalties they choose from."""

    per_class: list[PositiveInt] = Field([10])
    """So many labelled training images of each class."""
    fractions: list[Annotated[float, Field(gt=0, le=1)]] = Field([0.01, 0.05, 0.1, 1.0], min_length=1)
    """Shares of the training images that are labelled."""
    penalties: list[PositiveFloat] = Field([1.0, 0.1, 0.01, 0.001, 0.0001], min_length=1)
    """λ of the mean cross-entropy + λ/2 ‖W‖²."""

    @property
    def amounts(self) -> dict[str, int | float]:
        """Amounts of labels by name, as columns have it."""
        return {f"{count} a class": count for count in self.per_class} | {str(share): share for share in self.fractions}


class Evaluation(Schema):
    """What all parts share, then a block a part."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    processes: PositiveInt = 1
    """Seeds that are measured side by side, each by `threads`."""
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
    generation: Generation = Field(default_factory=Generation)
    judge: Judging = Field(default_factory=Judging)
    strange: StrangeImages = Field(default_factory=StrangeImages)
    quantised: Quantisation = Field(default_factory=Quantisation)
    embedding: Embedding = Field(default_factory=Embedding)
    density: Densities = Field(default_factory=Densities)
    classification: Classification = Field(default_factory=Classification)


def evaluation(dataset: str) -> Evaluation:
    """The settings of a data set."""
    return params.check(Evaluation, params.dataset(dataset).evaluation, f"{params.conf_file(dataset)}:evaluation")
