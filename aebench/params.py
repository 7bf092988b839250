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
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from aebench.errors import InputError, unknown

SUITE_FILE = Path("params.yaml")
CONF = Path("conf")
T = TypeVar("T", bound=BaseModel)


class Schema(BaseModel):
    """A block of parameters: no unknown keys, no silent conversions, no changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Suite(Schema):
    """What to run: every row on every data set, each with every seed. `stacks` are rows that are pretrained layer by layer."""

    datasets: list[str] = Field(min_length=1)
    models: list[str] = Field(min_length=1)
    stacks: list[str] = []
    seeds: list[NonNegativeInt] = Field(min_length=1)

    @property
    def rows(self) -> list[str]:
        """The rows of every table, in its order."""
        return [*self.models, *self.stacks]


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
    stacks: dict[str, dict[str, Any]] = {}
    search: dict[str, Any] = {}
    remarks: list[str] = []
    """Sentences for the report: what is surprising in this data set's tables, and why."""

    @property
    def rows(self) -> dict[str, dict[str, Any]]:
        """Every row's block, of models and stacks."""
        return self.models | self.stacks

    def part(self, row: str) -> str:
        """The part of the file that the row's block is in."""
        return "models" if row in self.models else "stacks"


def suite(file: Path = SUITE_FILE) -> Suite:
    """What params.yaml asks for."""
    document = read_yaml(file)
    if set(document) != {"suite"}:
        raise InputError(f"{file} must be one block named suite, got {', '.join(document) or 'nothing'}")
    wanted = check(Suite, document["suite"], f"{file}:suite")
    for field in ("datasets", "rows", "seeds"):
        names = getattr(wanted, field)
        if len(set(names)) < len(names):
            raise InputError(f"{file}:suite.{field} must be without repetition, got {names}")
    return wanted


def select(changes: dict[str, list], file: Path = SUITE_FILE) -> Suite:
    """Write other datasets, models (stacks among them) or seeds into params.yaml; comments stay.

    The models stay too, if all these data sets have them; otherwise they become all that these data sets have in common.
    The file is untouched if something is wrong.
    """
    yaml = YAML()
    document = yaml.load(file.read_text())
    chosen = dict(document["suite"]) | changes
    confs = [dataset(name) for name in chosen["datasets"]]
    names = changes.get("models") or [*chosen["models"], *chosen.get("stacks", [])]
    if confs and "models" not in changes and any(set(names) - set(conf.rows) for conf in confs):
        names = [name for name in confs[0].rows if all(name in conf.rows for conf in confs)]
    stacks = [name for name in names if confs and name in confs[0].stacks]
    chosen |= {"models": [name for name in names if name not in stacks], "stacks": stacks}
    for field in {**changes, "models": names, "stacks": stacks}:
        document["suite"][field] = CommentedSeq(chosen[field])
        document["suite"][field].fa.set_flow_style()
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


def add_row(name: str, row: str, block: dict[str, Any]) -> None:
    """Write `block` into the `models` of conf/<name>.yaml, on a line of its own behind the others; comments stay."""
    file, yaml = conf_file(name), YAML()
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    document = yaml.load(file.read_text())
    document["models"][row] = CommentedMap(block)
    document["models"][row].fa.set_flow_style()
    partial = file.with_name(file.name + ".partial")
    with partial.open("w") as stream:
        yaml.dump(document, stream)
    partial.replace(file)


def rows(name: str, wanted: Suite) -> dict[str, dict[str, Any]]:
    """The blocks that the suite wants of data set `name`, in the suite's order."""
    conf, found = dataset(name), {}
    for part in ("models", "stacks"):
        blocks = getattr(conf, part)
        for row in getattr(wanted, part):
            if row not in blocks:
                raise unknown(f"{SUITE_FILE}:suite.{part} (for {conf_file(name)}:{part})", row, blocks)
            found[row] = blocks[row]
    return found


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
        if isinstance(inner := errors[0].get("ctx", {}).get("error"), InputError):
            raise InputError(_nested(path, str(inner))) from None
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


def _nested(path: str, text: str) -> str:
    """The text of an error in a block within the block at `path`."""
    key = "a key of "
    return f"{key}{path}.{text.removeprefix(key)}" if text.startswith(key) else f"{path}.{text}"


def _known_keys(schema: type[BaseModel], location: list[str]) -> list[str]:
    for part in location:
        schema = schema.model_fields[part].annotation
    return list(schema.model_fields)


def write_yaml(file: Path, document: dict[str, Any]) -> None:
    """A mapping, written as DVC writes its own."""
    yaml, partial = YAML(), file.with_name(file.name + ".partial")
    yaml.default_flow_style = False
    file.parent.mkdir(parents=True, exist_ok=True)
    with partial.open("w") as stream:
        yaml.dump(document, stream)
    partial.replace(file)


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
