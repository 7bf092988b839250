"""DVC's stages, run by several threads of one process.

`dvc repro` runs one stage after the other (treeverse/dvc#755) and writes all of dvc.lock after each. Here DVC stays the owner
of the graph, of the cache and of dvc.lock: a stage is run by DVC's own `Stage.reproduce`, which decides whether it changed,
restores it from the run cache, or runs its command and saves the outputs. DVC is not thread-safe, so only one thread runs
its code at a time, except while a command runs, when DVC itself releases its lock for other processes.

dvc.lock is written at most every `SECONDS_BETWEEN_WRITES` and in at most `SHARE_OF_WRITES` of the time, to a copy that replaces
it. If the process is killed in between, the run cache restores the stages whose entries are missing. A stage that the run cache
cannot restore is written at once, and all are written before a stage that reads dvc.lock itself (`meta: {reads_lock: true}`).
"""

import logging
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any

import dvc.stage.run
from dvc.dependency import ParamsDependency
from dvc.dvcfile import Lockfile
from dvc.exceptions import DvcException
from dvc.lock import LockBase
from dvc.repo import Repo, lock_repo
from dvc.repo.reproduce import get_active_graph, plan_repro
from dvc.stage import PipelineStage
from dvc.stage.exceptions import StageCmdFailedError
from dvc.utils import serialize, strictyaml
from dvc.utils.serialize import parse_yaml

from aebench.errors import InputError, did_you_mean
from aebench.pipeline import dvc_damage, dvc_links, resources
from aebench.storage.lock import LOCK

SECONDS_BETWEEN_WRITES, SHARE_OF_WRITES = 10.0, 0.05
PARTIAL_LOCK = Path(".dvc/tmp/dvc.lock")
LITTLE = 2**16
"""Bytes of free space below which a disk is full."""
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
Execute = Callable[[str, str | list[str], dict[str, Any]], int]
"""Runs a command of a stage: its name, the command and further arguments for subprocess.Popen; returns the exit status."""


class DvcStages:
    """The stages of dvc.yaml that lead to `targets` (stages, or groups such as `train`; default: all), in an order to run them.

    `graph` maps each stage to the stages that it depends on. `execute` must be set before a stage runs. Use as a context
    manager. `damaged` are the files that were not what DVC had recorded, and were regenerated.
    """

    execute: Execute

    def __init__(self, targets: Iterable[str] = ()):
        self._targets = list(targets)
        self._context = ExitStack()
        self._finished: list[PipelineStage] = []
        self._executed: set[str] = set()
        self.damaged: list[str] = []
        self._next_write = time.monotonic() + SECONDS_BETWEEN_WRITES

    def __enter__(self) -> "DvcStages":
        for name in ("dvc", "dvc_data", "dvc_objects"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # errors are raised, and progress is shown elsewhere
        with one_error(), self._context:
            for module in (strictyaml, serialize._yaml):
                self._context.enter_context(_replaced(module, "parse_yaml", _parse))
            self._repo = self._context.enter_context(Repo(_wait_for_lock=True))
            dvc_links.keep_files_in(self._repo)
            self._repo.lock = _Turn(self._repo.lock)
            with lock_repo(self._repo):
                graph = get_active_graph(self._repo.index.graph)
                plan = [stage for stage in plan_repro(graph, self._selected(graph)) if stage.cmd]
            self._context.enter_context(_replaced(dvc.stage.run, "_run", self._run_command))
            # Stages outlive the index of the repository, which DVC would read again whenever a command has run.
            self._context.enter_context(_replaced(self._repo, "_reset", lambda: None))
            runs = self._repo.stage_cache
            self._context.enter_context(_replaced(runs, "_load_cache", dvc_damage.checked(runs)))
            self._context.enter_context(_replaced(self._repo, "_lock_depth", 1))  # `run` takes the lock itself
            self._context.enter_context(self._repo.scm_context(quiet=True))
            self._stages = {stage.addressing: stage for stage in plan}
            self._upstream = {stage.addressing: list(graph.successors(stage)) for stage in plan}
            self.graph = {
                name: {other.addressing for other in upstream} & self._stages.keys()
                for name, upstream in self._upstream.items()
            }
            self._context = self._context.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        with self._context:
            self.write_lock()

    def run(self, name: str) -> bool:
        """Run a stage, or restore its outputs from the run cache, unless it is unchanged; return whether it had changed."""
        stage = self._stages[name]
        damaged = dvc_damage.notice(stage.outs)
        with one_error(), self._repo.lock:
            changed = stage.reproduce(upstream=self._upstream[name]) is not None
            if changed and name not in self._executed and (wrong := dvc_damage.discard(stage.outs)):
                damaged += wrong
                stage.reproduce(upstream=self._upstream[name])
            self.damaged += damaged
            if changed:
                self._finished.append(stage)
                if not _can_be_restored(stage) or time.monotonic() > self._next_write:
                    self._write_lock()
        return changed

    def will_compute(self, name: str) -> bool:
        """Whether the command of a stage runs or will run: it has changed, and the run cache has no results of it."""
        stage, cache = self._stages[name], self._repo.stage_cache
        if name in self._executed:
            return True
        with one_error(), self._repo.lock:
            if not stage.changed():
                return False
            if not all(dep.exists for dep in stage.deps):  # a stage that it depends on has not run yet
                return True
            before = [dict(vars(dep)) for dep in stage.deps]
            try:
                stage.save_deps()
                found = cache._load(stage)
                return not (found and cache._create_stage(found, wdir=stage.wdir).outs_cached())
            finally:
                for dep, values in zip(stage.deps, before, strict=True):
                    vars(dep).update(values)

    def needs(self, offer: resources.Amounts) -> dict[str, dict[str, float]]:
        """What each stage uses of what this machine has."""
        return {name: resources.needs(stage.meta or {}, _params(stage), [offer]) for name, stage in self._stages.items()}

    def _selected(self, graph: Iterable[PipelineStage]) -> list[PipelineStage] | None:
        """The stages that are targets themselves or whose group is; None without targets."""
        named: dict[str, list[PipelineStage]] = {}
        for stage in graph:
            for name in {stage.addressing, stage.addressing.partition("@")[0]}:
                named.setdefault(name, []).append(stage)
        for target in self._targets:
            if target not in named:
                hint = did_you_mean(target, named)
                raise InputError(f"a target must be a stage of dvc.yaml or a group such as train, got {target!r}{hint}")
        return [stage for target in self._targets for stage in named[target]] or None

    def _run_command(self, executable: str | None, command: str, **arguments: Any) -> None:
        name = arguments["env"]["DVC_STAGE"]
        self._executed.add(name)
        if (self._stages[name].meta or {}).get("reads_lock"):
            self.write_lock()
        if status := self.execute(name, dvc.stage.run._make_cmd(executable, command), arguments):
            raise StageCmdFailedError(command, status)

    def write_lock(self) -> None:
        """Write the stages that have finished to dvc.lock."""
        with one_error(), self._repo.lock:
            self._write_lock()

    def _write_lock(self) -> None:
        begin = time.monotonic()
        if self._finished:
            PARTIAL_LOCK.unlink(missing_ok=True)
            if LOCK.exists():
                shutil.copyfile(LOCK, PARTIAL_LOCK)
            Lockfile(self._repo, str(PARTIAL_LOCK.absolute())).dump_stages(self._finished)
            PARTIAL_LOCK.replace(LOCK)
            self._repo.scm_context.files_to_track.discard(str(PARTIAL_LOCK))
            self._repo.scm_context.track_file(str(LOCK))
            self._finished = []
        end = time.monotonic()
        self._next_write = end + max(SECONDS_BETWEEN_WRITES, (end - begin) / SHARE_OF_WRITES)


class _Turn(LockBase):
    """DVC's lock of the project, and a turn among the threads of this process."""

    def __init__(self, lock: LockBase):
        super().__init__(lock.lockfile)
        self._lock, self._turn = lock, threading.Lock()

    def lock(self) -> None:
        self._turn.acquire()
        try:
            self._lock.lock()
        except BaseException:
            self._turn.release()
            raise

    def unlock(self) -> None:
        try:
            self._lock.unlock()
        finally:
            self._turn.release()

    @property
    def is_locked(self) -> bool:
        return self._lock.is_locked

    def __enter__(self) -> None:
        self.lock()

    def __exit__(self, *error: object) -> None:
        self.unlock()


@contextmanager
def one_error() -> Iterator[None]:
    """Raise an `InputError` instead of an error of DVC; its message has the underlying causes, and says if the disk is full."""
    try:
        yield
    except DvcException as error:
        causes = [str(error)]
        while (error := error.__cause__) is not None:
            causes.append(str(error))
        text = COLOURS.sub("", ": ".join(" ".join(cause.split()) for cause in causes))
        full = " (the disk is full)" if shutil.disk_usage(".").free < LITTLE else ""
        raise InputError(text + full) from None


@contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def _parse(text: str, path: str, typ: str = "safe") -> Any:
    """Parse as DVC does, but the same text only once: DVC reads the settings of a data set for each of its stages."""
    if typ != "safe":
        return parse_yaml(text, path, typ)
    return deepcopy(_parsed(text, path))


_parsed = lru_cache(maxsize=64)(parse_yaml)


def _params(stage: PipelineStage) -> list[tuple[str, list[str]]]:
    return [(dep.def_path, list(dep.params)) for dep in stage.deps if isinstance(dep, ParamsDependency)]


def _can_be_restored(stage: PipelineStage) -> bool:
    """Whether DVC saves the stage in its run cache."""
    return not any(out.persist or not (out.use_cache or out.is_metric or out.is_plot) for out in stage.outs)
