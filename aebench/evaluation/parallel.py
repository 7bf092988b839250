"""A parallel map over processes."""

import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

Item, Result = TypeVar("Item"), TypeVar("Result")


def parallel_map(work: Callable[[Item], Result], items: Iterable[Item], processes: int) -> Iterator[Result]:
    """Yield work(item) for each item, in order. With `processes` = 1 the work is done in the calling process.

    `work`, the items and the results must be picklable. On Linux the processes are forked, because libraries are then already
    imported; start no threads before calling. Other systems use Python's default start method.
    """
    if processes == 1:
        yield from map(work, items)
        return
    context = get_context("fork" if sys.platform == "linux" else None)
    with ProcessPoolExecutor(processes, context) as pool:
        yield from pool.map(work, items)
