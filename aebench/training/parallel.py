"""A parallel map over processes, and how many computations run in parallel."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

Item, Result = TypeVar("Item"), TypeVar("Result")
SECONDS_BETWEEN_LOOKS = 1.0
CONCURRENT_JOBS = "AEBENCH_CONCURRENT_JOBS"
"""Environment variable with the number of computations that share this machine's memory; set for stages and processes."""


def parallel_map(work: Callable[[Item], Result], items: Iterable[Item], processes: int) -> Iterator[Result]:
    """Yield work(item) for each item, in order. With `processes` = 1 the work is done in the calling process.

    There are no more processes than items. `work`, the items and the results must be picklable. On Linux the processes are
    forked, because libraries are then already imported; start no threads before calling. Other systems use Python's default
    start method.
    """
    items = list(items)
    if (processes := min(processes, len(items))) <= 1:
        yield from map(work, items)
        return
    context = get_context("fork" if sys.platform == "linux" else None)
    with ProcessPoolExecutor(processes, context, _begin, (processes * side_by_side(), os.getpid())) as pool:
        yield from pool.map(work, items)


def cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def side_by_side() -> int:
    """The number of computations that share the memory of this machine."""
    return int(os.environ.get(CONCURRENT_JOBS, 1))


def _begin(number: int, parent: int) -> None:
    os.environ[CONCURRENT_JOBS] = str(number)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """End this process when its parent has been killed; it would otherwise continue during the next run."""
    while os.getppid() == parent:
        time.sleep(SECONDS_BETWEEN_LOOKS)
    os._exit(1)
