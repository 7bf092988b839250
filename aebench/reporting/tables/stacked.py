"""The effect of layer-by-layer pretraining: loss and probe after each layer, and classifiers with three initialisations.

Differences are paired by seed: the same labelled images, batches and classification layer. An interval that excludes 0
indicates a difference that the choice of seed does not explain, even if the intervals of the two means overlap.
"""

import math

import numpy as np

from aebench.reporting.results import ModelResults, Results
from aebench.reporting.tables.columns import MISSING, NOTHING, Column, Table, counts, measures
from aebench.statistics import Estimate, over_seeds

LAYERS_NOTE = (
    "Loss: validation loss of the layer's pretraining at its best epoch. Probe: accuracy on validation images of a ridge "
    "classifier fitted to the codes of training images."
)
LABELS_NOTE = (
    "Test accuracy of the encoder with a softmax layer, both fine-tuned on a fraction of the training labels. Initialisation: "
    "pretrained, by greedy pretraining; unpretrained, as before pretraining; modern, scaled weights with ReLU units. The last "
    "two are trained for as many additional updates as pretraining took. No validation labels were used. Differences are "
    "paired by seed."
)


def tables(results: Results) -> list[Table]:
    """Return the tables of each model that was pretrained layer by layer: its layers, and its classifiers if it has any."""
    stacks = [model for model in results.models if model.layers]
    return [table for model in stacks for table in (_layers(model), *[_labels(model)] * ("classifier" in model.settings))]


def _layers(model: ModelResults) -> Table:
    layers = model.settings["layers"]
    steps = [str(i) for i in range(len(layers) + 1)]
    samples = model.layers | {"probe.0": model.layers["probe.0"][:1]}  # pixels do not depend on the seed
    losses, probes = ([_estimate(samples.get(f"{part}.{i}")) for i in steps] for part in ("loss", "probe"))
    columns = [
        Column("after layer", ["pixels", *steps[1:]], "right"),
        Column("kind", [MISSING, *(layer["kind"] for layer in layers)]),
        counts("layers/units", "units", [math.nan, *(layer["latent_dim"] for layer in layers)]),
        measures("layers/loss", "loss ↓", losses, 3, "validation"),
        measures("layers/probe", "probe ↑", probes, 2, "validation, %"),
    ]
    title = f"{model.name}, layer by layer"
    return Table(f"{model.name}_layers", "stacked", title, LAYERS_NOTE, columns, model.name, tuple(steps))


def _labels(model: ModelResults) -> Table:
    samples = {name: np.array(values) for name, values in model.classification.items() if not name.startswith("linear_probe")}
    fractions = model.settings["classifier"]["fractions"]
    first, *others = dict.fromkeys(name.partition(".")[0] for name in samples)
    columns = [Column("labels", [f"{100 * fraction:g}" for fraction in fractions], "right", "%")]
    for initialisation in (first, *others):
        accuracies = [_without_failed(samples[f"{initialisation}.{fraction}"]) for fraction in fractions]
        columns.append(measures(f"classify/{initialisation}", f"{initialisation} ↑", accuracies, 2, "%"))
    for other in others:
        differences = [_without_failed(samples[f"{first}.{f}"] - samples[f"{other}.{f}"]) for f in fractions]
        columns.append(measures(f"classify/{first} - {other}", f"{first} - {other}", differences, 2, "percentage points"))
    title = f"{model.name}, fine-tuned as a classifier, by fraction of labels"
    return Table(f"{model.name}_labels", "stacked", title, LABELS_NOTE, columns, model.name, tuple(map(str, fractions)))


def _estimate(sample: list[float] | None) -> Estimate:
    return NOTHING if sample is None else _without_failed(np.array(sample))


def _without_failed(sample: np.ndarray) -> Estimate:
    """Return the mean over seeds; NaN is the loss or accuracy of a seed whose training failed."""
    return over_seeds(sample, ~np.isnan(sample))
