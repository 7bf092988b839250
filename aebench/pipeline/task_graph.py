"""Run the tasks of a graph in parallel: each task starts when all tasks that it depends on have finished.

This module knows neither DVC nor processes. A task is a name, and its work is a function that runs in a thread.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Set
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from graphlib import TopologicalSorter

Graph = Mapping[str, Set[str]]
"""Maps each task to the tasks that it depends on."""


@dataclass
class Result:
    """Outcome of the tasks: `failures` by task, and for each skipped task a failed one that it depends on."""

    failures: dict[str, BaseException] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


def run(
    graph: Graph,
    work: Callable[[str], None],
    capacity: Mapping[str, int],
    needs: Mapping[str, Mapping[str, int]] | None = None,
    seconds: Mapping[str, float] | None = None,
    stop: Callable[[], None] = lambda: None,
) -> Result:
    """Call work(task) for every task, in parallel; a failure stops only the tasks that depend on it.

    `capacity` maps resources to amounts, and must have cores; `needs` has what a task uses of them (default: one core). A task
    that asks for more than the capacity gets all of it. Among the tasks that may start, the one with the longest path to the
    end of the graph goes first; `seconds` are the expected durations (default 1). If this thread is interrupted, `stop` must
    make running work end.
    """
    result, free, order = Result(), Counter(capacity), {task: position for position, task in enumerate(graph)}
    paths, needed = longest_paths(graph, seconds or {}), _needed(graph, capacity, needs or {})
    ready: list[str] = []
    running: dict[Future[None], str] = {}
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    with ThreadPoolExecutor(capacity["cores"]) as pool:
        try:
            while sorter.is_active():
                for task in sorter.get_ready():
                    if broken := [other for other in graph[task] if other in result.failures or other in result.skipped]:
                        result.skipped[task] = result.skipped.get(broken[0], broken[0])
                        sorter.done(task)
                    else:
                        ready.append(task)
                for task in sorted(ready, key=lambda task: (-paths[task], order[task])):
                    if needed[task] <= free:
                        ready.remove(task)
                        running[pool.submit(work, task)] = task
                        free -= needed[task]
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    task = running.pop(future)
                    free += needed[task]
                    if error := future.exception():
                        result.failures[task] = error
                    sorter.done(task)
        except BaseException:
            stop()
            raise
    return result


def _needed(graph: Graph, capacity: Mapping[str, int], needs: Mapping[str, Mapping[str, int]]) -> dict[str, Counter]:
    """What each task uses of the resources in `capacity`, at most all of it."""
    wanted = {task: {"cores": 1} | dict(needs.get(task, {})) for task in graph}
    return {task: Counter({name: min(own.get(name, 0), n) for name, n in capacity.items()}) for task, own in wanted.items()}


def longest_paths(graph: Graph, seconds: Mapping[str, float]) -> dict[str, float]:
    """The duration of the longest chain of tasks that begins with each task."""
    dependents: dict[str, list[str]] = {task: [] for task in graph}
    for task, needed in graph.items():
        for other in needed:
            dependents[other].append(task)
    paths: dict[str, float] = {}
    for task in reversed(list(TopologicalSorter(graph).static_order())):
        paths[task] = seconds.get(task, 1.0) + max((paths[other] for other in dependents[task]), default=0.0)
    return paths
