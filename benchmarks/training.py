"""How fast training is: against other implementations and the processor, and with more seeds, units and images per batch."""

import multiprocessing
import statistics
from functools import partial

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from aebench.training import device
from benchmarks.report import Report, alternate, count, peak_memory, ratio
from benchmarks.rivals import RIVALS, Task, ours, random_images, training_loop

SEEDS = 10
TASKS = {
    "digits 64-128-8": Task(random_images(1257, 64), [128], 8, 64, 20),
    "MNIST 784-512-32": Task(random_images(6400, 784), [512], 32, 128, 2),
    "MNIST 784-1000-500-250-30": Task(random_images(2560, 784), [1000, 500, 250], 30, 128, 1),
}
MNIST, DEEP = (TASKS[name]._replace(images=random_images(1280, 784)) for name in list(TASKS)[1:])
SQUARE = 1024
CHAPTERS = {
    "vanilla": {},
    "gelu": {"activation": "gelu"},
    "denoising, masking": {"kind": "denoising", "level": 0.2},
    "denoising, dropout": {"kind": "denoising", "corruption": "dropout", "level": 0.2},
    "denoising, gaussian": {"kind": "denoising", "corruption": "gaussian", "level": 0.2},
    "denoising, salt and pepper": {"kind": "denoising", "corruption": "salt_and_pepper", "level": 0.2},
    "denoising, subset masking": {"kind": "denoising", "corruption": "subset_masking", "level": 0.2},
    "variational": {"kind": "variational"},
    "contractive, Hutchinson": {"kind": "contractive", "weight": 0.1, "jacobian": "hutchinson"},
    "contractive, exact": {"kind": "contractive", "weight": 0.1, "jacobian": "exact"},
}
WIDE = {
    "vanilla": {"tied": True, "code_activation": "sigmoid"},
    "sparse, KL": {"kind": "sparse", "weight": 0.1, "tied": True},
    "contractive, closed form": {"kind": "contractive", "weight": 0.1},
}


def main(report: Report, threads: int, rounds: int) -> None:
    device.configure_device("cpu", threads)
    peak = _against_the_processor(report, threads, rounds)
    _against_others(report, threads, rounds)
    _chapters(report, threads, rounds)
    _scaling(report, threads, rounds, peak)
    _memory(report)


def _against_the_processor(report: Report, threads: int, rounds: int) -> float:
    """Return the best rate of float32 products, in GFLOP/s."""
    a, b = (torch.from_numpy(np.random.default_rng(i).random((SQUARE, SQUARE), dtype=np.float32)) for i in range(2))

    def product(precision: str) -> None:
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision(precision)
        for _ in range(10):
            a @ b
        torch.set_float32_matmul_precision(before)

    def numpy_product() -> None:
        for _ in range(10):
            a.numpy() @ b.numpy()

    runs = {"torch, default": partial(product, "highest"), "NumPy": numpy_product}
    if device.product_error("medium") <= device.TOLERANCE:
        runs["torch, oneDNN"] = partial(product, "medium")
    with threadpool_limits(threads):
        seconds = alternate(runs, rounds)
    rates = {name: 10 * 2 * SQUARE**3 / statistics.median(values) / 1e9 for name, values in seconds.items()}
    peak = max(rate for name, rate in rates.items() if name.startswith("torch"))
    title = f"Float32 products of {SQUARE} x {SQUARE} matrices"
    note = f"{count(threads)}."
    report.table(title, note, ["library", "GFLOP/s"], [[name, f"{rate:.0f}"] for name, rate in rates.items()])
    return peak


def _against_others(report: Report, threads: int, rounds: int) -> None:
    for name, task in TASKS.items():
        runs = {f"aebench, {SEEDS} seeds": ours(task, SEEDS, threads), "aebench, 1 seed": ours(task, 1, threads)}
        missing = []
        for rival, make in RIVALS.items():
            try:
                runs[rival] = make(task)
            except ModuleNotFoundError:
                missing.append([rival, "not installed", ""])
        seconds = alternate(runs, rounds)
        per_seed = {run: [s / (SEEDS if run.endswith("seeds") else 1) for s in values] for run, values in seconds.items()}
        best = per_seed[f"aebench, {SEEDS} seeds"]
        rows = [[run, f"{1000 * statistics.median(v) / task.epochs:.1f}", ratio(v, best)] for run, v in per_seed.items()]
        epochs = f"{task.epochs} epoch" + "s" * (task.epochs > 1)
        note = f"Batches of {task.batch}, {len(task.images)} images, {epochs}, {count(threads)}."
        report.table(name, note, ["implementation", "ms per seed and epoch", "ratio"], rows + missing)


def _chapters(report: Report, threads: int, rounds: int) -> None:
    wide = MNIST._replace(hidden=[], latent_dim=1000)
    for title, task, chapters in (("784-512-32", MNIST, CHAPTERS), ("784-1000, tied", wide, WIDE)):
        runs = {name: training_loop(task, SEEDS, threads, **changes).run_epoch for name, changes in chapters.items()}
        seconds = alternate(runs, rounds)
        rows = [[name, ratio(values, seconds["vanilla"])] for name, values in seconds.items()]
        report.table(
            f"Chapters, {title}", f"Time of an epoch with {SEEDS} seeds, relative to vanilla.", ["model", "ratio"], rows
        )


def _scaling(report: Report, threads: int, rounds: int, peak: float) -> None:
    variants = {f"seeds: {seeds}": (MNIST, seeds) for seeds in (1, 2, 5, 10, 32, 64)}
    variants |= {f"hidden units: {width}": (MNIST._replace(hidden=[width]), SEEDS) for width in (128, 1024, 2048)}
    variants |= {f"batch size: {size}": (MNIST._replace(batch=size), SEEDS) for size in (32, 512)}
    variants["784-1000-500-250-30"] = (DEEP, SEEDS)
    runs = {name: training_loop(task, seeds, threads).run_epoch for name, (task, seeds) in variants.items()}
    seconds = alternate(runs, rounds)
    rows = []
    for name, (task, seeds) in variants.items():
        rate = seeds * task.flop / statistics.median(seconds[name]) / 1e9
        rows.append([name, f"{rate:.0f}", f"{100 * rate / peak:.0f}"])
    note = f"784-512-32 with {SEEDS} seeds and batches of {MNIST.batch}, unless the row says otherwise."
    report.table("Share of the best float32 rate", note, ["variant", "GFLOP/s", "% of the best rate"], rows)


def _memory(report: Report) -> None:
    task = DEEP
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        before, after, weights = pool.apply(_peak_memory)
    rows = [["training", f"{after - before:.0f}"], ["weights, gradients, two moments, best weights", f"{5 * weights:.0f}"]]
    title = f"Peak memory, {'-'.join(map(str, task.sizes[: len(task.hidden) + 2]))}, {SEEDS} seeds"
    report.table(title, f"MiB above the {before:.0f} MiB of the process before training.", ["part", "MiB"], rows)


def _peak_memory() -> tuple[float, float, float]:
    torch.set_num_threads(1)
    task = DEEP
    training_loop(task._replace(hidden=[8], latent_dim=2), 1).run_epoch()
    before, loop = peak_memory(), training_loop(task, SEEDS)
    loop.run_epoch()
    weights = sum(rows.numel() * 4 for rows in loop.ensemble.weights.values())
    return before / 2**20, peak_memory() / 2**20, weights / 2**20
