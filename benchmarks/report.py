"""Tables of measurements: printed as they are made, then written to reports/benchmarks.md."""

import os
import re
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import torch

from aebench.storage import atomic_write
from aebench.training import device

PATH = Path("reports/benchmarks.md")
PACKAGES = ("aebench", "torch", "numpy", "scikit-learn")


class Report:
    """The tables of one run."""

    def __init__(self, threads: int):
        cpu = torch.device("cpu")
        versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
        self.lines = [
            "# Benchmarks",
            "",
            "Written by `make bench`. Implementations are run in turn, for several rounds; a ratio is the median of the ratios "
            "of the rounds. Times depend on the machine and its load; ratios are comparable.",
            "",
            f"{datetime.now(UTC):%Y-%m-%d}, {device.processor(cpu)}, {os.cpu_count()} cores, {count(threads)}, "
            f"float32 products by {device.blas(cpu)}. {versions}.",
        ]

    def table(self, title: str, note: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Print a table and keep it for the file."""
        lines = ["", f"## {title}", "", note, "", _row(header), _row(["---", *["---:"] * (len(header) - 1)]), *map(_row, rows)]
        print("\n".join(lines), flush=True)
        self.lines += lines

    def write(self) -> None:
        """Write reports/benchmarks.md."""
        with atomic_write(PATH) as partial:
            partial.write_text("\n".join(self.lines) + "\n")


def count(threads: int) -> str:
    """1 thread, 2 threads and so on."""
    return f"{threads} thread" + "s" * (threads > 1)


def alternate(runs: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each run in each round, after one round to warm up; the runs of a round follow each other."""
    for run in runs.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def peak_memory() -> int:
    """Peak memory of this process in bytes. Where there is no /proc, it can include that of the parent process."""
    status = Path("/proc/self/status")
    if status.exists():
        return 1024 * int(re.search(r"^VmHWM:\s*(\d+) kB", status.read_text(), re.MULTILINE)[1])
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> str:
    """Median of the ratios of the rounds, as text."""
    return f"{statistics.median(a / b for a, b in zip(numerators, denominators, strict=True)):.2f}"


def _row(cells: Sequence[object]) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"
