"""The digits pipeline's wall time, split: what the stages compute, and what starting processes and DVC add.

The same stages run twice in a temporary clone: once each in one process, imports paid beforehand (computing), once by
`dvc repro --force` (wall). The difference is overhead.
"""

import importlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from aebench import params

ROOT = Path(__file__).parent.parent
ROWS = {"models": ("train", "evaluate"), "stacks": ("pretrain", "finetune", "evaluate", "classify")}
"""The stages of a row."""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["git", "clone", "-q", str(ROOT), folder], check=True)
        home = Path.cwd()
        os.chdir(folder)
        try:
            computing, wall = _in_one_process(), _by_dvc()
        finally:
            os.chdir(home)
    overhead = wall - computing
    print(f"digits pipeline: {wall:.1f} s wall = {computing:.1f} s computing + {overhead:.1f} s start-up and DVC")
    print(f"  wall / computing = {wall / computing:.2f}")


def _in_one_process() -> float:
    verbs = {verb for each in ROWS.values() for verb in each} | {"prepare", "certify", "report", "index"}
    stages = {verb: importlib.import_module(f"stages.{verb}") for verb in verbs}
    wanted = params.suite()
    start = time.perf_counter()
    for dataset in wanted.datasets:
        stages["prepare"].main(dataset)
        for part, its in ROWS.items():
            for row in getattr(wanted, part):
                for verb in its:
                    stages[verb].main(dataset, row)
        stages["certify"].main(dataset)
        stages["report"].main(dataset)
    stages["index"].main()
    return time.perf_counter() - start


def _by_dvc() -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "dvc", "repro", "--force", "-q"], check=True)
    return time.perf_counter() - start
