"""MLflow shows what the files say: a mirror made in one process from finished results. The only importer of mlflow.

An experiment a data set, a run a model (the summary over seeds), nested below it a run a seed. Seen in the UI with 8 models
and 10 seeds: nested, the table opens with one line a model and the charts with one bar or mean curve a model, to be unfolded;
flat, both open with 88 runs in a heap until one groups by model, and a group has means but no parameters, figures or interval.
Sorted by a metric the table lists every run: filter by params.seed = "all", or by a seed.

A row (a model on a data set) is replaced when, and only when, what its runs would say has changed: its fingerprint covers
parameters, data, metrics and history. dvc.lock's entry would not do: it holds code and wall time, so that a rerun with equal
results would double every run, and it knows nothing of a stage run by hand; its hash is a tag. What is replaced is tagged
superseded and softly deleted, because a chart or a group's mean must not mix old numbers with new (the UI lists it under
State: Deleted). A row's runs become current together, after all is logged, so that a killed mirror is made again.
"""

import json
import logging
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from aebench import params, runs
from aebench.errors import InputError
from aebench.lock import Lock
from aebench.records import ALL, FINGERPRINT, MODEL, RESULTS, Record, Row, fingerprint, md5

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

LOCAL_STORE = "sqlite:///mlflow.db"
ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",  # seconds; a server that is down is noticed at once, a silent one after two tries
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
"""What MLflow is told unless the user has told it otherwise."""
COLOURS = ["3f90da", "ffa90e", "bd1f01", "94a4a2", "832db6", "a96b59", "e76300", "b9ac70", "717581", "92dadd"]
"""One a model, shared by its runs: Petroff's (2021) ten, which the colour-blind can tell apart. MLflow's own are random."""
CURRENT = "current"
STATE, FIGURES = "aebench.state", "aebench.figures"


@dataclass
class Tally:
    """What mirroring did: runs made, kept and superseded, and the rows that have no results yet."""

    made: int = 0
    kept: int = 0
    superseded: int = 0
    missing: list[str] = field(default_factory=list)


def store() -> str:
    """The address of the MLflow store."""
    return os.environ.get("MLFLOW_TRACKING_URI") or LOCAL_STORE


def mirror(wanted: params.Suite) -> Tally:
    """Make MLflow say what the results of the suite's rows say; an `InputError` if its store does not answer."""
    lock, commit = Lock.read(wanted.datasets), _commit()
    rows = [row for dataset in wanted.datasets for row in _finished(dataset, wanted, lock, commit)]
    names = [f"{row.dataset}/{row.model}" for row in rows]
    tally = Tally(missing=[name for name in map("/".join, product(wanted.datasets, wanted.rows)) if name not in names])
    with _client() as client:
        for row in rows:
            _mirror(client, row, tally)
    return tally


def _finished(dataset: str, wanted: params.Suite, lock: Lock, commit: dict[str, str]) -> Iterator[Row]:
    """The rows of the data set that have results."""
    conf, blocks = params.dataset(dataset), params.rows(dataset, wanted)
    finished = [model for model in blocks if all((runs.folder(dataset, model) / name).exists() for name in RESULTS)]
    data = _data(dataset, lock) if finished else {}
    for model in finished:
        training = params.training(conf, blocks[model], f"{params.conf_file(dataset)}:models.{model}.training")
        stages = {name: entry for name, entry in lock.stages.items() if name.endswith(f"@{dataset}-{model}")}
        colour = COLOURS[wanted.rows.index(model) % len(COLOURS)]
        notes = {"mlflow.runColor": f"#{colour}", "dvc.stages": ", ".join(stages), "dvc.lock": fingerprint(stages)}
        yield Row(dataset, model, blocks[model] | {"training": training.model_dump()}, data, commit | notes)


def _data(dataset: str, lock: Lock) -> dict[str, str]:
    """The data set as MLflow is told of it; its digest is that of the prepared splits, which need not be here to be known."""
    splits = [runs.split_file(dataset, name) for name in runs.SPLITS]
    digest = fingerprint([lock.written.get(split.as_posix(), ("", ""))[1] or md5(split) for split in splits])
    profile = json.dumps(asdict(runs.load_about(dataset)))
    source = json.dumps({"uri": (runs.DATA / dataset).as_posix()})
    return {"name": dataset, "digest": digest, "source_type": "local", "source": source, "profile": profile}


def _mirror(client: "MlflowClient", row: Row, tally: Tally) -> None:
    """Log the row unless it is there, retire what else stands in its place, bring its figures up to date."""
    experiment = _experiment(client, row.dataset)
    found = client.search_runs([experiment], f"tags.`{MODEL}` = '{row.model}'")
    kept = [run for run in found if (_state(run), run.data.tags.get(FINGERPRINT)) == (CURRENT, row.fingerprint)]
    if len(kept) != 1 + len(row.metrics):
        kept = []
    made = [] if kept else _log_row(client, experiment, row)
    tally.superseded += sum(_retire(client, run) for run in found if run not in kept)
    for run_id in made:
        client.set_tag(run_id, STATE, CURRENT)
    _draw(client, experiment, row)
    tally.made += len(made)
    tally.kept += len(kept)


def _log_row(client: "MlflowClient", experiment: str, row: Row) -> list[str]:
    """Log every run of the row, to be made current later; returns their ids."""
    ids: list[str] = []
    for place, record in enumerate(row.records()):
        parent = {"mlflow.parentRunId": ids[0]} if ids else {}
        ids.append(_log(client, experiment, row, record, row.time - place, parent))
    return ids


def _log(client: "MlflowClient", experiment: str, row: Row, record: Record, end: int, parent: dict[str, str]) -> str:
    """Log one run; its duration is the seconds of training, its end orders the seeds in the UI."""
    from mlflow.entities import Dataset, DatasetInput, Metric, Param

    tags = row.tags | parent | {STATE: "unfinished"}
    run_id = client.create_run(experiment, end - round(1000 * record.seconds), tags, record.name).info.run_id
    client.log_inputs(run_id, [DatasetInput(Dataset(**row.data))])
    metrics = [Metric(name, value, row.time, step) for name, value, step in record.points()]
    said = [Param(name, value) for name, value in (row.params | {"seed": record.seed}).items()]
    client.log_batch(run_id, metrics, said)  # which the client splits into calls of 1000, MLflow's limit
    client.set_terminated(run_id, end_time=end)
    return run_id


def _retire(client: "MlflowClient", run: "Run") -> bool:
    """Delete a run softly; whether it was a finished one, which is now superseded, and not a half-logged one."""
    finished = _state(run) == CURRENT
    if finished:
        client.set_tag(run.info.run_id, STATE, "superseded")
    client.delete_run(run.info.run_id)
    return finished


def _draw(client: "MlflowClient", experiment: str, row: Row) -> None:
    """Give the row's summary the data set's figures, in which it stands beside the other models, if they have changed."""
    [summary] = client.search_runs(
        [experiment], f"tags.`{MODEL}` = '{row.model}' and params.seed = '{ALL}' and tags.`{STATE}` = '{CURRENT}'"
    )
    figures = sorted((runs.REPORTS / row.dataset / "figures").glob("*.png"))
    drawn = fingerprint([md5(figure) for figure in figures])
    if summary.data.tags.get(FIGURES) != drawn:
        for figure in figures:
            client.log_artifact(summary.info.run_id, figure)
        client.set_tag(summary.info.run_id, FIGURES, drawn)


def _state(run: "Run") -> str:
    return run.data.tags.get(STATE, "unfinished")


def _experiment(client: "MlflowClient", dataset: str) -> str:
    """The id of the data set's experiment; artifacts of the local store lie in mlartifacts/."""
    name = f"aebench/{dataset}"
    known = client.get_experiment_by_name(name)
    if known is None:
        place = Path("mlartifacts", dataset).resolve().as_uri() if store() == LOCAL_STORE else None
        return client.create_experiment(name, place)
    if known.lifecycle_stage == "deleted":
        client.restore_experiment(known.experiment_id)
    return known.experiment_id


@contextmanager
def _client() -> Iterator["MlflowClient"]:
    """A quiet client of the store; whatever the store or the way to it does wrong is one `InputError`."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    for name in ("mlflow", "alembic", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield MlflowClient(tracking_uri=store())
    except (MlflowException, SQLAlchemyError, OSError, ImportError) as error:
        text = f"MLFLOW_TRACKING_URI must be a store that answers, got {store()}: {_root(error)}"
        raise InputError(re.sub(r"//[^/@\s]+@", "//", text)) from None  # no password


def _root(error: BaseException) -> str:
    """What went wrong first, in a line: "[Errno 111] Connection refused"."""
    while error.__context__ is not None:
        error = error.__context__
    return " ".join(str(error).split())[:200]


def _commit() -> dict[str, str]:
    """The commit that is checked out, and whether files differ from it that a run of the pipeline does not write."""
    commit = _git("rev-parse", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!dvc.lock", f":!{runs.REPORTS}", ":!docs")
    return {"mlflow.source.git.commit": commit, "mlflow.source.git.dirty": json.dumps(bool(changed))} if commit else {}


def _git(*arguments: str) -> str:
    """What Git prints; nothing where there is no Git or no repository."""
    try:
        return subprocess.run(["git", *arguments], capture_output=True, text=True).stdout.strip()
    except FileNotFoundError:
        return ""
