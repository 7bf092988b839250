"""The progress of a run: bars on a terminal, one line per finished stage elsewhere.

A running stage is shown with the last line that it printed, which for training is a bar with the epoch and the loss. The
remaining time is estimated from the durations of the same stages in the last run or, if there was none, of stages of the same
kind.
"""

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import fmean

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from aebench.pipeline.task_graph import Graph, longest_paths
from aebench.storage import atomic_write

DURATIONS = Path(".dvc/tmp/seconds.json")
"""Seconds that each stage took when it ran last."""
PERCENT = re.compile(r"(\d+)%\|[^|]*\|\s*(.*)")
SECONDS_BETWEEN_ESTIMATES = 1.0
SECONDS_BETWEEN_LINES = 60.0
"""Without a terminal, a stage that takes longer shows its last line again."""


class Durations:
    """Seconds that stages take: measured in this run or in the last one."""

    def __init__(self) -> None:
        try:
            self._known = {stage: float(seconds) for stage, seconds in json.loads(DURATIONS.read_text()).items()}
        except (OSError, ValueError, AttributeError, TypeError):  # missing or damaged
            self._known = {}

    def record(self, stage: str, seconds: float) -> None:
        """Note the seconds that a stage took."""
        self._known[stage] = seconds

    def save(self) -> None:
        """Save the durations for the next run, unless the disk is full or read-only."""
        with suppress(OSError), atomic_write(DURATIONS) as partial:
            partial.write_text(json.dumps(self._known))

    def of(self, stages: Iterable[str]) -> dict[str, float]:
        """Durations of these stages; those of stages that never ran are the mean over stages of the same kind, if any."""
        kinds: dict[str, list[float]] = {}
        for stage, seconds in self._known.items():
            kinds.setdefault(_kind(stage), []).append(seconds)
        means = {kind: fmean(values) for kind, values in kinds.items()}
        estimates = {stage: self._known.get(stage, means.get(_kind(stage))) for stage in stages}
        return {stage: seconds for stage, seconds in estimates.items() if seconds is not None}


class Display:
    """Shows which stages run, have finished and have failed. Its methods may be called from any thread."""

    def __init__(self, graph: Graph, jobs: int, durations: Durations, console: Console):
        self._graph, self._jobs, self._durations, self._console = graph, jobs, durations, console
        self._lock = threading.Lock()
        self._left = set(graph)
        self._outcomes: Counter[str] = Counter()
        self._begin = time.monotonic()
        self._estimated = 0.0
        self._started: dict[str, float] = {}
        self._shown: dict[str, float] = {}
        self._bars: dict[str, TaskID] = {}
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TextColumn("{task.fields[status]}"))
        self._progress = Progress(*columns, console=console, transient=True)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the bars, on a terminal."""
        if not self._console.is_terminal:
            yield
            return
        self._total = self._progress.add_task("[bold]all stages", total=len(self._graph), status="")
        with self._progress:
            yield

    def start(self, stage: str) -> None:
        """A stage runs its command."""
        with self._lock:
            self._started[stage] = self._shown[stage] = time.monotonic()
            if self._console.is_terminal:
                self._bars[stage] = self._progress.add_task(f"  {stage}", total=100, status="")

    def status(self, stage: str, line: str) -> None:
        """A running stage has printed a line."""
        with self._lock:
            percent = PERCENT.search(line)
            if stage in self._bars:
                shown = percent.group(2) if percent else line
                completed = int(percent.group(1)) if percent else None
                self._progress.update(self._bars[stage], completed=completed, status=escape(shown))
                if time.monotonic() - self._estimated > SECONDS_BETWEEN_ESTIMATES:
                    self._update_total()
            elif time.monotonic() - self._shown[stage] > SECONDS_BETWEEN_LINES:
                self._shown[stage] = time.monotonic()
                self._print(f"  {stage}: {line}")

    def finish(self, stage: str, outcome: str) -> None:
        """A stage has finished: `outcome` is ran, restored, unchanged or failed."""
        with self._lock:
            started = self._started.pop(stage, None)
            seconds = "" if started is None else f" in {time.monotonic() - started:.1f} s"
            if stage in self._bars:
                self._progress.remove_task(self._bars.pop(stage))
            self._left.discard(stage)
            self._outcomes[outcome] += 1
            if outcome != "unchanged":
                remaining = "" if self._console.is_terminal or not (left := self.remaining()) else f", about {_time(left)} left"
                self._print(f"[{self._outcomes.total()}/{len(self._graph)}] {stage} {outcome}{seconds}{remaining}")
            self._update_total()

    def note(self, line: str) -> None:
        """Show a line above the bars."""
        with self._lock:
            self._print(line)

    def remaining(self) -> float | None:
        """Estimate the seconds until all stages have finished; None if a duration is unknown."""
        estimates = self._durations.of(self._left)
        if len(estimates) < len(self._left):
            return None
        now = time.monotonic()
        seconds = {
            stage: max(0.0, estimate - (now - self._started[stage] if stage in self._started else 0.0))
            for stage, estimate in estimates.items()
        }
        graph = {stage: self._graph[stage] & self._left for stage in self._left}
        return max([sum(seconds.values()) / self._jobs, *longest_paths(graph, seconds).values()])

    def summary(self) -> str:
        """How many stages ran, were restored, unchanged and so on."""
        if self._outcomes["unchanged"] == len(self._graph):
            return f"all {len(self._graph)} stages are up to date"
        counts = [f"{count} {outcome}" for outcome, count in self._outcomes.items()]
        if left := len(self._graph) - self._outcomes.total():
            counts.append(f"{left} not run")
        return f"{len(self._graph)} stages in {_time(time.monotonic() - self._begin)}: {', '.join(counts)}"

    def _update_total(self) -> None:
        if self._console.is_terminal:
            self._estimated, remaining = time.monotonic(), self.remaining()
            left = "" if remaining is None else f", about {_time(remaining)} left"
            self._progress.update(
                self._total, completed=self._outcomes.total(), status=f"{self._outcomes.total()} of {len(self._graph)}{left}"
            )

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def _kind(stage: str) -> str:
    return stage.partition("@")[0]


def _time(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"
