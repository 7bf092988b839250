"""Run stages on the workers of a dask cluster.

DVC, dvc.lock, the cache and all results stay in one folder on one machine. If the environment variable AEBENCH_SCHEDULER is
set, a stage that computes sends its inputs to a worker, which runs the same stage in a folder that contains nothing else, and
writes the files that come back. Machines need not share a file system: a worker needs an environment with aebench, and the
client a connection to the scheduler.

Each worker keeps the files that it received, by checksum, until it ends, so a data set is sent once to each worker. If a worker
is lost, dask runs its stages on another one, up to three times (its setting `allowed-failures`). A stage whose client has gone
is stopped.

This module and `worker` are the only ones that import distributed.
"""

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any
from uuid import uuid4

from aebench.code_hashes import code_hashes
from aebench.config import read_yaml
from aebench.errors import InputError
from aebench.pipeline import resources
from aebench.pipeline.remote import SCHEDULER
from aebench.storage import CODE, atomic_write, read_json, sha256

try:
    import distributed

    from aebench.pipeline.worker import Done, Job, Missing, missing, store, versions
except ModuleNotFoundError as error:
    raise InputError(f"{SCHEDULER} needs {error.name}, which the extra `cluster` of aebench installs") from None

PIPELINE, SUITE = Path("dvc.yaml"), Path("params.yaml")
RESOURCES = {resources.GPU: "GPU"}
"""Names that workers use for resources in dvc.yaml. Others keep their name; a stage takes one thread of a worker."""
WAIT = "AEBENCH_WORKER_WAIT"
"""Environment variable: seconds to wait while there is no worker."""
SECONDS_TO_WAIT, SECONDS_TO_CONNECT, SECONDS_BETWEEN_CHECKS = 25.0, 10.0, 5.0
ATTEMPTS = 10
"""How many times a stage is submitted if workers lack its files."""


def run_stage() -> None:
    """Run the stage that DVC has started on a worker, and write its outputs here.

    Raises `InputError` if there is no scheduler or no worker, if no worker offers the resources of the stage, or if that worker
    has other code. Exits with the status of the stage if it fails.
    """
    if (name := os.environ.get("DVC_STAGE")) is None:
        raise InputError(f"a stage must be started by `dvc repro` or `aebench run` if {SCHEDULER} is set, got `{sys.argv[0]}`")
    stage = definition(name)
    params = [entry for each in stage.get("params", ()) if isinstance(each, dict) for entry in each.items()]
    with connected() as client:
        _wait_for_worker(client)  # what the stage prefers depends on the workers
        done = _run(client, _job(name, stage), resources.needs(stage.get("meta", {}), params, _offers(client)))
    if done.status:
        raise SystemExit(done.status)
    _write(_outs(stage), done.files)


def threads() -> int:
    """The number of stages that the workers can run at a time; raises `InputError` if there is no worker for some time."""
    with connected() as client:
        _wait_for_worker(client)
        return sum(client.nthreads().values())


@contextmanager
def connected() -> Iterator[distributed.Client]:
    """Connect to the scheduler; raises `InputError` if there is none, or if the connection is lost."""
    address = os.environ[SCHEDULER]
    for name in logging.root.manager.loggerDict:
        if name.startswith("distributed"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # errors are raised
    try:
        client = distributed.Client(address, timeout=SECONDS_TO_CONNECT, name="aebench")
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"{SCHEDULER} must be the address of a running dask scheduler, got {address}: {_line(error)}"
        ) from None
    with client:
        try:
            yield client
        except (OSError, CancelledError) as error:
            raise InputError(
                f"lost the connection to the scheduler {address}: {_line(error).partition(' Reasons')[0]}"
            ) from None


def definition(name: str) -> dict[str, Any]:
    """The definition of a stage such as train@digits-ae in dvc.yaml, with the items of its matrix filled in.

    Raises `InputError` if dvc.yaml and the suite have no such stage.
    """
    group, _, key = name.partition("@")
    template = read_yaml(PIPELINE)["stages"].get(group, {})
    matrix, suite = template.get("matrix", {}), read_yaml(SUITE)["suite"]
    for items in product(*(suite[values.removeprefix("${suite.").removesuffix("}")] for values in matrix.values())):
        if "-".join(map(str, items)) == key:
            text = json.dumps(template)
            for variable, item in zip(matrix, items, strict=True):
                text = text.replace(f"${{item.{variable}}}", str(item))
            return json.loads(text)
    raise InputError(f"DVC_STAGE must be a stage of {PIPELINE} for the suite of {SUITE}, got {name}")


def _job(name: str, stage: dict[str, Any]) -> Job:
    code = code_hashes("aebench.pipeline.worker")
    for dep in stage["deps"]:
        if Path(dep).is_relative_to(CODE):
            code |= read_json(Path(dep))
    code = {module: hash_ for module, hash_ in code.items() if not module.startswith("stages")}  # these files are sent
    paths = {path.as_posix(): sha256(path) for path in _inputs(stage)}
    return Job(name, stage["cmd"].split()[1:], paths, list(_outs(stage)), code, versions())


def _inputs(stage: dict[str, Any]) -> Iterator[Path]:
    """All files that a stage reads: its code, settings and dependencies, and its own outputs that DVC does not delete."""
    params = [file for each in stage.get("params", ()) if isinstance(each, dict) for file in each]
    persistent = [path for path, options in _outs(stage).items() if options.get("persist")]
    for path in map(Path, ["stages", str(SUITE), *params, *stage["deps"], *persistent]):
        found = path.rglob("*") if path.is_dir() else [path]
        yield from (file for file in found if file.is_file() and file.suffix != ".pyc")


def _outs(stage: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Map the path of each output to its options in dvc.yaml."""
    return {
        path: options or {}
        for out in stage.get("outs", ())
        for path, options in (out.items() if isinstance(out, dict) else [(out, {})])
    }


def _run(client: distributed.Client, job: Job, needs: Mapping[str, float]) -> Done:
    """Submit a job until a worker that has its files has run it; show its output."""
    key, workers = f"{job.stage}-{uuid4().hex}", None
    client.subscribe_topic(key, lambda event: _show(event[1]))
    for attempt in range(ATTEMPTS):
        future = client.submit(
            _sent_by_value(),
            asdict(job),
            key,
            key=f"{key}-{attempt}",
            resources={RESOURCES.get(name, name): amount for name, amount in needs.items() if name != resources.CORES} or None,
            workers=workers,
            allow_other_workers=workers is not None,
        )
        result = _result(client, future, needs)
        if isinstance(result, Done):
            return result
        workers = [result.worker]
        _send(client, job, result.worker)
    raise InputError(f"{ATTEMPTS} workers in a row lost input files of this stage")


def _sent_by_value() -> Callable[[dict[str, Any], str], Done | Missing]:
    """Return a function that dask sends as code: a worker without aebench would end if it received the name of `execute`."""

    def run(job: dict[str, Any], topic: str) -> Any:
        from aebench.pipeline import worker

        return worker.execute(worker.Job(**job), topic)

    return run


def _result(client: distributed.Client, future: distributed.Future, needs: Mapping[str, float]) -> Done | Missing:
    """Wait for the result, and meanwhile for workers."""
    able = begin = time.monotonic()
    while not future.done():
        offers = _offers(client)
        if resources.covered(needs, offers):
            able = time.monotonic()
        elif offers and (able == begin or time.monotonic() - able > _seconds_to_wait()):
            raise resources.lacking("a worker", needs, offers)
        elif time.monotonic() - able > _seconds_to_wait():
            raise _no_worker()
        with suppress(TimeoutError):
            distributed.wait([future], timeout=SECONDS_BETWEEN_CHECKS)
    try:
        return future.result()
    except (InputError, OSError, CancelledError):
        raise
    except distributed.KilledWorker as error:
        raise InputError(
            f"the stage was lost on {error.allowed_failures + 1} workers: they may have run out of memory"
        ) from None
    except Exception as error:
        raise InputError(f"the worker could not run the stage: {_line(error)}") from None


def _send(client: distributed.Client, job: Job, worker: str) -> None:
    """Send the files that a worker lacks. If it is lost, the stage runs on another one."""
    paths = {digest: path for path, digest in job.files.items()}
    with distributed.Lock(f"aebench-{worker}"):  # another stage may need the same files
        lacking = client.run(missing, list(paths), workers=[worker], on_error="ignore")
        for digest in lacking.get(worker, ()):
            client.run(store, digest, Path(paths[digest]).read_bytes(), workers=[worker], on_error="ignore")


def _show(output: bytes) -> None:
    sys.stderr.buffer.write(output)
    sys.stderr.flush()


def _write(outs: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
    """Write the output files, each as a whole, and delete older ones in the folders among the outputs."""
    for path, content in files.items():
        with atomic_write(Path(path)) as partial:
            partial.write_bytes(content)
    for out in outs:
        for file in Path(out).rglob("*"):
            if file.is_file() and file.as_posix() not in files:
                file.unlink()


def _offers(client: distributed.Client) -> list[dict[str, float]]:
    """The resources of each worker, by their names in dvc.yaml."""
    names = {name: resource for resource, name in RESOURCES.items()}
    workers = client.scheduler_info()["workers"].values()
    return [{names.get(name, name): amount for name, amount in worker["resources"].items()} for worker in workers]


def _wait_for_worker(client: distributed.Client) -> None:
    end = time.monotonic() + _seconds_to_wait()
    while not client.nthreads():
        if time.monotonic() > end:
            raise _no_worker()
        time.sleep(0.2)


def _seconds_to_wait() -> float:
    seconds = os.environ.get(WAIT, str(SECONDS_TO_WAIT))
    try:
        return float(seconds)
    except ValueError:
        raise InputError(f"{WAIT} must be a number of seconds, got {seconds}") from None


def _no_worker() -> InputError:
    return InputError(
        f"the scheduler {os.environ[SCHEDULER]} must have a worker, got none in {_seconds_to_wait():g} s ({WAIT})"
    )


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
