"""params.yaml and conf/<dataset>.yaml: their schema, checked at the door; the only reader and writer of YAML.

`params.yaml` says what runs (`suite`), `conf/<dataset>.yaml` holds every number of one data set. The blocks of a data
source, a model and the evaluation are typed where they are used (`aebench.data`, `aebench.models`,
`aebench.representation`); here they are plain dictionaries, so that reading parameters imports neither torch nor
scikit-learn.

Errors read: <file>:<path> must be <constraint>, got <value>.
"""

from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveFloat, PositiveInt, ValidationError
from ruamel.yaml import YAML, YAMLError

from aebench.errors import InputError, unknown

SUITE_FILE = Path("params.yaml")
CONF = Path("conf")
T = TypeVar("T", bound=BaseModel)


class Schema(BaseModel):
    """A block of parameters: no unknown keys, no silent conversions, no changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Suite(Schema):
    """What to run: every model on every data set, each with every seed."""

    datasets: list[str] = Field(min_length=1)
    models: list[str] = Field(min_length=1)
    seeds: list[NonNegativeInt] = Field(min_length=1)


class Training(Schema):
    """How `minimise` trains: Adam (Kingma & Ba 2015) on mini-batches, the epoch of least validation loss kept."""

    epochs: PositiveInt
    batch_size: PositiveInt
    learning_rate: PositiveFloat
    schedule: Literal["constant", "cosine"] = "constant"
    """`cosine`: the rate falls to 0 over `epochs` as (1 + cos(pi e / epochs)) / 2 (Loshchilov & Hutter 2017)."""
    patience: PositiveInt | None = None
    """A seed stops after so many epochs without a lower validation loss; null: never."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: PositiveInt = 1


class Dataset(Schema):
    """conf/<dataset>.yaml."""

    data: dict[str, Any]
    training: Training
    evaluation: dict[str, Any]
    models: dict[str, dict[str, Any]] = Field(min_length=1)


def suite(file: Path = SUITE_FILE) -> Suite:
    """What params.yaml asks for."""
    document = read_yaml(file)
    if set(document) != {"suite"}:
        raise InputError(f"{file} must be one block named suite, got {', '.join(document) or 'nothing'}")
    wanted = check(Suite, document["suite"], f"{file}:suite")
    for field in ("datasets", "models", "seeds"):
        names = getattr(wanted, field)
        if len(set(names)) < len(names):
            raise InputError(f"{file}:suite.{field} must be without repetition, got {names}")
    return wanted


def select(changes: dict[str, list], file: Path = SUITE_FILE) -> Suite:
    """Write other datasets, models or seeds into params.yaml (comments stay); the file is untouched if they are wrong."""
    yaml = YAML()
    document = yaml.load(file.read_text())
    for field, values in changes.items():
        document["suite"][field][:] = values
    partial = file.with_name(file.name + ".partial")
    with partial.open("w") as stream:
        yaml.dump(document, stream)
    try:
        wanted = suite(partial)
        for name in wanted.datasets:
            rows(name, wanted)
    except InputError as error:
        partial.unlink()
        raise InputError(str(error).replace(str(partial), str(file))) from None
    partial.replace(file)
    return wanted


def dataset(name: str) -> Dataset:
    """The parameters of data set `name`."""
    file = conf_file(name)
    return check(Dataset, read_yaml(file), f"{file}:")


def rows(name: str, wanted: Suite) -> dict[str, dict[str, Any]]:
    """The model blocks the suite wants of data set `name`, in the suite's order."""
    blocks = dataset(name).models
    for model in wanted.models:
        if model not in blocks:
            raise unknown(f"{SUITE_FILE}:suite.models (for {conf_file(name)}:models)", model, blocks)
    return {model: blocks[model] for model in wanted.models}


def training(conf: Dataset, block: dict[str, Any], path: str) -> Training:
    """The data set's training with what the model's block changes of it; `path` is where the block does."""
    return check(Training, conf.training.model_dump() | block.get("training", {}), path)


def conf_file(name: str) -> Path:
    """conf/<name>.yaml, which must exist."""
    known = [path.stem for path in CONF.glob("*.yaml")]
    if name not in known:
        raise unknown(f"{SUITE_FILE}:suite.datasets", name, known)
    return CONF / f"{name}.yaml"


def check(schema: type[T], block: Any, path: str) -> T:
    """`block` as a `schema`; `path` is where it was written. A misspelt key is told before the key it leaves missing."""
    try:
        return schema.model_validate(block)
    except ValidationError as invalid:
        errors = invalid.errors(include_url=False)
        raise _explain(next((e for e in errors if e["type"] == "extra_forbidden"), errors[0]), schema, path) from None


def _explain(error: dict[str, Any], schema: type[BaseModel], path: str) -> InputError:
    location = [str(part) for part in error["loc"]]
    where = path + ("" if path.endswith(":") else ".") + ".".join(location) if location else path.rstrip(":")
    if error["type"] == "extra_forbidden":
        parent = where.rpartition(location[-1])[0].rstrip(".:")
        return unknown(f"a key of {parent}", location[-1], _known_keys(schema, location[:-1]))
    if error["type"] == "missing":
        return InputError(f"{where} must be given, got nothing")
    constraint = error["msg"].removeprefix("Value error, ").replace("Input should be", "must be").replace("should", "must")
    return InputError(f"{where} {constraint[max(constraint.find('must'), 0) :]}, got {error['input']!r}")


def _known_keys(schema: type[BaseModel], location: list[str]) -> list[str]:
    for part in location:
        schema = schema.model_fields[part].annotation
    return list(schema.model_fields)


def read_yaml(file: Path) -> dict[str, Any]:
    """A YAML file (version 1.2) that holds a mapping."""
    try:
        document = YAML(typ="safe", pure=True).load(file.read_text())
    except FileNotFoundError:
        raise InputError(f"{file} must be a file in the project's folder, got none") from None
    except YAMLError as error:
        raise InputError(f"{file} must be valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict):
        raise InputError(f"{file} must be a mapping, got {document!r}")
    return document
