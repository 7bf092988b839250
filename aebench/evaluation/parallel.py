"""Independent work in parallel processes."""

import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

Item, Result = TypeVar("Item"), TypeVar("Result")


def side_by_side(work: Callable[[Item], Result], items: Iterable[Item], processes: int) -> Iterator[Result]:
    """Yield work(item) for each item, in order; with one process, in this one. `work` and its results must be picklable.

    On Linux the processes are forked, so that libraries are already imported: start no threads before. Elsewhere they start
    as Python does by default.
    """
    if processes == 1:
        yield from map(work, items)
        return
    context = get_context("fork" if sys.platform == "linux" else None)
    with ProcessPoolExecutor(processes, context) as pool:
        yield from pool.map(work, items)
