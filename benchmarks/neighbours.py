"""Exact search for 50 neighbours against scikit-learn's KNeighborsClassifier(5), on random data of MNIST's shape.

Every measurement runs in a separate process, after all imports, so that its peak memory can be measured; the data (31 + 188 MB
for 784 dimensions) are not counted. A pair takes minutes, so at most `MAX_PAIRS` are measured.

The ratio of the CPU time of NearestNeighbors(50, algorithm="brute") to that of the search, on one thread of an AMD EPYC, is 0.4
to 0.5 on digits (1437 reference codes, 360 queries, 8 to 128 dimensions), 1.3 for 60,000 x 30 and 1.1 for 20,000 x 784 (2000
queries).
The two differ only in which of several codes at the same distance they return.
"""

import multiprocessing
import resource
import statistics
import time

import torch
from sklearn.neighbors import KNeighborsClassifier
from threadpoolctl import threadpool_limits

from aebench.evaluation.arrays.neighbours import neighbours

QUERIES, REFERENCE, DIMENSIONS = 10_000, 60_000, (784, 30)
MAX_PAIRS = 3


def main(threads: int, rounds: int) -> None:
    pairs = min(rounds, MAX_PAIRS)
    print(f"neighbours of {QUERIES} in {REFERENCE}: scikit-learn / ours, {threads} threads, median of {pairs} pairs")
    for d in DIMENSIONS:
        measured = [(*_in_process(_scikit_learn, d, threads), *_in_process(_ours, d, threads)) for _ in range(pairs)]
        reference, reference_peak, ours, our_peak = (statistics.median(column) for column in zip(*measured, strict=True))
        ratio = statistics.median(a / b for a, _, b, _ in measured)
        print(f"  {d:4} dimensions {reference:8.2f} / {ours:6.2f} s = {ratio:5.2f}", end="   ")
        print(f"peak {reference_peak / 2**20:.0f} / {our_peak / 2**20:.0f} MiB", flush=True)


def _ours(queries: torch.Tensor, reference: torch.Tensor, labels: torch.Tensor) -> None:
    neighbours(queries, reference, 50)


def _scikit_learn(queries: torch.Tensor, reference: torch.Tensor, labels: torch.Tensor) -> None:
    KNeighborsClassifier(5, algorithm="brute").fit(reference.numpy(), labels.numpy()).predict(queries.numpy())


def _in_process(search, d: int, threads: int) -> tuple[float, int]:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure, (search, d, threads))


def _measure(search, d: int, threads: int) -> tuple[float, int]:
    """Wall time in seconds and increase of the peak memory in bytes."""
    torch.set_num_threads(threads)
    generator = torch.Generator().manual_seed(0)
    queries, reference = (torch.randn(n, d, generator=generator) for n in (QUERIES, REFERENCE))
    labels = torch.arange(REFERENCE) % 10
    with threadpool_limits(threads):
        search(queries[:10], reference[:1000], labels[:1000])
        before, start = _peak(), time.perf_counter()
        search(queries, reference, labels)
        return time.perf_counter() - start, _peak() - before


def _peak() -> int:
    """Peak memory in bytes; Linux reports KiB."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
