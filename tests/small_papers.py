"""A small paper on digits: its settings, and functions that write them and read its results."""

import csv
import json

from ruamel.yaml import YAML

from aebench import papers, storage

PAPER = {
    "title": "A & B (2000)",
    "reference": "A. and B.: A paper of 100 % autoencoders",
    "data": {"source": "digits", "test": 400, "validation": 400, "split_seed": 0},
    "seeds": [3, 5],
    "training": {"epochs": 2, "batch_size": 100, "learning_rate": 0.01, "device": "cpu"},
    "compute": {},
    "runs": {
        "pca": {"model": {"kind": "pca", "latent_dim": 2}, "measures": ["sse", "knn_3_error"]},
        "ae": {
            "model": {"kind": "vanilla", "latent_dim": 4, "loss": "bernoulli", "training": {"epochs": 3}},
            "measures": ["sse", "linear_probe_error"],
        },
    },
    "rows": [
        {"title": "PCA-2", "run": "pca", "measure": "sse", "published": 3.4, "band": [3.0, 4.0], "source": "Table 1"},
        {"title": "AE-4", "run": "ae", "measure": "sse", "band": [None, 0.1], "source": "Fig. 1", "explanation": "Too short."},
    ],
}

LAYER = {"kind": "denoising", "corruption": "subset_masking", "level": 0.25, "tied": True, "loss": "bernoulli"}
LAYER |= {"code_activation": "sigmoid", "initialisation": "uniform"}


def write(name="small", **changes):
    document = json.loads(json.dumps(PAPER)) | changes
    (papers.PAPERS / f"{name}.yaml").parent.mkdir(parents=True, exist_ok=True)
    with (papers.PAPERS / f"{name}.yaml").open("w") as stream:
        YAML().dump(document, stream)


def lines(name="small"):
    """(run, measure, seed) -> value."""
    with storage.paper_file(name).open(newline="") as stream:
        return {(line["run"], line["measure"], int(line["seed"])): float(line["value"]) for line in csv.DictReader(stream)}
