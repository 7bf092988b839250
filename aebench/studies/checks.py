"""Check the settings of a study that its schema does not cover: those of its models, and the names of metrics."""

from aebench import config, data, models
from aebench.classifiers.linear_probe import LinearProbeSettings
from aebench.errors import InputError, check_names, unknown
from aebench.evaluation.metrics import QUESTIONS
from aebench.models.base import Autoencoder
from aebench.models.classifier import ClassifierSettings
from aebench.models.external import External
from aebench.models.stacked import layer_model
from aebench.studies.settings import TRAINING_IMAGES, Anomalies, Depth, Study, Sweep

AVAILABLE = ("reconstruction", "linear_probe", "neighbours", "sparsity")
"""Questions whose metrics need only codes and reconstructions."""
UNAVAILABLE = ("sse_sampled",)
"""Metrics of these questions that need more than codes and reconstructions."""


def check(study: Study, path: str) -> None:
    """Raise `InputError` for the first invalid setting; `path` is where the settings are written."""
    parent, _, name = path.rpartition(".")
    check_names([name], parent)
    {"sweep": _check_sweep, "depth": _check_depth, "anomalies": _check_anomalies}[study.kind](study, path)


def _check_sweep(study: Sweep, path: str) -> None:
    check_names(study.models, f"{path}.models")
    _check_metrics(study.metrics, f"{path}.metrics")
    if study.vary == TRAINING_IMAGES and not all(float(value).is_integer() for value in study.values):
        raise InputError(f"{path}.values must be integers for training_images, got {study.values}")
    for model in study.models:
        where = f"{path}.models.{model}"
        kind = models.find(study.models[model], where)
        if kind.fit is not Autoencoder.fit:
            raise InputError(f"{where}.kind must be trained by gradient descent alone, got {study.models[model]['kind']}")
        for value in study.values:
            config.check(kind.Settings, study.settings_at(model, value), where)


def _check_metrics(metrics: list[str], path: str) -> None:
    parts = {part: {n for q in AVAILABLE for n in getattr(QUESTIONS[q], part, {})} for part in ("METRICS", "PROFILES")}
    for name, _, position in (quantity.partition("/") for quantity in metrics):
        known = parts["PROFILES"] if position else parts["METRICS"] - {*UNAVAILABLE}
        if name not in known:
            raise unknown(path, name, sorted(known))
        if name == "linear_probe_by_labels" and position not in (amounts := LinearProbeSettings().amounts):
            raise unknown(f"{path}: the number of labels", position, amounts)
    if len(set(metrics)) < len(metrics):
        raise InputError(f"{path} must not contain duplicates, got {metrics}")


def _check_depth(study: Depth, path: str) -> None:
    check_names(study.pretraining, f"{path}.pretraining")
    config.check(ClassifierSettings, study.classifier, f"{path}.classifier")
    for name, settings in study.pretraining.items():
        if "training" in settings:
            raise InputError(
                f"{path}.pretraining.{name} must not have training, which is the same for all series: use {path}.training"
            )
        layer_model(settings | {"latent_dim": study.latent_dims[0]}, f"{path}.pretraining.{name}")


def _check_anomalies(study: Anomalies, path: str) -> None:
    check_names(study.models, f"{path}.models")
    check_names(study.others, f"{path}.others")
    for name, settings in study.models.items():
        kind = models.find(settings, f"{path}.models.{name}")
        if issubclass(kind, External):
            raise InputError(f"{path}.models.{name}.kind must be trained here, without the anomalies, got {settings['kind']}")
        config.check(kind.Settings, settings, f"{path}.models.{name}")
    for name, settings in study.others.items():
        data.check(settings, f"{path}.others.{name}")
