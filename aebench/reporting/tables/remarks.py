"""The remarks below the comparison: texts in conf/<dataset>.yaml with placeholders for numbers of the tables.

A placeholder is a quantity in braces, written as in claims.yaml:

    {ae:knn_5}                          a metric of a model
    {dae:knn_by_corruption/blur 0.15}   a profile at one position of its axis
    {dae:study/overfitting/100/sse}     a quantity of a study for one of its series

It is replaced by the mean over seeds as printed in the tables, or in Python's format after a second colon, such as
{vae:active_units:.0f}. A quantity that was not measured is printed as —. {{ and }} are braces.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isnan, nan
from string import Formatter

from aebench import config, studies
from aebench.config import Dataset, Remark
from aebench.errors import InputError, did_you_mean, unknown
from aebench.evaluation.metrics import METRICS, PROFILES
from aebench.reporting.claims import OTHER_QUANTITIES, STUDY
from aebench.reporting.results import Results
from aebench.reporting.tables.columns import INFINITE, MISSING, Table

Numbers = dict[str, tuple[float, str]]
"""Quantity -> its mean, and the format in which the tables print it."""


@dataclass(frozen=True)
class Placeholder:
    """A quantity `<owner>:<name>` of a model, or of a series of `study`, and its format, empty for that of the tables."""

    owner: str
    name: str
    study: str
    form: str

    @property
    def quantity(self) -> str:
        """The quantity as it is written."""
        return f"{self.owner}:{self.name}"


def texts(results: Results, tables: Sequence[Table]) -> list[str]:
    """Return the remarks on models and studies that have results, with the numbers of `tables`.

    A remark is about the models and studies that it lists and about those of its placeholders. Raises `InputError` for a
    placeholder without a number.
    """
    conf, numbers, printed = config.dataset(results.dataset), _numbers(results, tables), []
    for path, remark in _remarks(results.dataset, conf):
        placeholders = _check(remark, path, results.dataset, conf)
        models = {*remark.models, *(each.owner for each in placeholders if not each.study)}
        about = {*remark.studies, *(each.study for each in placeholders if each.study)}
        if models <= {model.name for model in results.measured.models} and about <= results.studies.keys():
            filled = iter([_number(each, numbers, f"{path}.says") for each in placeholders])
            parts = Formatter().parse(remark.says)
            printed.append("".join(text if owner is None else text + next(filled) for text, owner, *_ in parts))
    return printed


def check(dataset: str) -> None:
    """Raise `InputError` for an unknown model, study or metric in the remarks; positions are known once there are results."""
    conf = config.dataset(dataset)
    for path, remark in _remarks(dataset, conf):
        _check(remark, path, dataset, conf)


def parse(text: str, path: str) -> list[Placeholder]:
    """Return the placeholders of a text, in order; `path` is where the text is written."""
    try:
        fields = [field for _, *field in Formatter().parse(text) if field[0] is not None]
    except ValueError as error:
        raise InputError(f"{path} must have {{{{ and }}}} for braces that are not placeholders: {error}") from None
    return [_placeholder(*field, path) for field in fields]


def _placeholder(owner: str, rest: str, conversion: str | None, path: str) -> Placeholder:
    name, _, form = rest.partition(":")
    if not owner or not name or conversion:
        got = f"{owner}{f'!{conversion}' if conversion else ''}{f':{rest}' if rest else ''}"
        raise InputError(f"{path} must have <model>:<quantity> in braces, and {{{{ and }}}} for other braces, got {{{got}}}")
    try:
        format(0.0, form)
    except ValueError:
        raise InputError(f"{path}: the format of {owner}:{name} must be one of Python's, such as .1f, got {form!r}") from None
    kind, _, where = name.partition("/")
    return Placeholder(owner, name, where.partition("/")[0] if kind == STUDY else "", form)


def _remarks(dataset: str, conf: Dataset) -> Iterator[tuple[str, Remark]]:
    """Return each remark with its path."""
    return ((f"{config.conf_file(dataset)}:remarks.{i}", remark) for i, remark in enumerate(conf.remarks))


def _check(remark: Remark, path: str, dataset: str, conf: Dataset) -> list[Placeholder]:
    """Return the placeholders of a remark; raises `InputError` for an unknown model, study, series, metric or profile."""
    for key, known in {"models": conf.all_models, "studies": conf.studies}.items():
        for name in getattr(remark, key):
            if name not in known:
                raise unknown(f"{path}.{key}", name, known)
    for each in (placeholders := parse(remark.says, f"{path}.says")):
        kind, where = each.name.partition("/")[0], f"{path}.says: {{{each.quantity}}}"
        if kind not in (quantities := [*PROFILES, *OTHER_QUANTITIES] if "/" in each.name else METRICS):
            raise unknown(f"{where}: the quantity", kind, quantities)
        if kind == STUDY and each.study not in conf.studies:
            raise unknown(f"{where}: the study", each.study, conf.studies)
        owners = _series(dataset, each.study) if kind == STUDY else conf.all_models
        if each.owner not in owners:
            raise unknown(f"{where}: the {'series' if kind == STUDY else 'model'}", each.owner, owners)
    return placeholders


def _series(dataset: str, study: str) -> set[str]:
    return {task.partition("=")[0] for task in studies.find(dataset, study).tasks()}


def _numbers(results: Results, tables: Sequence[Table]) -> Numbers:
    """Return every metric, setting and number of the tables; tables leave out metrics without a value."""
    numbers: Numbers = {}
    for model in results.models:
        numbers |= {f"{model.name}:{metric}": (nan, "") for metric in METRICS}
        settings = {key: value for key, value in model.settings.items() if type(value) in (int, float)}
        numbers |= {f"{model.name}:settings/{key}": (value, "") for key, value in settings.items()}
    for table in tables:
        for column in table.columns:
            for i, value in enumerate(column.values):
                numbers[_quantity(table, column.name, i)] = value.mean, f"z.{column.decimals}f"
    return numbers


def _quantity(table: Table, column: str, row: int) -> str:
    """Return the quantity in a row of a column. The rows of a table are models, or parts of one model or of one study."""
    if not table.model:
        return f"{table.columns[0].cells[row]}:{column}"
    kind, _, name = column.partition("/")
    if kind != STUDY:
        return f"{table.model}:{column}.{table.rows[row]}"
    series, _, position = table.rows[row].partition("/")
    return f"{series}:{STUDY}/{table.model}/{position}/{name}"


def _number(placeholder: Placeholder, numbers: Numbers, path: str) -> str:
    if (name := placeholder.quantity) not in numbers:
        nearest = did_you_mean(name, [each for each in numbers if each.partition(":")[0] == placeholder.owner])
        raise InputError(f"{path} must have numbers of the report in braces, got {{{name}}}{nearest}")
    mean, form = numbers[name]
    return MISSING if isnan(mean) else format(mean, placeholder.form or form).replace("inf", INFINITE)
