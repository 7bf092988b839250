"""Tests of the scheduler: what runs when, what a failure stops, and what an interruption leaves."""

import random
import signal
import threading
import time

import pytest

from aebench.pipeline import task_graph

DIAMOND = {"a": set(), "b": {"a"}, "c": {"a"}, "d": {"b", "c"}}


class Record:
    """Work that takes some seconds and notes when each task began and ended."""

    def __init__(self, graph, seconds=0.0, failing=()):
        self.graph, self.seconds, self.failing = graph, seconds, failing
        self.started, self.ended, self.running, self.most = [], [], set(), 0
        self.lock = threading.Lock()

    def __call__(self, task):
        with self.lock:
            assert self.graph[task] <= set(self.ended), f"{task} started too early"
            self.started.append(task)
            self.running.add(task)
            self.most = max(self.most, len(self.running))
        time.sleep(self.seconds)
        with self.lock:
            self.running.remove(task)
            if task in self.failing:
                raise ValueError(task)
            self.ended.append(task)


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_every_task_runs_once_after_those_that_it_depends_on(jobs):
    rng = random.Random(jobs)
    graph = {n: {m for m in range(n) if rng.random() < 0.1} for n in range(60)}
    work = Record(graph, 0.001)
    result = task_graph.run(graph, work, {"cores": jobs})
    assert sorted(work.ended) == sorted(graph) and not result.failures and not result.skipped
    assert work.most == jobs


def test_independent_tasks_run_at_the_same_time():
    barrier = threading.Barrier(2, timeout=10)
    result = task_graph.run(DIAMOND, lambda task: task in "bc" and barrier.wait(), {"cores": 2})
    assert not result.failures and not result.skipped


def test_one_core_runs_one_task_at_a_time():
    work = Record(DIAMOND, 0.01)
    task_graph.run(DIAMOND, work, {"cores": 1})
    assert work.most == 1


def test_a_failure_stops_only_the_tasks_that_depend_on_it():
    graph = DIAMOND | {"e": set(), "f": {"e"}, "g": {"d", "f"}, "h": {"g"}}
    work = Record(graph, failing={"b"})
    result = task_graph.run(graph, work, {"cores": 2})
    assert {task: str(error) for task, error in result.failures.items()} == {"b": "b"}
    assert result.skipped == {"d": "b", "g": "b", "h": "b"}
    assert sorted(work.ended) == ["a", "c", "e", "f"]


def test_tasks_on_the_longest_path_go_first():
    graph = {"short": set(), "long": set(), "end": {"long"}}
    for seconds, first in (({}, "long"), ({"short": 5.0}, "short"), ({"short": 5.0, "end": 5.0}, "long")):
        work = Record(graph)
        task_graph.run(graph, work, {"cores": 1}, seconds=seconds)
        assert work.started[0] == first, seconds


def test_tasks_share_resources():
    graph = {n: set() for n in range(12)}
    needs = {n: {"gpu": 1} for n in range(6)}
    work, on_gpu = Record(graph, 0.05), Record(graph, 0.05)

    def count(task):
        (on_gpu if task in needs else work)(task)

    result = task_graph.run(graph, count, {"cores": 4, "gpu": 1}, needs)
    assert not result.failures and on_gpu.most == 1 and work.most == 3
    assert len(on_gpu.ended) == len(work.ended) == 6


@pytest.mark.parametrize("needs", [{"cores": 99}, {"gpu": 1}, {"cores": 2, "gpu": 7}])
def test_a_task_that_needs_more_than_there_is_runs_alone_or_without(needs):
    graph = {n: set() for n in range(4)}
    work = Record(graph, 0.01)
    result = task_graph.run(graph, work, {"cores": 2}, dict.fromkeys(graph, needs))
    assert len(work.ended) == 4 and not result.failures
    assert work.most == (1 if needs.get("cores", 1) > 1 else 2)


def test_an_interruption_stops_the_running_tasks_and_starts_no_other():
    stopped, started = threading.Event(), []

    def work(task):
        started.append(task)
        if task == "b":
            raise_in_main_thread()
        assert task == "a" or stopped.wait(10)

    def raise_in_main_thread():
        import _thread

        _thread.interrupt_main()

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in background processes of a shell
    try:
        with pytest.raises(KeyboardInterrupt):
            task_graph.run(DIAMOND, work, {"cores": 2}, stop=stopped.set)
    finally:
        signal.signal(signal.SIGINT, before)
    assert stopped.is_set() and "d" not in started


def test_the_longest_path_is_the_sum_of_durations_to_the_end():
    paths = task_graph.longest_paths(DIAMOND, {"a": 1, "b": 2, "c": 5, "d": 10})
    assert paths == {"a": 16, "b": 12, "c": 15, "d": 10}
