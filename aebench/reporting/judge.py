"""Compare a model that was trained elsewhere with the models of a report, for `aebench judge`; no result is written.

It is evaluated as by the stages `evaluate` and `classify`, with the first seed of the suite. Data and feature classifier are
those of the pipeline, which are made first if there are none.
"""

from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING, Any

from aebench import config, data, storage
from aebench.classifiers import feature_classifier
from aebench.classifiers.linear_probe import LinearProbeSettings
from aebench.errors import InputError
from aebench.evaluation.classify import probe_replica
from aebench.evaluation.evaluate import STAGE
from aebench.evaluation.metrics import METRICS
from aebench.evaluation.representation import Representation, represent, view_of
from aebench.models import build
from aebench.models.external import TOLERANCE, adapt, find_loader, noise
from aebench.models.external.adapter import DECODER, Adapter
from aebench.reporting.tables import comparison, formats
from aebench.reporting.tables.written import read
from aebench.statistics import over_seeds
from aebench.training.ensemble import Ensemble

if TYPE_CHECKING:
    from pandas import DataFrame
    from torch import Tensor

ALL_LABELS = "1.0"
"""The name of the linear probe with all labels."""


@dataclass(frozen=True)
class Judgement:
    """`frame` is like table.csv, with the model in its last row; `settings` are those of an entry in conf/<dataset>.yaml."""

    frame: "DataFrame"
    settings: dict[str, Any]
    note: str

    @property
    def table(self) -> str:
        """The main metrics of every model, in Markdown."""
        return formats.markdown(comparison.columns(self.frame))


def judge(load: str, dataset: str, name: str) -> Judgement:
    """Evaluate the object that the function called `load` returns; see `aebench.models.external`.

    Raises `InputError` if `load` is wrong or if the data set has a model called `name`.
    """
    seeds = tuple(config.suite().seeds[:1])
    conf, file = config.dataset(dataset, "--data"), config.conf_file(dataset)
    if name in conf.all_models:
        raise InputError(f"--name must not be a model of {file}, got {name!r}")
    probe = config.check(LinearProbeSettings, conf.linear_probe, f"{file}:linear_probe")
    find_loader(load)
    about = _prepared(dataset)
    adapter = adapt(load, about.pixels)
    settings = {"kind": "external", "load": load, "latent_dim": adapter.latent_dim}
    ensemble = Ensemble(lambda: build(settings, about.pixels), seeds)
    ensemble.model.fit(ensemble, None, None)
    _check_same(adapter, ensemble.model.adapter, noise(about.pixels))
    view = view_of(dataset, storage.Trained(settings, about.shape, seeds, ensemble.state), 0)
    if not view.measurable:
        raise InputError(f"{load} must return finite codes and reconstructions of the images of {dataset}, got infinity or NaN")
    values = _measure(represent(view))
    accuracies = probe_replica(view.replica, dataset, probe, view.seed, view.images.device)
    values["linear_probe"] = accuracies[ALL_LABELS].accuracy if ALL_LABELS in accuracies else nan
    scores = {metric: over_seeds([values[metric]]) for metric in METRICS}
    size = nan if ensemble.model.size is None else ensemble.model.size
    row = comparison.row(name, settings["latent_dim"], scores, size, 1)
    return Judgement(with_report(row, dataset), settings, comparison.external_note(name, load, ensemble.model.facts))


def with_report(row: dict[str, Any], dataset: str) -> "DataFrame":
    """Return table.csv of a data set, without what is bold, with a further row; only the row if there is no report."""
    from pandas import DataFrame, concat

    report, last = storage.REPORTS / dataset / "table.csv", DataFrame([row])
    if not report.exists():
        return last
    return concat([read(report, "model").filter(regex=r"^(?!.*\.best$)"), last], ignore_index=True)


def _prepared(dataset: str) -> storage.About:
    """Prepare a data set and train its feature classifier, unless that has been done."""
    if not all(storage.split_file(dataset, split).exists() for split in storage.SPLITS):
        data.prepare(dataset)
    if not feature_classifier.file(dataset).exists():
        feature_classifier.train(dataset)
    return storage.load_about(dataset)


def _check_same(first: Adapter, second: Adapter, images: "Tensor") -> None:
    """Raise `InputError` if an object that was loaded twice has other codes or reconstructions the second time."""
    codes = first.encode(images)
    outputs = {"codes": (codes, second.encode(images))}
    if DECODER not in first.missing:
        outputs["reconstructions"] = first.decode(codes), second.decode(codes)
    for name, (once, again) in outputs.items():
        if (again - once).abs().max() > TOLERANCE * once.abs().max():
            raise InputError(f"{first.name} must return the same object each time, without randomness, got different {name}")


def _measure(arrays: Representation) -> dict[str, float]:
    return {name: metric.measure(arrays) for name, metric in METRICS.items() if metric.stage == STAGE}
