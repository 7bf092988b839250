"""Many seeds, many models, many images: memory stays bounded and tables legible."""

import json
import os
import subprocess
import sys
import threading
import time

import numpy as np
import psutil
import pytest
from project import BIN, clone

pytestmark = pytest.mark.reliability
GIGABYTE = 2**30
MOST = 4 * GIGABYTE
"""Bytes of memory that all processes of a run may use together."""
WIDEST = 240
"""Characters of a line of the comparison on a terminal."""


def measured(project, *arguments):
    """Run `aebench` and return its output and the largest memory of its processes together, in bytes, without shared pages."""
    environment = os.environ | {"PYTHONPATH": str(project.folder), "PATH": f"{BIN}:{os.environ['PATH']}"}
    command = [sys.executable, "-c", "from aebench.cli import main; main()", *arguments]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    run, peak = subprocess.Popen(command, cwd=project.folder, env=environment, **streams), [0]

    def watch():
        while run.poll() is None:
            peak[0] = max(peak[0], memory(psutil.Process(run.pid)))
            time.sleep(0.5)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    output = run.communicate()[0]
    watcher.join()
    assert run.returncode == 0, output[-3000:]
    return output, peak[0]


def memory(process):
    """Proportional memory of a process and its children."""
    total = 0
    for each in [process, *_children(process)]:
        try:
            info = each.memory_full_info()
            total += getattr(info, "pss", info.rss)
        except psutil.Error:
            continue
    return total


def _children(process):
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def test_200_seeds_of_3_models(tmp_path, tried):
    project = clone(tmp_path / "p", models="pca ae vae", seeds=" ".join(map(str, range(200))))
    output, peak = measured(project, "run", "-j", "2")
    summary = json.loads((project.folder / "reports/smoke/summary.json").read_text())
    assert "Traceback" not in output and peak < MOST and summary
    rows = (project.folder / "runs/smoke/ae/metrics.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == [str(seed) for seed in range(200)]
    assert max(map(len, output.splitlines())) < WIDEST
    tried("200 seeds x 3 models on digits", 1, f"{peak / GIGABYTE:.1f} GiB of memory, every seed in every table")


def test_64_models(tmp_path, tried):
    project = clone(tmp_path / "p", models="pca", seeds="0")
    names = [f"variant_with_a_long_name_{i}" for i in range(64)]
    lines = "".join(f"  {name}: {{kind: vanilla, hidden: [16], latent_dim: {2 + i % 16}}}\n" for i, name in enumerate(names))
    project.replace("conf/smoke.yaml", "\nmodels:\n", f"\nmodels:\n{lines}")
    project.aebench("select", "--models", " ".join(names))
    output, peak = measured(project, "run", "-j", "2")
    table = (project.folder / "reports/smoke/table.md").read_text()
    assert peak < MOST and all(f"| {name} " in table for name in names)
    assert max(map(len, output.splitlines())) < WIDEST
    tried("64 models in one report", 1, f"{peak / GIGABYTE:.1f} GiB of memory, all in the tables")


def test_300000_images(tmp_path, tried):
    project, rng, n = clone(tmp_path / "p", models="pca ae", seeds="0"), np.random.default_rng(0), 300_000
    labels = np.arange(n) % 10
    images = (rng.integers(0, 200, (n, 8, 8)) + 5 * labels[:, None, None]).clip(0, 255).astype(np.uint8)
    np.savez(project.folder / "many.npz", images=images, labels=labels)
    project.replace(
        "conf/smoke.yaml",
        "source: digits\n  test: 360\n  validation: 180",
        "source: npz\n  path: many.npz\n  test: 2000\n  validation: 1000",
    )
    project.replace("conf/smoke.yaml", "epochs: 2", "epochs: 1")
    output, peak = measured(project, "run", "-j", "2")
    assert "report: " in output and peak < MOST
    tried("300,000 generated images", 1, f"{peak / GIGABYTE:.1f} GiB of memory")
