"""Schema of params.yaml and conf/<dataset>.yaml, and functions that read these files; `aebench.config.edit` changes them.

`params.yaml` lists what to run (`suite`); `conf/<dataset>.yaml` holds all settings of one data set. The blocks of the data
source, the models and the evaluation are plain dictionaries here; they are checked where they are used (`aebench.data`,
`aebench.models`, `aebench.evaluation.settings`), so that reading a file imports neither torch nor scikit-learn. The schema of
conf/papers/<paper>.yaml is in `aebench.papers.settings`.
"""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, PositiveFloat, PositiveInt

from aebench.config.schema import Schema, check, with_value, within
from aebench.errors import InputError, check_names, did_you_mean, unknown
from aebench.storage import RESERVED_DATASETS, RESERVED_MODELS, read_yaml

__all__ = ["Schema", "check", "with_value", "within"]

SUITE_FILE = Path("params.yaml")
CONF = Path("conf")
DATASETS = f"{SUITE_FILE}:suite.datasets"
MOST_THREADS = 1024
"""Largest number of threads, and of processes; beyond it systems refuse to start them."""
Seed = Annotated[int, Field(ge=0, le=2**53)]
"""A seed; larger ones would be rounded where numbers are floats, as in MLflow and JSON."""


class Suite(Schema):
    """What to run: every model on every data set with every seed, studies, papers. `stacks` are pretrained layer by layer."""

    datasets: list[str] = Field(min_length=1)
    models: list[str] = Field(min_length=1)
    stacks: list[str] = Field(default_factory=list)
    studies: list[str] = Field(default_factory=list)
    papers: list[str] = Field(default_factory=list)
    seeds: list[Seed] = Field(min_length=1)
    mlflow_models: Literal["none", "first", "all"] = "first"
    """The seeds whose trained models are logged to MLflow."""

    @property
    def all_models(self) -> list[str]:
        """Names of all models, stacks last, in the order of the tables."""
        return [*self.models, *self.stacks]


Corruption = Literal["masking", "subset_masking", "dropout", "gaussian", "salt_and_pepper"]
"""Names of the corruptions defined in `aebench.corruptions`."""


def _momentum_of_the_optimiser(momentum: Any, info: Any) -> Any:
    if (info.data.get("optimiser"), bool(momentum)) in (("adam", True), ("nesterov", False)):
        raise ValueError("must be 0 for adam and above 0 for nesterov")
    return momentum


Blas = Literal["auto", "default"]
"""Choices of the library for float32 products, described in `aebench.training.device`."""


class Training(Schema):
    """Settings of gradient descent on mini-batches; the epoch with the lowest validation loss is kept."""

    epochs: PositiveInt
    batch_size: PositiveInt
    learning_rate: PositiveFloat
    schedule: Literal["constant", "cosine", "one_cycle"] = "constant"
    """How the rate changes over `epochs`; see `aebench.training.schedules`."""
    optimiser: Literal["adam", "sgd", "nesterov"] = "adam"
    """Adam (Kingma & Ba 2015), or stochastic gradient descent with `momentum` (`nesterov`: Sutskever et al. 2013)."""
    momentum: Annotated[float, BeforeValidator(_momentum_of_the_optimiser)] = Field(0.0, ge=0, lt=1, validate_default=True)
    weight_decay: float = Field(0.0, ge=0)
    """λ of a penalty λ/2 ‖W‖² of all weights, but not of biases. Its gradient is added; the losses do not include it."""
    criterion: Literal["loss", "error"] = "loss"
    """What is lowest on validation images at the epoch that is kept: the loss or, for classifiers, the fraction of errors."""
    patience: PositiveInt | None = None
    """Number of epochs without a lower `criterion` after which a seed stops; null: no early stopping."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: PositiveInt = 1
    blas: Blas = "auto"
    """Library for float32 products on a CPU: `auto` is oneDNN where it is faster and as accurate as torch's default."""
    precision: Literal["float32", "bfloat16", "tf32"] = "float32"
    """Precision of matrix products while training. Weights, updates and evaluation use float32. `tf32` affects CUDA only,
    where it also affects the validation losses during training."""

    def batches(self, images: int) -> int:
        """Number of batches, and so of updates, of an epoch of `images` images."""
        return -(-images // self.batch_size)


class Remark(Schema):
    """A sentence for the report about some models and studies; it is printed if all of them are in the report."""

    models: list[str] = Field(default_factory=list)
    studies: list[str] = Field(default_factory=list)
    says: str = Field(min_length=1)


def _remark(remark: Any) -> Any:
    return {"says": remark} if isinstance(remark, str) else remark


class Dataset(Schema):
    """The content of conf/<dataset>.yaml. Blocks that may be empty are required, too, since DVC tracks them by name."""

    may_be_empty: ClassVar = ("compute", "evaluation", "linear_probe", "feature_classifier")

    data: dict[str, Any]
    training: Training
    compute: dict[str, Any]
    evaluation: dict[str, Any]
    linear_probe: dict[str, Any]
    feature_classifier: dict[str, Any]
    models: dict[str, dict[str, Any]] = Field(min_length=1)
    stacks: dict[str, dict[str, Any]] = Field(default_factory=dict)
    studies: dict[str, dict[str, Any]] = Field(default_factory=dict)
    search: dict[str, Any] = Field(default_factory=dict)
    remarks: list[Annotated[Remark, BeforeValidator(_remark)]] = Field(default_factory=list)
    """Explanations of surprising results on this data set; a text without models is always printed."""

    @property
    def all_models(self) -> dict[str, dict[str, Any]]:
        """Settings of models and stacks by name."""
        return self.models | self.stacks

    def section_of(self, model: str) -> str:
        """Return the section of the file that contains the settings of `model`."""
        return "models" if model in self.models else "stacks"


def suite(file: Path = SUITE_FILE) -> Suite:
    """Read the suite in params.yaml."""
    document = read_yaml(file)
    if set(document) != {"suite"}:
        raise InputError(f"{file} must be one block named suite, got {', '.join(document) or 'nothing'}")
    checked = check(Suite, document["suite"], f"{file}:suite")
    for field in ("datasets", "all_models", "studies", "papers", "seeds"):
        names = getattr(checked, field)
        if len(set(names)) < len(names):
            raise InputError(f"{file}:suite.{field} must not contain duplicates, got {names}")
    check_names(checked.datasets, f"{file}:suite.datasets", RESERVED_DATASETS)
    check_names(checked.all_models, f"{file}:suite.models", RESERVED_MODELS)
    check_names(checked.studies, f"{file}:suite.studies")
    return checked


def dataset(name: str, path: str = DATASETS) -> Dataset:
    """Read conf/<name>.yaml; `path` is where the name is written."""
    file = conf_file(name, path)
    conf = check(Dataset, read_yaml(file), f"{file}:")
    check_names([*conf.models, *conf.stacks], f"{file}:models", RESERVED_MODELS)
    check_names(conf.studies, f"{file}:studies")
    if twice := conf.models.keys() & conf.stacks.keys():
        raise InputError(f"{file}:stacks must not have a name of models, got {min(twice)!r}")
    return conf


def models(name: str, suite: Suite) -> dict[str, dict[str, Any]]:
    """Return the settings of the suite's models on data set `name`, in the suite's order; `name` may be outside the suite."""
    conf, settings = dataset(name, DATASETS if name in suite.datasets else "DATASET"), {}
    for section in ("models", "stacks"):
        known = getattr(conf, section)
        for model in getattr(suite, section):
            if model not in known:
                raise unknown(f"{SUITE_FILE}:suite.{section} (for {conf_file(name)}:{section})", model, known)
            settings[model] = known[model]
    return settings


def training(conf: Dataset, settings: dict[str, Any], path: str) -> Training:
    """Return the data set's training settings, overridden by those of a model; `path` is where the latter are written."""
    return check(Training, conf.training.model_dump() | settings.get("training", {}), path)


def conf_file(name: str, path: str = DATASETS) -> Path:
    """Return conf/<name>.yaml; raises `InputError` if there is no such file. `path` is where the name is written.

    A name in params.yaml that resembles no existing file is not a typing error: the file has been deleted.
    """
    file, known = CONF / f"{name}.yaml", [file.stem for file in CONF.glob("*.yaml")]
    if name in known:
        check_names([name], path, RESERVED_DATASETS)
        return file
    if path == DATASETS and not did_you_mean(name, known):
        raise InputError(f"{file} must be a file, got none")
    raise unknown(path, name, known)
