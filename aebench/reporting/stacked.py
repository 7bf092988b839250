"""What stacking gave: after each layer a loss and a probe, and with labels the classifiers from three starts.

Differences are paired: seed by seed, the same labelled images, batches and head. An interval that excludes 0 is a
difference beyond the choice of seed; intervals of single means may overlap where their difference is certain.
"""

import math
from pathlib import Path

import numpy as np

from aebench import runs
from aebench.reporting.cells import MISSING, Column, Table, counts, measures, over_seeds
from aebench.reporting.results import Results, Row


def tables(results: Results) -> list[Table]:
    """Two tables for each row that was pretrained layer by layer."""
    found = []
    for row in results.rows:
        folder = runs.folder(results.dataset, row.model)
        if (folder / "layers.csv").exists():
            found.append(_layers(row, folder))
        if (folder / "classification.csv").exists() and "classifier" in row.block:
            found.append(_labels(row, folder))
    return found


def _layers(row: Row, folder: Path) -> Table:
    told, blocks = runs.read_columns(folder / "layers.csv"), row.block["layers"]
    told["probe.0"] = told["probe.0"][:1]  # pixels have no seed
    steps = range(len(blocks) + 1)
    return Table(
        f"{row.model}_layers",
        "stacked",
        f"{row.model}, layer by layer",
        "Loss: of the layer's own pretraining, at the epoch kept. Probe: share of validation images whose class a ridge "
        "regression reads off the codes, fitted to those of the training images.",
        [
            Column("after layer", [str(i) if i else "pixels" for i in steps], "right"),
            Column("pretrainer", [MISSING, *(block["pretrainer"] for block in blocks)]),
            counts("layers/units", "units", [math.nan, *(block["code"] for block in blocks)]),
            measures("layers/loss", "loss ↓", over_seeds([told.get(f"loss.{i}") for i in steps]), 3, "validation"),
            measures("layers/probe", "probe ↑", over_seeds([told.get(f"probe.{i}") for i in steps]), 2, "validation, %"),
        ],
        row.model,
        tuple(map(str, steps)),
    )


def _labels(row: Row, folder: Path) -> Table:
    told = {name: np.array(values) for name, values in runs.read_columns(folder / "classification.csv").items()}
    fractions = row.block["classifier"]["fractions"]
    first, *others = dict.fromkeys(name.partition(".")[0] for name in told if not name.startswith(("seed", "frozen.")))
    columns = [Column("labels", [f"{100 * fraction:g}" for fraction in fractions], "right", "%")]
    for start in (first, *others):
        found = over_seeds([told[f"{start}.{f}"] for f in fractions])
        columns.append(measures(f"classify/{start}", f"{start} ↑", found, 2, "%"))
    for other in others:
        differences = over_seeds([told[f"{first}.{f}"] - told[f"{other}.{f}"] for f in fractions])
        columns.append(measures(f"classify/{first} - {other}", f"{first} - {other}", differences, 2, "points"))
    return Table(
        f"{row.model}_labels",
        "stacked",
        f"{row.model}, then classified with few labels and many",
        "Accuracy on test images of a softmax head and its encoder, fine-tuned with a share of the training labels: from "
        "greedy pretraining; from the same start without it; from ReLU units with scaled weights. The last two take as many "
        "updates more as pretraining took. Nothing was chosen: no validation label was used. Differences are paired by seed.",
        columns,
        row.model,
        tuple(map(str, fractions)),
    )
