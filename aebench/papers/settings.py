"""Settings of a paper, conf/papers/<paper>.yaml. This module imports neither torch nor models."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, FiniteFloat, field_validator

from aebench.config import Schema, Seed, Training
from aebench.errors import InputError, unknown
from aebench.evaluation.settings import Compute


def _distinct(values: list[Any]) -> list[Any]:
    if len(set(values)) < len(values):
        raise ValueError("must not contain duplicates")
    return values


class Run(Schema):
    """A model, how it is trained, and what is measured.

    `model` has the settings of a model of conf/<dataset>.yaml; its `training` overrides that of the paper, and so does
    `classifier`, which adds a softmax layer to the encoder and trains both with labels. A stack is pretrained layer by layer;
    with a classifier it is not fine-tuned without labels. `pretraining: false` leaves the encoder at its initial weights.
    """

    model: dict[str, Any]
    pretraining: bool = True
    classifier: dict[str, Any] | None = None
    measures: Annotated[list[str], Field(min_length=1), AfterValidator(_distinct)]
    """Names in `aebench.papers.measures.MEASURES`."""


class Row(Schema):
    """A published number and the run that reproduces it."""

    title: str = Field(min_length=1)
    run: str
    measure: str
    relative_to: str | None = None
    """Another run, by whose value of the same seed the value is divided."""
    published: FiniteFloat | None = None
    """The published number; null if the paper prints none."""
    band: Annotated[list[FiniteFloat | None], Field(min_length=2, max_length=2)] | None = None
    """Lower and upper limit of a mean over seeds that counts as reproduced, one of which may be null; null: no band."""
    source: str = Field(min_length=1)
    """Where the number is printed."""
    adapted: str = ""
    """What differs from the protocol of the paper and why; empty if nothing does."""
    explanation: str = ""
    """Why the band was missed or, without a band, why ours differs."""

    @field_validator("band")
    @classmethod
    def _band_is_an_interval(cls, band: list[float | None] | None) -> list[float | None] | None:
        if band is not None and (band == [None, None] or (None not in band and band[0] > band[1])):
            raise ValueError("must be [low, high] with low <= high, one of which may be null")
        return band


class Ranking(Schema):
    """A published ranking: each run in `lower` has a lower value of a measure than each run in `higher`."""

    lower: Annotated[list[str], Field(min_length=1), AfterValidator(_distinct)]
    higher: Annotated[list[str], Field(min_length=1), AfterValidator(_distinct)]
    measure: str
    level: float = Field(0.05, gt=0, lt=1)
    """The largest p value of a paired test, adjusted for all pairs of the ranking, at which it holds."""
    source: str = Field(min_length=1)
    """Where the ranking is printed."""


class Paper(Schema):
    """A paper; or, of kind `record`, a recipe of our own, whose result is compared with a target that we set."""

    title: str = Field(min_length=1)
    reference: str = Field(min_length=1)
    kind: Literal["paper", "record"] = "paper"
    data: dict[str, Any]
    seeds: Annotated[list[Seed], Field(min_length=1), AfterValidator(_distinct)]
    training: Training
    """Training settings of all runs, which a run may override."""
    compute: Compute
    """Processes in which runs are computed side by side, and hardware for the measures."""
    runs: dict[str, Run] = Field(min_length=1)
    rows: list[Row] = Field(min_length=1)
    rankings: list[Ranking] = Field(default_factory=list)

    def title_of(self, run: str, measure: str) -> str:
        """Return the title of the row of a run and a measure, else of any row of the run, else the name of the run."""
        rows = [row for row in self.rows if row.run == run]
        return next((row.title for row in [*(row for row in rows if row.measure == measure), *rows]), run)


def check_references(paper: Paper, path: str) -> None:
    """Raise `InputError` for a row or ranking of an unknown run or measure; `path` is the file, followed by a colon."""
    for i, row in enumerate(paper.rows):
        relative_to = [row.relative_to] if row.relative_to is not None else []
        _check_named(paper, f"{path}rows.{i}", row.measure, {"run": [row.run], "relative_to": relative_to})
    for i, ranking in enumerate(paper.rankings):
        _check_named(paper, f"{path}rankings.{i}", ranking.measure, {"lower": ranking.lower, "higher": ranking.higher})
        if twice := set(ranking.lower) & set(ranking.higher):
            raise InputError(f"{path}rankings.{i}.higher must not contain runs of lower, got {', '.join(sorted(twice))}")


def _check_named(paper: Paper, path: str, measure: str, runs: Mapping[str, list[str]]) -> None:
    """Check that `runs`, by the key below `path` that names them, exist and have the measure."""
    for key, names in runs.items():
        for run in names:
            if run not in paper.runs:
                raise unknown(f"{path}.{key}", run, paper.runs)
            if measure not in (measured := paper.runs[run].measures):
                raise unknown(f"{path}.measure (of runs.{run}.measures)", measure, measured)
