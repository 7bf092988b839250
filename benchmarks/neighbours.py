"""Exact search for 50 neighbours against scikit-learn's KNeighborsClassifier(5) and faiss, on random data of MNIST's shape.

Every measurement runs in a separate process, after all imports, so that its peak memory can be measured; the data (31 + 188 MB
for 784 dimensions) are not counted. A round takes minutes, so at most `MAX_ROUNDS` are measured.

The ratio of the CPU time of NearestNeighbors(50, algorithm="brute") to that of the search, on one thread of an AMD EPYC, is 0.4
to 0.5 on digits (1437 reference codes, 360 queries, 8 to 128 dimensions), 1.3 for 60,000 x 30 and 1.1 for 20,000 x 784 (2000
queries).
The two differ only in which of several codes at the same distance they return.
"""

import multiprocessing
import statistics
import time
from importlib.util import find_spec

import torch
from sklearn.neighbors import KNeighborsClassifier
from threadpoolctl import threadpool_limits

from aebench.evaluation.arrays.neighbours import neighbours
from benchmarks.report import Report, count, peak_memory, ratio

QUERIES, REFERENCE, DIMENSIONS = 10_000, 60_000, (784, 30)
MAX_ROUNDS = 3


def main(report: Report, threads: int, rounds: int) -> None:
    searches = {"aebench": _ours, "scikit-learn": _scikit_learn} | ({"faiss": _faiss} if find_spec("faiss") else {})
    rows = []
    for d in DIMENSIONS:
        measured = [
            {name: _in_process(search, d, threads) for name, search in searches.items()} for _ in range(min(rounds, MAX_ROUNDS))
        ]
        for name in searches:
            seconds, peak = (statistics.median(each[name][i] for each in measured) for i in range(2))
            relative = ratio([each[name][0] for each in measured], [each["aebench"][0] for each in measured])
            rows.append([f"{name}, {d} dimensions", f"{seconds:.2f}", relative, f"{peak / 2**20:.0f}"])
    title = f"Nearest neighbours of {QUERIES} images among {REFERENCE}"
    note = f"Exact search for 50 neighbours (scikit-learn: 5), {count(threads)}. Memory is that of the search."
    report.table(title, note, ["search", "seconds", "ratio", "peak memory, MiB"], rows)


def _ours(queries: torch.Tensor, reference: torch.Tensor, labels: torch.Tensor) -> None:
    neighbours(queries, reference, 50)


def _scikit_learn(queries: torch.Tensor, reference: torch.Tensor, labels: torch.Tensor) -> None:
    KNeighborsClassifier(5, algorithm="brute").fit(reference.numpy(), labels.numpy()).predict(queries.numpy())


def _faiss(queries: torch.Tensor, reference: torch.Tensor, labels: torch.Tensor) -> None:
    import faiss

    faiss.omp_set_num_threads(torch.get_num_threads())
    index = faiss.IndexFlatL2(reference.shape[1])
    index.add(reference.numpy())
    index.search(queries.numpy(), 50)


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
        before, start = peak_memory(), time.perf_counter()
        search(queries, reference, labels)
        return time.perf_counter() - start, peak_memory() - before
