"""Codes that collapse, or grow beyond all bounds, and data with few images or classes have a value or NaN for every metric."""

import math

import numpy as np
import pytest
import torch
from representations import CPU, trained
from test_generation import classifier

from aebench.classifiers.linear_probe import LabelledCodes, LinearProbeSettings, probe
from aebench.evaluation.metrics import METRICS, PROFILES
from aebench.evaluation.pictures import pictures
from aebench.evaluation.representation import represent, views
from aebench.evaluation.settings import Evaluation
from aebench.storage import Split

SMALL = {
    "density": {"images": 5, "samples": 5, "draws": 3, "directions": 4, "steps": 1, "validation_images": 4},
    "generation": {"samples": 20, "mixture_rounds": 5},
    "contraction": {"images": 5, "spectra": 5},
    "embedding": {"iterations": 5, "exaggerated": 5, "perplexity": 3, "neighbours": 3},
    "robustness": {"images": 6, "levels": {"masking": [0.5], "blur": [0.1]}},
}
KINDS = {
    "vanilla": {},
    "vanilla/linear": {"hidden": [], "output": "linear"},
    "variational": {"latent_dim": 2},
    "variational/learnt_variance": {"observation": "gaussian", "variance": "learnt", "latent_dim": 2},
    "sparse": {"latent_dim": 4},
}
FACTORS = (0.0, 1e-30, 1e-10, 30.0, 1e3, 1e6, 1e10, 1e20, math.nan)


def every_value(model, splits):
    """Every metric and profile of the first seed; None if it is not measurable."""
    view = next(iter(views(model, splits[:2], splits[2], Evaluation(**SMALL), CPU, classifier())))
    if not view.measurable:
        return None
    r = represent(view)
    pictures(model, r, view.settings.pictures)
    values = {name: metric.measure(r) for name, metric in METRICS.items()}
    return values | {f"{n}/{at}": value for n, profile in PROFILES.items() for at, value in profile.measure(r).items()}


def split(n, classes, seed=0):
    return Split(np.random.default_rng(seed).random((n, 16)).astype(np.float32), np.arange(n) % classes)


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("kind", KINDS)
def test_weights_of_any_size_give_every_metric_a_value_or_nan(kind, factor):
    model, _ = trained(kind.partition("/")[0], seeds=(0,), **KINDS[kind])
    for value in model.state.values():
        value *= factor
    values = every_value(model, (split(30, 3), split(20, 3, 1), split(20, 3, 2)))
    assert values is None or all(isinstance(value, (int, float)) for value in values.values())
    assert values is not None or not 0 < factor < 1e5


def constant(n, classes, differing=0):
    """Equal images, but for some."""
    images = np.full((n, 16), 0.25, np.float32)
    images[n - differing :] += 0.5
    return Split(images, np.arange(n) % classes)


DATA = {
    "12 images in all": (split(6, 2), split(3, 2, 1), split(3, 2, 2)),
    "one image of each class": (split(3, 3), split(3, 3, 1), split(3, 3, 2)),
    "one class": (split(30, 1), split(20, 1, 1), split(20, 1, 2)),
    "constant images": (constant(30, 3), constant(20, 3), constant(20, 3)),
    "one training image differs": (constant(200, 3, 1), constant(20, 3), constant(20, 3)),
    "one test image differs": (constant(30, 3), constant(20, 3), constant(20, 3, 1)),
    "a class that other images lack": (split(30, 3), split(20, 2, 1), split(20, 2, 2)),
    "one test image": (split(30, 2), split(20, 2, 1), split(1, 1, 2)),
}


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("kind", [*KINDS, "pca", "raw_pixels", "mean_image"])
def test_few_images_or_classes_give_every_metric_a_value_or_nan(kind, data):
    model, _ = trained(kind.partition("/")[0], seeds=(0,), **KINDS.get(kind, {}))
    values = every_value(model, DATA[data])
    assert all(isinstance(value, (int, float)) for value in values.values())


@pytest.mark.parametrize("name", ["12 images in all", "one image of each class", "one class", "constant images"])
def test_linear_probes_of_few_images_or_classes_have_an_accuracy(name):
    parts = [LabelledCodes(torch.from_numpy(each.images), torch.from_numpy(each.labels)) for each in DATA[name]]
    results = probe(*parts, LinearProbeSettings(), seed=0)
    assert all(0 <= result.accuracy <= 100 for result in results.values())
