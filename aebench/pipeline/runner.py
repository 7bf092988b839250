"""`aebench run`: the stages of dvc.yaml in parallel, with the same results and the same dvc.lock as `dvc repro`.

A failed stage stops only those that depend on it. Ctrl-C stops the running stages; finished ones are kept, and training is
resumed from its checkpoint by the next run.
"""

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from aebench.errors import InputError
from aebench.pipeline import estimate, fork_server, remote, repair, resources, task_graph
from aebench.pipeline.commands import CUDA_DEVICES, Commands, log, reason
from aebench.pipeline.dvc_stages import DvcStages
from aebench.pipeline.progress import Display, Durations
from aebench.pipeline.run_lock import only_run
from aebench.training.parallel import CONCURRENT_JOBS, cores

GPUS = Path("/proc/driver/nvidia/gpus")
TRAINING = ("train", "pretrain", "finetune")
"""The stages that train models."""
MOST_DAMAGED = 5
"""Number of damaged files that are named."""


@dataclass
class Outcome:
    """Outcome of each stage.

    `failures` maps a failed stage to the reason, `skipped` a stage that did not run to the failed one that it depends on.
    `damaged` are files that were not what dvc.lock says; `MOST_DAMAGED` of them are named.
    """

    failures: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    interrupted: bool = False
    damaged: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """What failed and why, and how to go on; empty if nothing failed and no file was damaged."""
        shown, more = self.damaged[:MOST_DAMAGED], len(self.damaged) - MOST_DAMAGED
        lines = [f"note: {file} differed from dvc.lock: it was restored or regenerated" for file in shown]
        lines += [f"note: so did {more} other files"] if more > 0 else []
        for stage, why in self.failures.items():
            needing = [other for other, failed in self.skipped.items() if failed == stage]
            lines += [f"error: {stage}: {why}", f"  its output: {log(stage)}"]
            lines += [f"  not run: {', '.join(needing)}"] if needing else []
        if self.failures or self.interrupted:
            lines.append("finished stages are kept: run `aebench run` again to continue")
        return lines


def run(datasets: list[str], targets: Iterable[str] = (), jobs: int | None = None, console: Console | None = None) -> Outcome:
    """Run the stages that lead to `targets` (default: all), on at most `jobs` cores (default: those of this machine).

    With a dask scheduler, the default is the number of threads of its workers. `datasets` are the data sets of the suite.
    """
    on_cluster = bool(os.environ.get(remote.SCHEDULER))
    jobs, console = jobs or (_threads() if on_cluster else cores()), console or Console(stderr=True)
    with only_run() as held, fork_server.python(held) as folders, _environment(folders, jobs):
        repair.prepare_lock(datasets)
        durations, gpus = Durations(), [] if on_cluster else visible_gpus()
        with DvcStages(targets) as stages:
            display = Display(stages.graph, jobs, durations, console)
            capacity = {resources.CORES: jobs, resources.GPU: len(gpus)}
            needs = stages.needs(capacity)
            on_gpu = {stage: int(needed.get(resources.GPU, 0)) for stage, needed in needs.items()}
            commands = Commands(display.start, display.status, gpus, on_gpu, held)
            announce = partial(_announce, stages, display, jobs, len(gpus), {})
            stages.execute = commands.execute if on_cluster else partial(_execute, commands, needs, capacity, announce)
            work = partial(_run_stage, stages, commands, display, durations)
            expected = durations.of(stages.graph)
            try:
                with display.shown():
                    result = task_graph.run(stages.graph, work, capacity, needs, expected, commands.stop)
                outcome = Outcome(_reasons(result.failures, commands), result.skipped, damaged=stages.damaged)
            except KeyboardInterrupt:
                outcome = Outcome(interrupted=True, damaged=stages.damaged)
            durations.save()
        console.print(display.summary(), highlight=False)
    return outcome


def _execute(
    commands: Commands,
    needs: Mapping[str, resources.Amounts],
    capacity: Mapping[str, int],
    announce: Callable[[str], None],
    stage: str,
    command: str | list[str],
    arguments: dict[str, Any],
) -> int:
    """Run the command of a stage on this machine, which must have the resources that the stage requires."""
    if not resources.covered(needs[stage], [capacity]):
        raise resources.lacking("this machine", needs[stage], [capacity])
    announce(stage)
    return commands.execute(stage, command, arguments)


def _run_stage(stages: DvcStages, commands: Commands, display: Display, durations: Durations, stage: str) -> None:
    """Run a stage, show how it ended, and record how long it took."""
    started, state = time.monotonic(), "failed"
    try:
        changed = stages.run(stage)
        state = "ran" if stage in commands.statuses else "restored" if changed else "unchanged"
        if state == "ran":
            durations.record(stage, time.monotonic() - started)
    finally:
        display.finish(stage, "stopped" if commands.stopped and state == "failed" else state)


def _announce(stages: DvcStages, display: Display, jobs: int, gpus: int, first: dict[str, str], stage: str) -> None:
    """Before the first training of a data set, say how long all of it will take. `first` maps data sets to that stage."""
    verb, _, name = stage.partition("@")
    dataset = name.partition("-")[0]
    if verb not in TRAINING or first.setdefault(dataset, stage) != stage:
        return
    trained = tuple(f"{verb}@{dataset}-" for verb in ("train", "finetune"))
    models = [other.partition("-")[2] for other in stages.graph if other.startswith(trained) and stages.will_compute(other)]
    if line := estimate.training(dataset, models, jobs, gpus):
        display.note(line)


def _reasons(failures: Mapping[str, BaseException], commands: Commands) -> dict[str, str]:
    """Why each stage failed, in one line."""
    texts = {stage: str(error) if isinstance(error, InputError) else repr(error) for stage, error in failures.items()}
    return {stage: reason(stage, commands.statuses[stage]) if commands.statuses.get(stage) else texts[stage] for stage in texts}


def _threads() -> int:
    from aebench.pipeline import cluster

    return cluster.threads()


def visible_gpus() -> list[str]:
    """The CUDA devices that stages may use."""
    if (chosen := os.environ.get(CUDA_DEVICES)) is not None:
        return [gpu.strip() for gpu in chosen.split(",") if gpu.strip() not in ("", "-1")]
    return [str(number) for number in range(len(list(GPUS.iterdir())))] if GPUS.is_dir() else []


@contextmanager
def _environment(folders: list[str], jobs: int) -> Iterator[None]:
    """Let stages use this Python, or that of the fork server in `folders`, and know how many run in parallel."""
    before = dict(os.environ)
    path = os.pathsep.join([*folders, str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    os.environ.update({"PATH": path, CONCURRENT_JOBS: str(jobs)})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
