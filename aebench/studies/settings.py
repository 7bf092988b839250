"""Settings of studies, and how their results are described. This module imports neither torch nor models.

Each study consists of tasks that are independent of each other; the module of `aebench.studies` with the name of its kind runs
them.
"""

from abc import abstractmethod
from typing import Any, Literal, NamedTuple

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, field_validator

from aebench.config import Schema, with_value
from aebench.evaluation.metrics import METRICS, PROFILES
from aebench.evaluation.metrics.anomalies import DETECTION, SCORES

TRAINING_IMAGES = "training_images"
CONTROLS = ("unpretrained", "modern")
"""Series of a study of depth without pretraining."""
CLASSIFIERS = {"frozen": "Linear probe", "fine-tuned": "Fine-tuned"}
"""Titles of the quantities of a study of depth."""


OUT_OF_DISTRIBUTION = ("noise", "permuted")
"""Anomalies that are drawn, for every data set."""
NONE = "none"
"""No class is left out."""


class Quantity(NamedTuple):
    """How a quantity is printed; see `Metric`."""

    title: str
    unit: str
    decimals: int


class Study(Schema):
    """Settings of a study. `question` is the title of its figure and table."""

    kind: str
    question: str = Field(min_length=1)

    @abstractmethod
    def model_settings(self) -> list[dict[str, Any]]:
        """Return settings of every kind of model that the study trains."""

    def data_settings(self) -> list[dict[str, Any]]:
        """Return the settings of every data source that the study reads, in addition to its own data set."""
        return []

    @abstractmethod
    def tasks(self) -> list[str]:
        """Return the names of the tasks."""

    @property
    @abstractmethod
    def axis(self) -> str:
        """The label of the positions."""

    @abstractmethod
    def describe(self, quantity: str) -> Quantity:
        """Return title, unit and decimals of a quantity."""

    @property
    @abstractmethod
    def note(self) -> str:
        """The caption of the figure and the note of the table."""


class Sweep(Study):
    """`vary` is the path of a setting, such as weight or training.learning_rate, or training_images.

    `metrics` are names of metrics, or <profile>/<position>; linear probes have their default settings. Without
    `early_stopping` the weights after the last epoch are kept, otherwise those with the lowest validation loss, as for all
    other models.
    """

    kind: Literal["sweep"]
    vary: str
    values: list[NonNegativeFloat | NonNegativeInt] = Field(min_length=2)
    models: dict[str, dict[str, Any]] = Field(min_length=1)
    metrics: list[str] = Field(min_length=1)
    early_stopping: bool = True

    @field_validator("values")
    @classmethod
    def _values_increase(cls, values: list[float]) -> list[float]:
        if sorted(values) != values or len({f"{value:g}" for value in values}) < len(values):
            raise ValueError("must be strictly increasing in their first six digits")
        return values

    def settings_at(self, model: str, value: float) -> dict[str, Any]:
        """Return the settings of a model at a value."""
        settings = self.models[model]
        return settings if self.vary == TRAINING_IMAGES else with_value(settings, self.vary, value, f"models.{model}")

    def model_settings(self) -> list[dict[str, Any]]:
        """Return the settings of the models, without the setting that varies."""
        return list(self.models.values())

    def tasks(self) -> list[str]:
        """Return one task per model and value, `<model>=<value>`."""
        return [f"{model}={value:g}" for model in self.models for value in self.values]

    @property
    def axis(self) -> str:
        """The name of the setting that varies."""
        return "training images" if self.vary == TRAINING_IMAGES else self.vary

    def describe(self, quantity: str) -> Quantity:
        """Describe a metric, or a profile at one position."""
        name, _, position = quantity.partition("/")
        measure = PROFILES[name] if position else METRICS[name]
        return Quantity(f"{measure.title}, {position}" if position else measure.title, measure.unit, measure.decimals)

    @property
    def note(self) -> str:
        """What varies and what is equal."""
        text = f"Each model is trained with several values of the setting {self.vary}; its other settings stay the same."
        if self.vary == TRAINING_IMAGES:
            text = (
                "Each model is trained with fewer images, a random subset for each seed, and the same number of updates, up "
                "to rounding to whole epochs. Linear probes are fitted to these images; with all labels, their penalty is "
                "chosen on all validation images."
            )
            if any(metric.startswith(("knn", "precision")) for metric in self.metrics):
                text += " Neighbours are searched among these images and all validation images."
        if self.early_stopping:
            return f"{text} The weights with the lowest validation loss are kept."
        return f"{text} The weights after the last epoch are kept."


class Depth(Study):
    """`latent_dims` are the widths of the layers, `pretraining` the settings of a layer by name of the series.

    `training` is for the pretraining of each layer, `classifier` for fine-tuning, as for a stack.
    """

    kind: Literal["depth"]
    latent_dims: list[PositiveInt] = Field(min_length=1)
    pretraining: dict[str, dict[str, Any]] = Field(min_length=1)
    training: dict[str, Any] = Field(default_factory=dict)
    classifier: dict[str, Any]

    @field_validator("pretraining")
    @classmethod
    def _names_differ_from_controls(cls, pretraining: dict) -> dict:
        if clash := [name for name in CONTROLS if name in pretraining]:
            raise ValueError(f"must not have a series named {clash[0]}")
        return pretraining

    def stack(self, series: str, depth: int) -> dict[str, Any]:
        """Return the settings of the first `depth` layers."""
        layers = [self.pretraining[series] | {"latent_dim": k} for k in self.latent_dims[:depth]]
        return {"kind": "stacked", "layers": layers, "classifier": self.classifier}

    def model_settings(self) -> list[dict[str, Any]]:
        """Return the settings of a stack; its module imports every kind of layer."""
        return [self.stack(next(iter(self.pretraining)), 1)]

    def tasks(self) -> list[str]:
        """Return one task per series."""
        return [*self.pretraining, *CONTROLS]

    axis = property(lambda self: "layers", doc="The label of the positions.")

    def describe(self, quantity: str) -> Quantity:
        """Describe a test accuracy by the classifier and the fraction of labels."""
        name, _, fraction = quantity.partition("/")
        return Quantity(f"{CLASSIFIERS[name]}, {100 * float(fraction):g} % of labels", "test accuracy, %", 2)

    @property
    def note(self) -> str:
        """What is compared and what is equal."""
        return (
            "Linear probe: fitted to the frozen codes of a layer. Fine-tuned: the layers with a softmax layer, trained with "
            f"labels. Lines: the kind of autoencoder by which all layers ({', '.join(map(str, self.latent_dims))} units) were "
            "pretrained; unpretrained, the same initialisation without pretraining; modern, scaled weights and ReLU units, "
            "also without pretraining. At each depth, all encoders receive the same number of updates, including pretraining. "
            "Deeper stacks are trained longer, and their codes are narrower."
        )


class Anomalies(Study):
    """`classes` are the classes that are left out in turn, numbered from 0 as in the data set.

    `others` are the `data` settings of other data sets, whose test images have the same shape. The distance in code space is
    that to the k-th nearest neighbour with k = `neighbours`, and the likelihood is estimated with `draws` samples. `seeds` is
    the number of seeds, from the first of the suite; all of them if there are fewer.
    """

    kind: Literal["anomalies"]
    classes: list[NonNegativeInt] = Field(min_length=1)
    models: dict[str, dict[str, Any]] = Field(min_length=1)
    others: dict[str, dict[str, Any]] = Field(default_factory=dict)
    neighbours: PositiveInt = 5
    draws: PositiveInt = 10
    seeds: PositiveInt | None = None

    @field_validator("classes")
    @classmethod
    def _classes_differ(cls, classes: list[int]) -> list[int]:
        if len(set(classes)) < len(classes):
            raise ValueError("must not contain duplicates")
        return classes

    @field_validator("others")
    @classmethod
    def _names_differ_from_out_of_distribution(cls, others: dict) -> dict:
        if clash := [name for name in OUT_OF_DISTRIBUTION if name in others]:
            raise ValueError(f"must not have a data set named {clash[0]}")
        return others

    def model_settings(self) -> list[dict[str, Any]]:
        """Return the settings of the models."""
        return list(self.models.values())

    def data_settings(self) -> list[dict[str, Any]]:
        """Return the `data` settings of the other data sets."""
        return list(self.others.values())

    def tasks(self) -> list[str]:
        """Return one task per model and class, `<model>=<class>`, and `<model>=none` for the model trained with all classes."""
        return [f"{model}={left_out}" for model in self.models for left_out in (*self.classes, NONE)]

    axis = property(lambda self: "anomalies", doc="The label of the positions.")

    def describe(self, quantity: str) -> Quantity:
        """Describe a measure of a score: <score>/<measure>."""
        score, _, measure = quantity.partition("/")
        return Quantity(f"{DETECTION[measure].title}, {SCORES[score]}", "fraction", 3)

    @property
    def note(self) -> str:
        """The protocol."""
        others = "".join(f", test images of {name}" for name in self.others)
        return (
            "Protocol: a model is trained without the training and validation images of a class, and the test images of this "
            "class are the anomalies among the test images. For a model that is trained with all classes, "
            f"noise{others} and test images with permuted pixels are the anomalies. "
            f"Scores: the squared error; the importance-weighted bound on -log p(x) ({self.draws} samples), where a model has "
            "a likelihood; the distance of a code to its k-th nearest neighbour among training and validation images "
            f"(k = {self.neighbours}), with units divided by their standard deviation. A score without information has an "
            "AUROC of 0.5 and an average precision equal to the fraction of anomalies."
        )
