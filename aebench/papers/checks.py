"""Check the settings of a paper that its schema does not cover: those of data and models, and names of runs and measures."""

from aebench import config, data, models
from aebench.errors import InputError, check_names, unknown
from aebench.papers.measures import MEASURES
from aebench.papers.settings import Paper, Run


def check(paper: Paper, path: str) -> None:
    """Raise `InputError` for the first invalid setting; `path` is the file, followed by a colon."""
    pixels = data.check(paper.data, f"{path}data").pixels
    check_names(paper.runs, f"{path}runs")
    for name, run in paper.runs.items():
        _check_run(paper, run, f"{path}runs.{name}", pixels)
    for i, row in enumerate(paper.rows):
        if row.run not in paper.runs:
            raise unknown(f"{path}rows.{i}.run", row.run, paper.runs)
        if row.relative_to is not None and row.relative_to not in paper.runs:
            raise unknown(f"{path}rows.{i}.relative_to", row.relative_to, paper.runs)
        for run in filter(None, (row.run, row.relative_to)):
            if row.measure not in (measured := paper.runs[run].measures):
                raise unknown(f"{path}rows.{i}.measure (of runs.{run}.measures)", row.measure, measured)


def training(paper: Paper, changes: dict, path: str) -> config.Training:
    """Return the training settings of the paper, overridden by `changes`; `path` is where the latter are written."""
    return config.check(config.Training, paper.training.model_dump() | changes, path)


def _check_run(paper: Paper, run: Run, path: str, pixels: int | None) -> None:
    kind = models.find(run.model, f"{path}.model")
    config.check(kind.Settings, run.model, f"{path}.model")
    own = training(paper, run.model.get("training", {}), f"{path}.model.training")
    if own.criterion != "loss":
        raise InputError(f"{path}.model.training.criterion must be loss except in classifier, got {own.criterion}")
    for i, layer in enumerate(run.model.get("layers", ())):
        training(paper, layer.get("training", {}), f"{path}.model.layers.{i}.training")
    if run.classifier is not None:
        training(paper, run.classifier, f"{path}.classifier")
    if pixels is not None:
        models.build(run.model, pixels, f"{path}.model")
    for measure in run.measures:
        if measure not in MEASURES:
            raise unknown(f"{path}.measures", measure, MEASURES)
        if MEASURES[measure].subject == "classifier" and run.classifier is None:
            raise InputError(f"{path}.classifier must be given for the measure {measure}, got nothing")
    if len(set(run.measures)) < len(run.measures):
        raise InputError(f"{path}.measures must not contain duplicates, got {run.measures}")
