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
    stages = {name: importlib.import_module(f"stages.{name}") for name in ("prepare", "train", "evaluate", "report", "index")}
    wanted = params.suite()
    start = time.perf_counter()
    for dataset in wanted.datasets:
        stages["prepare"].main(dataset)
        for model in wanted.models:
            stages["train"].main(dataset, model)
            stages["evaluate"].main(dataset, model)
        stages["report"].main(dataset)
    stages["index"].main()
    return time.perf_counter() - start


def _by_dvc() -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "dvc", "repro", "--force", "-q"], check=True)
    return time.perf_counter() - start
