"""Independent work, side by side in processes."""

import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

Item, Found = TypeVar("Item"), TypeVar("Found")


def side_by_side(work: Callable[[Item], Found], items: Iterable[Item], processes: int) -> Iterator[Found]:
    """work(item) of each item, in their order; one process works in place. `work` and what it finds can be pickled.

    On Linux processes are forks, which have the libraries at once: do nothing with threads before. Elsewhere they are
    what Python makes them.
    """
    if processes == 1:
        yield from map(work, items)
        return
    context = get_context("fork" if sys.platform == "linux" else None)
    with ProcessPoolExecutor(processes, context) as pool:
        yield from pool.map(work, items)
