"""Run a study: all tasks, in parallel processes; a finished task of an interrupted run is not repeated."""

import hashlib
import io
import json
import time
from contextlib import redirect_stderr
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch
from tqdm import tqdm

from aebench import config, data, models, storage, studies
from aebench.code_hashes import code_hashes
from aebench.evaluation.replicas import configure_compute
from aebench.evaluation.settings import compute
from aebench.studies import anomalies, depth, sweep
from aebench.studies.point import Point
from aebench.training.cost import environment
from aebench.training.parallel import parallel_map

COMPUTE = {"sweep": sweep.compute_points, "depth": depth.compute_points, "anomalies": anomalies.compute_points}


def run(dataset: str, name: str) -> None:
    """Run a study and write its results; see `aebench.studies`."""
    study, settings, start = studies.find(dataset, name), compute(dataset), time.perf_counter()
    conf, seeds, folder = config.dataset(dataset), config.suite().seeds, storage.study_folder(dataset)
    work = parallel_map(partial(_task, dataset, name), study.tasks(), settings.processes)
    points = [point for task in tqdm(work, total=len(study.tasks()), desc=name, unit="task") for point in task]
    storage.write_columns(folder / f"{name}.csv", _columns(points, seeds))
    storage.write_json(folder / f"{name}.json", studies.description(conf, name, seeds))
    cost = {"seconds": time.perf_counter() - start} | environment(configure_compute(settings), settings.threads)
    storage.write_json(storage.run_folder(dataset, "studies") / name / "cost.json", cost)
    for task in study.tasks():
        _finished(dataset, name, task).unlink(missing_ok=True)


def _task(dataset: str, name: str, task: str) -> list[Point]:
    """Run a task or load its results. Bars of parallel processes would overwrite each other, so they are not shown."""
    file, identity = _finished(dataset, name, task), _identity(dataset, name)
    if file.exists() and (content := storage.read_json(file))["identity"] == identity:
        return [Point(**point) for point in content["points"]]
    torch.set_num_threads(1)
    with redirect_stderr(io.StringIO()):
        study = studies.find(dataset, name)
        points = COMPUTE[study.kind](study, dataset, name, task)
    storage.write_json(file, {"identity": identity, "points": [asdict(point) for point in points]})
    return points


def _finished(dataset: str, name: str, task: str) -> Path:
    """Return the file with the results of a finished task, which exists until the study is complete."""
    return storage.checkpoint_file(dataset, f"{name}-{task}").with_suffix(".json")


def _identity(dataset: str, name: str) -> str:
    """Return a hash of everything that determines the results: their description, code and data."""
    conf, path, study = config.dataset(dataset), f"{config.conf_file(dataset)}:studies.{name}", studies.find(dataset, name)
    modules = [m for settings in study.model_settings() for m in models.modules(settings, path)]
    modules += [type(data.check(settings, path)).__module__ for settings in study.data_settings()]
    images = [storage.sha256(storage.split_file(dataset, split)) for split in storage.SPLITS]
    content = [studies.description(conf, name, config.suite().seeds), code_hashes(__name__, *modules), images]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _columns(points: list[Point], seeds: list[int]) -> dict[str, list]:
    """Return the seed and one column per point and quantity."""
    values = {f"{p.series}/{p.label}/{quantity}": each for p in points for quantity, each in p.values.items()}
    return {"seed": seeds} | values
