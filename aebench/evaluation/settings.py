"""How trained models are measured: one class for each block of conf/<dataset>.yaml that evaluation reads.

compute             device, processes and threads of evaluation and classification
evaluation          what the stage `evaluate` measures, one block per question
linear_probe        what the stage `classify` measures: see `aebench.classifiers.linear_probe`
feature_classifier  see `aebench.classifiers.feature_classifier`
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PositiveFloat, PositiveInt

from aebench import config
from aebench.config import Schema


class Compute(Schema):
    """Hardware for evaluation and classification."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    processes: PositiveInt = 1
    """Seeds measured in parallel, each with `threads` threads."""
    threads: PositiveInt = 1


def _increasing(levels: list[float]) -> list[float]:
    if sorted(set(levels)) != levels:
        raise ValueError("must be strictly increasing")
    return levels


Levels = Annotated[list[Annotated[float, Field(gt=0, le=1)]], Field(min_length=1), AfterValidator(_increasing)]
Corruption = Literal["masking", "gaussian", "salt_and_pepper", "blur", "occlusion", "shift"]


class Robustness(Schema):
    """Corruptions of the test images."""

    noise: Literal["masking", "subset_masking", "dropout", "gaussian", "salt_and_pepper"] = "masking"
    """The corruption behind the metric `sse_corrupted`, one of `aebench.corruptions`."""
    corruption: float = Field(0.2, ge=0, lt=1)
    """Its level: a fraction of the pixels, or a standard deviation for gaussian."""
    images: PositiveInt = 500
    """Test images, from the first, that every corruption in `levels` is applied to; all of them if there are fewer."""
    levels: dict[Corruption, Levels] = Field(
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
    """A fraction of the pixels (masking, salt and pepper), of the image's shorter side (blur, occlusion, shift), or a standard
    deviation (gaussian)."""


class OutOfDistribution(Schema):
    """Images that do not come from the data set."""

    images: PositiveInt = 2000
    """Number of noise images, and of test images whose pixels are permuted; all test images if there are fewer."""


class Compression(Schema):
    """Quantisation of codes."""

    images: PositiveInt = 2000
    """Test images and validation images decoded from quantised codes; all if there are fewer."""
    bits: list[Annotated[int, Field(ge=1, le=12)]] = Field([1, 2, 3, 4, 6, 8], min_length=1)
    """Bits per unit. 0 bits (every unit at its mean) is always included."""
    budgets: list[PositiveInt] = Field([16, 32, 64, 128, 256, 512, 1024], min_length=1)
    """Bits per image at which models of different latent dimensions are compared."""


class Embedding(Schema):
    """Trustworthiness, continuity and t-SNE."""

    images: PositiveInt = 10_000
    """The first test images, which are compared and mapped; the cost grows with the square of their number."""
    neighbours: PositiveInt = 12
    """The k of trustworthiness and continuity."""
    perplexity: PositiveFloat = 30
    """Of t-SNE, which needs more than three times this many images."""
    components: int = Field(50, ge=2)
    """Codes with more units are reduced to this many principal components before t-SNE."""
    exaggerated: PositiveInt = 250
    """Iterations with early exaggeration 12, before `iterations` without it."""
    iterations: PositiveInt = 500


class Contraction(Schema):
    """Jacobians of the encoder."""

    images: PositiveInt = 200
    """Test images at which the norm of the Jacobian is computed, by one backward pass per unit."""
    spectra: PositiveInt = 50
    """Test images, and images of uniform noise, at which its singular values are computed."""


class Generation(Schema):
    """Generated images."""

    samples: PositiveInt = 2000
    """Samples from each sampler, compared with as many test images; all test images if there are fewer."""
    mixture_components: PositiveInt = 10
    mixture_axes: PositiveInt = 64
    """The mixture is fitted along this many leading principal axes of the training codes; a single normal along the others."""
    mixture_codes: PositiveInt = 10_000
    """Training codes, drawn by the seed, to which the mixture is fitted."""
    mixture_rounds: PositiveInt = 30
    """Maximum number of expectation-maximisation iterations."""


class Density(Schema):
    """Lower bounds of log p(x)."""

    images: PositiveInt = 100
    """Test images, evenly spaced, whose log p(x) is bounded."""
    samples: PositiveInt = 5000
    """Samples per image from the model's own posterior: the K of the importance-weighted bound."""
    draws: PositiveInt = 500
    """Samples per image under the ex-post density."""
    directions: PositiveInt = 400
    """Maximum number of principal axes of the codes along which the ex-post density varies. On MNIST, a limit of 400 costs
    codes of 1000 ReLU units a tenth of a nat, and raw pixels hundreds of nats."""
    steps: PositiveInt = 3
    """Gauss-Newton steps from an image's code to the centre of the proposal."""
    validation_images: PositiveInt = 30
    """Validation images, evenly spaced, on which the variance of the ex-post observation model is chosen."""
    levels: int = Field(256, ge=2)
    """Grey levels of a pixel from 0 to 1. They bound that variance from below; otherwise the density would be unbounded."""

    @property
    def least_variance(self) -> float:
        """The variance of rounding to the nearest of `levels`."""
        return (self.levels - 1) ** -2 / 12


class Pictures(Schema):
    """Images and codes of the first seed shown in figures."""

    reconstructions: PositiveInt = 10
    """Test images in the figure of reconstructions."""
    scatter_per_class: PositiveInt = 500
    """Test images per class in scatter plots of codes (500 in Figure 3 of the lecture)."""


class Evaluation(Schema):
    """conf/<dataset>.yaml:evaluation."""

    robustness: Robustness = Field(default_factory=Robustness)
    out_of_distribution: OutOfDistribution = Field(default_factory=OutOfDistribution)
    compression: Compression = Field(default_factory=Compression)
    embedding: Embedding = Field(default_factory=Embedding)
    contraction: Contraction = Field(default_factory=Contraction)
    generation: Generation = Field(default_factory=Generation)
    density: Density = Field(default_factory=Density)
    pictures: Pictures = Field(default_factory=Pictures)


def evaluation(dataset: str) -> Evaluation:
    """The checked `evaluation` block of a data set."""
    return config.check(Evaluation, config.dataset(dataset).evaluation, f"{config.conf_file(dataset)}:evaluation")


def compute(dataset: str) -> Compute:
    """The checked `compute` block of a data set."""
    return config.check(Compute, config.dataset(dataset).compute, f"{config.conf_file(dataset)}:compute")
