"""Settings of the evaluation in conf/<dataset>.yaml.

compute             device, processes and threads of the stages `evaluate` and `classify`
evaluation          settings of the stage `evaluate`, with one class per question
linear_probe        settings of the stage `classify`, described in `aebench.classifiers.linear_probe`
feature_classifier  described in `aebench.classifiers.feature_classifier`
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PositiveFloat, PositiveInt

from aebench import config
from aebench.config import MOST_THREADS, Blas, Corruption, Schema

Count = Annotated[int, Field(ge=1, le=MOST_THREADS)]


class Compute(Schema):
    """Hardware for evaluation and classification, also in studies."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    processes: Count = 1
    """Number of seeds evaluated in parallel, each in its own process."""
    threads: Count = 1
    """Number of threads per process."""
    blas: Blas = "auto"
    """Library for float32 products, as for training."""


def _increasing(levels: list[float]) -> list[float]:
    if sorted(set(levels)) != levels:
        raise ValueError("must be strictly increasing")
    return levels


Levels = Annotated[list[Annotated[float, Field(gt=0, le=1)]], Field(min_length=1), AfterValidator(_increasing)]
TestCorruption = Literal["masking", "gaussian", "salt_and_pepper", "blur", "occlusion", "shift"]


class Robustness(Schema):
    """Corruptions of the test images."""

    corruption: Corruption = "masking"
    """Corruption for the metric `sse_corrupted`."""
    level: float = Field(0.2, ge=0, lt=1)
    """Level of `corruption`: a fraction of the pixels, or a standard deviation for `gaussian`."""
    images: PositiveInt = 500
    """Number of test images, evenly spaced, to which every corruption in `levels` is applied; all if there are fewer."""
    levels: dict[TestCorruption, Levels] = Field(
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
    """Levels of each corruption: fractions of the pixels (`masking`, `salt_and_pepper`), standard deviations (`gaussian`), or
    fractions of the image's shorter side (`blur`, `occlusion`, `shift`)."""


class OutOfDistribution(Schema):
    """Noise images and test images with permuted pixels."""

    images: PositiveInt = 2000
    """Number of noise images, and of test images whose pixels are permuted; all test images if there are fewer."""


class Compression(Schema):
    """Quantisation of codes."""

    images: PositiveInt = 2000
    """Number of test images, and of validation images, decoded from quantised codes; all if there are fewer."""
    bits: list[Annotated[int, Field(ge=1, le=12)]] = Field([1, 2, 3, 4, 6, 8], min_length=1)
    """Numbers of bits per unit. 0 bits, at which every unit is replaced by its mean, is always included."""
    budgets: list[PositiveInt] = Field([16, 32, 64, 128, 256, 512, 1024], min_length=1)
    """Numbers of bits per image at which models with different latent dimensions are compared."""


class Embedding(Schema):
    """Trustworthiness, continuity and t-SNE."""

    images: PositiveInt = 10_000
    """Number of test images, evenly spaced, that are compared and mapped. The cost grows with its square."""
    neighbours: PositiveInt = 12
    """Number of neighbours k of trustworthiness and continuity."""
    perplexity: PositiveFloat = 30
    """Perplexity of t-SNE, which needs more than three times as many images."""
    components: int = Field(50, ge=2)
    """Maximum number of principal components of the codes that t-SNE uses."""
    exaggerated: PositiveInt = 250
    """Number of iterations of t-SNE with early exaggeration 12."""
    iterations: PositiveInt = 500
    """Number of iterations of t-SNE without exaggeration, after the exaggerated ones."""


class Contraction(Schema):
    """Jacobians of the encoder."""

    images: PositiveInt = 200
    """Number of test images, evenly spaced, at which the norm of the Jacobian is computed."""
    spectra: PositiveInt = 50
    """Number of test images, evenly spaced, and of noise images at which the singular values of the Jacobian are computed."""


class Generation(Schema):
    """Generated images."""

    samples: PositiveInt = 2000
    """Number of samples from each sampler, and of the test images with which they are compared; at most the number of test
    images and of training images."""
    mixture_components: PositiveInt = 10
    """Number of components of the mixture."""
    mixture_axes: PositiveInt = 64
    """Number of leading principal axes of the training codes along which the mixture is fitted; a normal is fitted along the
    others."""
    mixture_codes: PositiveInt = 10_000
    """Number of training codes, drawn at random, to which the mixture is fitted."""
    mixture_rounds: PositiveInt = 30
    """Maximum number of expectation-maximisation iterations for the mixture."""


class Density(Schema):
    """Lower bounds on log p(x)."""

    images: PositiveInt = 100
    """Number of test images, evenly spaced in the test set, whose log p(x) is bounded."""
    samples: PositiveInt = 5000
    """Number of samples K per image from the model's own posterior, for its importance-weighted bound."""
    draws: PositiveInt = 500
    """Number of samples L per image from the proposal, for the importance-weighted bound on the ex-post density."""
    directions: PositiveInt = 400
    """Maximum number of principal axes of the codes along which the ex-post density varies. On MNIST, a maximum of 400 lowers
    the bound by a tenth of a nat for codes of 1000 ReLU units, and by hundreds of nats for raw pixels."""
    steps: PositiveInt = 3
    """Number of Gauss-Newton steps from the code of an image to the mean of the proposal."""
    validation_images: PositiveInt = 30
    """Number of validation images, evenly spaced, on which the variance of the ex-post observation model is chosen."""
    levels: int = Field(256, ge=2)
    """Number of grey levels of a pixel. The variance of the ex-post observation model is at least that of rounding to these
    levels: without a lower limit, perfect reconstructions would have an unbounded density."""

    @property
    def least_variance(self) -> float:
        """Return the variance of the error of rounding to `levels` grey levels."""
        return (self.levels - 1) ** -2 / 12


REACH, TAIL = 2.0, 0.03
"""Traversals reach `REACH` standard deviations from the mean code; the manifold spans the quantiles `TAIL` to 1 - `TAIL`."""


class Pictures(Schema):
    """Images and codes of the first seed that the figures show."""

    reconstructions: PositiveInt = 10
    """Number of test images in the figure of reconstructions."""
    scatter_per_class: PositiveInt = 500
    """Number of test images per class in scatter plots of codes and t-SNE maps (500 in Figure 3 of the lecture)."""


class Evaluation(Schema):
    """The `evaluation` settings of conf/<dataset>.yaml."""

    robustness: Robustness = Field(default_factory=Robustness)
    out_of_distribution: OutOfDistribution = Field(default_factory=OutOfDistribution)
    compression: Compression = Field(default_factory=Compression)
    embedding: Embedding = Field(default_factory=Embedding)
    contraction: Contraction = Field(default_factory=Contraction)
    generation: Generation = Field(default_factory=Generation)
    density: Density = Field(default_factory=Density)
    pictures: Pictures = Field(default_factory=Pictures)


def evaluation(dataset: str) -> Evaluation:
    """Check and return the `evaluation` settings of a data set."""
    return config.check(Evaluation, config.dataset(dataset).evaluation, f"{config.conf_file(dataset)}:evaluation")


def compute(dataset: str) -> Compute:
    """Check and return the `compute` settings of a data set."""
    return config.check(Compute, config.dataset(dataset).compute, f"{config.conf_file(dataset)}:compute")
