"""Copy finished results to MLflow. Only this package imports mlflow.

There is one experiment per data set, one run per model (the summary over seeds), and one run per seed nested in the model's
run. With 8 models and 10 seeds, the table of the UI then opens with one row per model, and the charts with one bar or mean
curve per model, which can be expanded. Without nesting both would open with 88 runs until the user groups them by model, and a
group has no parameters, figures or intervals. Sorting by a metric lists every run: filter by params.seed = "all", or by a seed.

The run of a model's first seed that did not fail has the model itself as its output, see `aebench.tracking.models`;
`suite.mlflow_models` in params.yaml chooses none, the first or all of these seeds.

The runs of a model are replaced if their content has changed or if some are missing. The fingerprint covers parameters, data,
metrics and history. The hash of the dvc.lock entry is only a tag: it also covers code and wall times, so a rerun would
duplicate every run, and it misses stages run by hand. Replaced runs are tagged superseded and soft-deleted (the UI lists them
under State: Deleted), because a chart or the mean of a group must not mix old and new numbers. The runs of a model become
current together, after all of them are logged: if the process is killed, the next one logs that model again.

The results of a DVC experiment (`dvc exp run`) are logged next to those of the project, as runs tagged with its name, which
replace only earlier runs of the same experiment. A model that the experiment does not change has no runs in it. DVC may run
an experiment in a temporary copy of the project; the store and the artifacts are those of the project. The runs of a sweep
(`aebench sweep`) have a tag with its name.
"""

import json
import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aebench import config, storage
from aebench.errors import InputError
from aebench.reporting import provenance, results
from aebench.storage.lock import Lock
from aebench.tracking import models
from aebench.tracking.records import ALL, FAILED, FINGERPRINT, MODEL, Record, TrackedModel, fingerprint

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

LOCAL_STORE = "sqlite:///mlflow.db"
PROJECT, EXPERIMENT_NAME = "DVC_ROOT", "DVC_EXP_NAME"
"""Variables that DVC sets for a stage: the folder of the project, not of a temporary copy, and the name of the experiment."""
ENVIRONMENT = {
    # In seconds. A server that is down fails immediately, an unresponsive one after two attempts.
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
"""Defaults for variables that the user has not set."""
COLOURS = ["3f90da", "ffa90e", "bd1f01", "94a4a2", "832db6", "a96b59", "e76300", "b9ac70", "717581", "92dadd"]
"""Ten colours for colour-blind readers (Petroff 2021), shared by the runs of a model; the eleventh model has the first again.

MLflow's defaults are random.
"""
TRACKING_LOCK = Path(".dvc/tmp/mlflow.lock")
CURRENT = "current"
STATE, FIGURES = "aebench.state", "aebench.figures"


@dataclass
class Tally:
    """Number of runs that were logged, kept and superseded, and the models without results."""

    logged: int = 0
    kept: int = 0
    superseded: int = 0
    missing: list[str] = field(default_factory=list)

    @property
    def summary(self) -> str:
        """A one-line summary."""
        missing = f"; no results yet: {', '.join(self.missing)}" if self.missing else ""
        return f"MLflow: {self.logged} runs logged, {self.kept} kept, {self.superseded} superseded{missing}"


def store() -> str:
    """The URI of the MLflow store; a relative SQLite path is relative to the project's folder."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or LOCAL_STORE
    return re.sub(r"^sqlite:///(?![/:]|\w:)", lambda match: f"{match[0]}{_project().as_posix()}/", uri)


def _project() -> Path:
    """The absolute folder of the project; the working directory may be a temporary copy of it.

    MLflow keeps an open connection for each URI, so that a relative one would lead to the store of an earlier project.
    """
    return Path(os.environ.get(PROJECT, "")).absolute()


def mirror(sweep: str = "", project: Path | None = None) -> Tally:
    """Update MLflow to the current results of the suite. Raises `InputError` if the store is unreachable.

    The runs of a `sweep` have a tag with its name, and are in the store of `project`, the workspace in which it was made.
    """
    with _store_of(project):
        return _mirror_suite(config.suite(), sweep)


@contextmanager
def _store_of(project: Path | None) -> Iterator[None]:
    """Use the store of `project`, for this process and those that it starts; None: as before."""
    before = os.environ.get(PROJECT)
    os.environ |= {PROJECT: str(project)} if project else {}
    try:
        yield
    finally:
        os.environ.pop(PROJECT, None)
        os.environ |= {PROJECT: before} if before is not None else {}


def _mirror_suite(suite: config.Suite, sweep: str) -> Tally:
    found = [model for dataset in suite.datasets for model in _finished(dataset, suite, sweep)]
    finished = {(model.dataset, model.name) for model in found}
    tally = Tally(missing=["/".join(pair) for pair in product(suite.datasets, suite.all_models) if pair not in finished])
    with _alone(), _client() as client:
        registered = {dataset: models.registered(client, dataset) for dataset in suite.datasets}
        for model in found:
            _mirror(client, model, tally, registered[model.dataset])
    return tally


def _finished(dataset: str, suite: config.Suite, sweep: str) -> Iterator[TrackedModel]:
    """Yield the models with results on a data set."""
    models, lock, commit = results.read(dataset, complete=False).models, Lock.read(suite.datasets), _commit()
    data = _data(dataset, lock) if models else {}
    for model in models:
        stages = {name: entry for name, entry in lock.stages.items() if name.endswith(f"@{dataset}-{model.name}")}
        colour = COLOURS[suite.all_models.index(model.name) % len(COLOURS)]
        notes = {"mlflow.runColor": f"#{colour}", "dvc.stages": ", ".join(stages), "dvc.lock": fingerprint(stages)}
        experiment = os.environ.get(EXPERIMENT_NAME, "")
        yield TrackedModel(dataset, model, data, commit | notes, suite.mlflow_models, experiment, sweep)


def _data(dataset: str, lock: Lock) -> dict[str, str]:
    """Fields of MLflow's description of a data set.

    The digest covers the md5s of the prepared splits: those in dvc.lock if it has them, otherwise those of the files.
    """
    splits = [storage.split_file(dataset, name) for name in storage.SPLITS]
    digest = fingerprint([lock.written.get(split.as_posix(), ("", ""))[1] or storage.md5(split) for split in splits])
    profile = json.dumps(asdict(storage.load_about(dataset)))
    source = json.dumps({"uri": (storage.DATA / dataset).as_posix()})
    return {"name": dataset, "digest": digest, "source_type": "local", "source": source, "profile": profile}


def _mirror(client: "MlflowClient", model: TrackedModel, tally: Tally, registered: dict[str, models.Registered]) -> None:
    """Log a model unless its runs are current, delete its outdated runs, and update its figures and the registry."""
    experiment = _experiment(client, model.dataset)
    runs = _search(client, experiment, model.key)
    kept = _with_same_content(runs, model)
    if not kept and model.experiment:
        kept = _with_same_content(_search(client, experiment, model.name), model)
    logged = [] if kept else _log_model(client, experiment, model)
    tally.superseded += sum(_delete(client, run) for run in runs if run not in kept)
    for run_id in logged:
        client.set_tag(run_id, STATE, CURRENT)
    if model.key == model.name:  # neither of an experiment nor of a sweep
        models.register(client, model, kept or [client.get_run(run_id) for run_id in logged], registered)
    _log_figures(client, experiment, model)
    tally.logged += len(logged)
    tally.kept += len(kept)


def _search(client: "MlflowClient", experiment: str, key: str, condition: str = "") -> "list[Run]":
    return client.search_runs([experiment], f'tags.`{MODEL}` = "{key}"{condition}')


def _with_same_content(runs: "list[Run]", model: TrackedModel) -> "list[Run]":
    """The current runs with the content of the model; none unless the summary and all seeds are there."""
    same = [run for run in runs if (_state(run), run.data.tags.get(FINGERPRINT)) == (CURRENT, model.fingerprint)]
    return same if len(same) == 1 + len(model.results.seeds) else []


def _log_model(client: "MlflowClient", experiment: str, model: TrackedModel) -> list[str]:
    """Log all runs of a model without marking them current; returns their ids."""
    ids: list[str] = []
    for position, record in enumerate(model.records()):
        parent = {"mlflow.parentRunId": ids[0]} if ids else {}
        ids.append(_log(client, experiment, model, record, model.time - position, parent))
    return ids


def _log(client: "MlflowClient", experiment: str, model: TrackedModel, record: Record, end: int, parent: dict[str, str]) -> str:
    """Log one run; its duration is the training time, and its end time determines the order of seeds in the UI."""
    from mlflow.entities import Dataset, DatasetInput, Metric, Param

    tags = model.tags | parent | {STATE: "unfinished"} | ({FAILED: record.failed} if record.failed else {})
    name = record.name + (f" ({model.experiment})" if model.experiment else "")
    run_id = client.create_run(experiment, end - round(1000 * record.seconds), tags, name).info.run_id
    client.log_inputs(run_id, [DatasetInput(Dataset(**model.data))])
    link = {}
    if record.seed in model.logged_seeds:
        link = {f"dataset_{field}": model.data[field] for field in ("name", "digest")}
        link |= {"model_id": models.log(client, experiment, run_id, model, int(record.seed)), "run_id": run_id}
    points = record.points()
    # Training curves are not linked to the model: they would show its metrics at other steps.
    metrics = [Metric(name, value, model.time, step, **({} if step else link)) for name, value, step in points]
    params = [Param(name, value) for name, value in (model.params | {"seed": record.seed}).items()]
    client.log_batch(run_id, metrics, params)  # the client splits it into calls of 1000 metrics, MLflow's limit
    client.set_terminated(run_id, "FAILED" if record.failed and record.seed != ALL else "FINISHED", end)
    return run_id


def _delete(client: "MlflowClient", run: "Run") -> bool:
    """Soft-delete a run and its models; returns whether it was current and is therefore superseded."""
    current = _state(run) == CURRENT
    if current:
        client.set_tag(run.info.run_id, STATE, "superseded")
    for output in run.outputs.model_outputs if run.outputs else ():
        client.delete_logged_model(output.model_id)
    client.delete_run(run.info.run_id)
    return current


def _log_figures(client: "MlflowClient", experiment: str, model: TrackedModel) -> None:
    """Attach the figures of the data set, which compare all models, to the model's summary run if they have changed.

    A model with the same content as outside its experiment has no run in the experiment.
    """
    condition = f" and params.seed = '{ALL}' and tags.`{STATE}` = '{CURRENT}'"
    figures = sorted((storage.REPORTS / model.dataset / "figures").glob("*.png"))
    current = fingerprint([storage.md5(figure) for figure in figures])
    for summary in _search(client, experiment, model.key, condition):
        if summary.data.tags.get(FIGURES) != current:
            for figure in figures:
                client.log_artifact(summary.info.run_id, figure)
            client.set_tag(summary.info.run_id, FIGURES, current)


def _state(run: "Run") -> str:
    return run.data.tags.get(STATE, "unfinished")


def _experiment(client: "MlflowClient", dataset: str) -> str:
    """The id of the data set's experiment, which is created if necessary; a database keeps artifacts in mlartifacts/."""
    from mlflow.store.db.db_types import DATABASE_ENGINES

    name = f"aebench/{dataset}"
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        is_database = store().startswith(tuple(DATABASE_ENGINES))
        artifacts = (_project() / "mlartifacts" / dataset).resolve().as_uri() if is_database else None
        return client.create_experiment(name, artifacts)
    if experiment.lifecycle_stage == "deleted":
        client.restore_experiment(experiment.experiment_id)
    return experiment.experiment_id


@contextmanager
def _alone() -> Iterator[None]:
    """Wait for other experiments of the project: two that are the first to write to a store would both create its tables."""
    file = _project() / TRACKING_LOCK
    with file.open("a") if file.parent.is_dir() else nullcontext() as held:
        if held and sys.platform != "win32":
            fcntl.flock(held, fcntl.LOCK_EX)
        yield


@contextmanager
def _client() -> Iterator["MlflowClient"]:
    """Yield a client of the store and silence its logging; failures of the store or connection are raised as `InputError`."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from sqlalchemy import event
    from sqlalchemy.engine import Engine
    from sqlalchemy.exc import SQLAlchemyError

    if store().startswith("sqlite:"):
        event.listen(Engine, "connect", _do_not_wait_for_the_disk)
    for name in ("mlflow", "alembic", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        _create_store()
        yield MlflowClient(tracking_uri=store())
    except (MlflowException, SQLAlchemyError, OSError, ImportError) as error:
        text = f"MLFLOW_TRACKING_URI must be a reachable store, got {store()}: {_root(error)}"
        raise InputError(re.sub(r"//[^/@\s]+@", "//", text)) from None  # hide the password


def _create_store() -> None:
    """Create the file of an SQLite store as a whole: MLflow cannot recover from a schema that is only partly created."""
    from mlflow import MlflowClient

    path = Path(store().removeprefix("sqlite:///"))
    is_file = store().startswith("sqlite:///") and ":" not in path.name and sys.platform != "win32"
    if is_file and path.parent.is_dir() and not path.exists():
        with storage.atomic_write(path) as partial:
            partial.unlink(missing_ok=True)
            MlflowClient(tracking_uri=f"sqlite:///{partial.as_posix()}").search_experiments()


def _do_not_wait_for_the_disk(connection: Any, _: object) -> None:
    """Let SQLite leave writing to the operating system: otherwise each of about ten commits per run would wait for the disk.

    Only a failure of the whole system can damage the store, which `make track` then writes again.
    """
    connection.execute("PRAGMA synchronous = OFF")


def _root(error: BaseException) -> str:
    """The message of the original cause on one line, e.g. "[Errno 111] Connection refused"."""
    while error.__context__ is not None:
        error = error.__context__
    return " ".join(str(error).split())[:200]


def _commit() -> dict[str, str]:
    """Tags with the current commit and whether tracked files have changed, other than those the pipeline writes."""
    names = {"commit": "mlflow.source.git.commit", "uncommitted_changes": "mlflow.source.git.dirty"}
    return {names[key]: value if isinstance(value, str) else json.dumps(value) for key, value in provenance.revision().items()}
