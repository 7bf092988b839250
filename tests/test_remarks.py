"""The remarks on digits agree with the tables in reports/digits, and every remark names the models that it is about."""

import csv
import math
import re
from pathlib import Path

import pytest

from aebench import config
from aebench.storage import read_columns, read_yaml

ROOT = Path(__file__).parent.parent
REPORT = ROOT / "reports" / "digits"
AMBIGUOUS = {"mean", "raw", "random", "deep", "stacked"}
"""Names of models that are also English words."""
NUMBER = re.compile(r"(?<![\w.])\d+(?:,\d{3})*(?:\.\d+)?(?![\w-])")


def rows(models, *metrics):
    """<model>:<metric> for each metric and model."""
    return [f"{model}:{metric}" for metric in metrics for model in models]


def points(study, series, quantity, *positions):
    """<study>/<series>/<position>/<quantity> for each position."""
    return [f"{study}/{series}/{position}/{quantity}" for position in positions]


def profile(models, position):
    """<model>@<profile>/<position> for each model."""
    return [f"{model}@{position}" for model in models]


def by_corruption(model):
    """The accuracies with half of the pixels masked, with strong blur, and averaged over all corruptions."""
    return [
        *(f"{model}@knn_by_corruption/{position}" for position in ("masking 0.5", "blur 0.15")),
        f"{model}:knn_under_corruption",
    ]


QUOTED = {
    "ae_overcomplete copies": [*rows(["ae_overcomplete", "raw"], "knn_5"), None],
    "No overcomplete code": [
        *rows(["raw", "ae_sigmoid", "ae_overcomplete", "sae_20", "sae", "sae_05", "sae_l1", "cae", "cae_strong"], "knn_5"),
        None,
        "random_wide:knn_5",
    ],
    "The mean activations": [None] * 4,
    "dae reconstructs": rows(["dae", "ae"], "sse_corrupted", "sse", "knn_5"),
    "Codes of dae are": [
        *profile(["dae", "ae"], "knn_by_corruption/masking 0.5"),
        None,
        *profile(["dae", "ae"], "knn_by_corruption/blur 0.15"),
        *rows(["dae", "ae"], "knn_under_corruption"),
        *(name for model in ("cae", "ae_sigmoid") for name in by_corruption(model)),
    ],
    "Searching by the codes": [None, *rows(["ae", "raw"], "precision_10"), None, None, None, "ae_sigmoid:precision_10"],
    "Corruption reduces": [
        None,
        *(f"overfitting/{model}/100/{quantity}" for quantity in ("sse_gap", "sse") for model in ("ae", "dae")),
        *(f"training_size/{model}/100/sse" for model in ("ae", "dae")),
        None,
        *(f"training_size/{model}/1000/sse" for model in ("ae", "dae")),
        None,
    ],
    "vae has a higher": [None],
    "The lecture's loss": [
        None,
        "vae_mse_mean:effective_beta",
        "vae_mse_mean:posterior_kl",
        "vae_mse_mean:sse",
        *rows(["vae_mse"], "effective_beta", "posterior_kl", "sse", "coverage", "active_units"),
        None,
        "vae_mse:posterior_kl",
        *[None] * 6,
        *rows(["vae_learnt"], "effective_beta", "posterior_kl", "sse", "coverage"),
        *rows(["vae"], "posterior_kl", "sse", "coverage"),
    ],
    "cae and dae_sigmoid": rows(
        ["cae", "dae_sigmoid"], "sse", "jacobian", "jacobian_rank", "expost_density", "frechet", "knn_under_corruption"
    ),
    "The metrics of generated": [
        *rows(["vae", "ae"], "precision", "coverage", "sharpness"),
        *rows(["ae", "vae", "raw"], "frechet"),
        "vae:active_units",
        None,
    ],
    "Pretraining makes up": [None] * 3,
    "Without pretraining": ["fine-tuned:random", "fine-tuned:pretrained", "fine-tuned:modern"],
    "More layers": [
        *(f"depth/{series}/{layers}/frozen/1.0" for series in ("dae", "random") for layers in (1, 2, 3, 4)),
        None,
        *points("depth", "dae", "frozen/0.01", 1, 4),
        None,
        *(f"depth/{series}/4/fine-tuned/0.01" for series in ("dae", "sae", "modern", "cae", "random")),
        *(f"depth/{series}/4/fine-tuned/1.0" for series in ("dae", "sae", "modern", "cae", "random")),
    ],
    "The KL penalty": [
        *(name for weight in ("0.001", "0.1", "1") for name in (f"sparsity_weight/kl/{weight}/population_sparsity", None)),
        *points("sparsity_weight", "l1", "population_sparsity", "0.001", "0.1", "1"),
        None,
        *(name for weight in ("0.001", "0.1", "1") for name in (f"sparsity_weight/l1/{weight}/dead_units", None)),
        *(f"sparsity_weight/{series}/0.1/sse" for series in ("l1", "l1_tied")),
        None,
    ],
    "No score reveals": [
        *(name for digit in (8, 1) for name in (None, f"anomalies/ae/{digit}/error/auroc")),
        *(name for digit in (1, 8) for name in (None, f"anomalies/ae/{digit}/distance/auroc")),
        *(name for digit in (1, 8) for name in (None, f"anomalies/mean/{digit}/error/auroc")),
        *(name for digit in (8, 1) for name in (None, f"anomalies/vae/{digit}/likelihood/auroc")),
        *points("anomalies", "ae_2d", "distance/auroc", 1, 8),
        *points("anomalies", "ae_2d", "error/auroc", 1, 8),
    ],
    "cae_strong has": [None, "cae:knn_5 - cae_strong:knn_5"],
}
"""The beginning of a remark -> the quantity that each of its numbers is the mean of, in order; None for other numbers."""


def remarks(dataset="digits"):
    return [(remark.get("says"), remark) for remark in read_yaml(ROOT / "conf" / f"{dataset}.yaml")["remarks"]]


def mean(quantity):
    if " - " in quantity:
        first, second = quantity.split(" - ")
        return mean(first) - mean(second)
    if "@" in quantity:
        model, name = quantity.split("@")
        with (REPORT / "profiles.csv").open() as stream:
            means = {(row["model"], f"{row['profile']}/{row['position']}"): row["mean"] for row in csv.DictReader(stream)}
        return float(means[model, name])
    if ":" in quantity:
        model, metric = quantity.split(":")
        if model == "fine-tuned":
            with (REPORT / "tables" / "stacked_labels.csv").open() as stream:
                return float(list(csv.DictReader(stream))[-1][f"classify/{metric}.mean"])
        with (REPORT / "table.csv").open() as stream:
            return next(float(row[f"{metric}.mean"]) for row in csv.DictReader(stream) if row["model"] == model)
    study, column = quantity.split("/", 1)
    values = [value for value in read_columns(REPORT / "studies" / f"{study}.csv")[column] if not math.isnan(value)]
    return sum(values) / len(values)


@pytest.mark.parametrize("start", QUOTED)
def test_numbers_of_a_remark_are_those_of_the_tables(start):
    (text,) = [text for text, _ in remarks() if text.startswith(start)]
    numbers = NUMBER.findall(text)
    for number, quantity in zip(numbers, QUOTED[start], strict=True):
        decimals = len(number.partition(".")[2])
        assert quantity is None or f"{mean(quantity):.{decimals}f}" == number, f"{number} is not {quantity}: {mean(quantity)}"


def test_every_remark_on_digits_is_compared_with_the_tables():
    assert [next((start for start in QUOTED if text.startswith(start)), text) for text, _ in remarks()] == list(QUOTED)


@pytest.mark.parametrize("dataset", ["digits", "fashion_mnist", "mnist"])
def test_a_remark_is_bound_to_the_models_that_it_names(dataset):
    conf = config.dataset(dataset)
    known = set(conf.all_models) - AMBIGUOUS
    for text, remark in remarks(dataset):
        assert remark.keys() & {"models", "studies"}, text
        assert conf.all_models.keys() >= set(remark.get("models", [])), text
        assert conf.studies.keys() >= set(remark.get("studies", [])), text
        named = known & set(re.findall(r"[a-z]\w*", text))
        assert named <= set(remark.get("models", named)), text
