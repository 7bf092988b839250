"""Wall time of the digits pipeline, split into computing in the stages and the overhead of processes and DVC.

The same stages run twice in a temporary clone: first all in one process (computing time), then by `dvc repro --force` (wall
time). The difference is the overhead.
"""

import os
import runpy
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from aebench import config
from benchmarks.report import Report

ROOT = Path(__file__).parent.parent
STAGES = {"models": ("train", "evaluate", "classify"), "stacks": ("pretrain", "finetune", "evaluate", "classify")}
"""Stages of a model, for each section of the suite."""


def main(report: Report) -> None:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["git", "clone", "-q", str(ROOT), folder], check=True)
        home = Path.cwd()
        os.chdir(folder)
        try:
            computing, wall = _in_one_process(), _by_dvc()
        finally:
            os.chdir(home)
    rows = [["stages in one process", f"{computing:.0f}", "1.00"], ["dvc repro", f"{wall:.0f}", f"{wall / computing:.2f}"]]
    report.table("The pipeline on digits", "One run of each.", ["run", "seconds", "ratio"], rows)


def _commands() -> Iterator[list[str]]:
    """Yield every stage with its arguments, in an order that DVC could choose."""
    suite = config.suite()
    yield ["stages.check"]
    for dataset in suite.datasets:
        yield ["stages.prepare", dataset]
        yield ["stages.train_feature_classifier", dataset]
        for section, stages in STAGES.items():
            yield from ([f"stages.{stage}", dataset, model] for model in getattr(suite, section) for stage in stages)
        yield ["stages.report", dataset]
    yield ["stages.index"]
    yield ["stages.track"]


def _in_one_process() -> float:
    start = time.perf_counter()
    for command in _commands():
        sys.argv = command
        runpy.run_module(command[0], run_name="__main__")
    return time.perf_counter() - start


def _by_dvc() -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "dvc", "repro", "--force", "-q"], check=True)
    return time.perf_counter() - start
