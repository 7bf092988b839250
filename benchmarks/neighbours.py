"""The 50 nearest neighbours that evaluation looks up against scikit-learn's vote of five: MNIST's shape, both exact.

Each measurement is of a process of its own, imports paid beforehand, so that its peak memory is its own; data, 31 + 188 MB at
784 numbers, are not counted. A pair takes minutes: `MOST` are taken.
"""

import multiprocessing
import resource
import statistics
import time

import torch
from sklearn.neighbors import KNeighborsClassifier
from threadpoolctl import threadpool_limits

from aebench.representation.search import neighbours

QUERIES, REFERENCE, SIZES = 10_000, 60_000, (784, 30)
MOST = 3


def main(threads: int, rounds: int) -> None:
    pairs = min(rounds, MOST)
    print(f"neighbours of {QUERIES} in {REFERENCE}: scikit-learn / ours, {threads} threads, median of {pairs} pairs")
    for size in SIZES:
        measured = [(*_alone(_theirs, size, threads), *_alone(_ours, size, threads)) for _ in range(pairs)]
        theirs, their_peak, ours, our_peak = (statistics.median(column) for column in zip(*measured, strict=True))
        ratio = statistics.median(a / b for a, _, b, _ in measured)
        print(f"  {size:4} numbers {theirs:8.2f} / {ours:6.2f} s = {ratio:5.2f}", end="   ")
        print(f"peak {their_peak / 2**20:.0f} / {our_peak / 2**20:.0f} MiB", flush=True)


def _ours(queries: torch.Tensor, reference: torch.Tensor, labels: torch.Tensor) -> None:
    neighbours(queries, reference, 50)


def _theirs(queries: torch.Tensor, reference: torch.Tensor, labels: torch.Tensor) -> None:
    KNeighborsClassifier(5, algorithm="brute").fit(reference.numpy(), labels.numpy()).predict(queries.numpy())


def _alone(side, size: int, threads: int) -> tuple[float, int]:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure, (side, size, threads))


def _measure(side, size: int, threads: int) -> tuple[float, int]:
    """Seconds, and bytes by which the peak memory grew."""
    torch.set_num_threads(threads)
    generator = torch.Generator().manual_seed(0)
    queries, reference = (torch.randn(n, size, generator=generator) for n in (QUERIES, REFERENCE))
    labels = torch.arange(REFERENCE) % 10
    with threadpool_limits(threads):
        side(queries[:10], reference[:1000], labels[:1000])
        before, start = _peak(), time.perf_counter()
        side(queries, reference, labels)
        return time.perf_counter() - start, _peak() - before


def _peak() -> int:
    """Bytes; Linux counts in KiB."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
