"""The stage `check`: validate all settings before any other stage runs, and hash the code of each stage and model."""

import sys
from typing import Any

import torch

from aebench import config, data, models, papers, storage, studies, testing
from aebench.classifiers.feature_classifier import FeatureClassifierSettings
from aebench.classifiers.linear_probe import LinearProbeSettings
from aebench.config import Suite
from aebench.errors import InputError
from aebench.evaluation.settings import Compute, Evaluation
from aebench.papers.checks import check as check_paper
from aebench.papers.checks import devices as devices_of_paper
from aebench.pipeline import dvc_settings, stage_hashes
from aebench.registry import is_plugin
from aebench.reporting.tables import remarks
from aebench.storage.lock import archive
from aebench.studies.checks import check as check_study
from aebench.training.memory import check_size
from aebench.training.tuning import SearchSettings

BLOCKS = {
    "compute": Compute,
    "evaluation": Evaluation,
    "linear_probe": LinearProbeSettings,
    "feature_classifier": FeatureClassifierSettings,
}
"""Schemas of the settings in conf/<dataset>.yaml other than data, training, models and stacks."""


def check() -> str:
    """Check the suite, write runs/code/ and return a summary. Raises `InputError` for the first invalid setting."""
    suite = config.suite()
    check_settings(suite)
    if archived := [dataset for dataset in suite.datasets if archive(dataset).exists()]:
        from aebench.pipeline import dvc_links

        dvc_links.restore_files(archived)
    code = {stage: stage_hashes.hash_stage(stage) for stage in stage_hashes.STAGES}
    for dataset in suite.datasets:
        own = stage_hashes.hash_dataset(dataset, suite.all_models, suite.studies)
        code |= {f"{dataset}/{name}": hashes for name, hashes in own.items()}
    code |= {f"papers/{paper}": stage_hashes.hash_paper(paper) for paper in suite.papers}
    for name, hashes in code.items():
        storage.write_json(storage.CODE / f"{name}.json", hashes)
    for note in models.MODELS.notes:
        print(f"note: {note}", file=sys.stderr)
    listed = f"; papers {', '.join(suite.papers)}" if suite.papers else ""
    return f"settings are valid: {len(suite.all_models)} models on {', '.join(suite.datasets)}{listed}"


def check_settings(suite: Suite) -> None:
    """Raise `InputError` for the first invalid setting of the suite, its data sets and papers."""
    dvc_settings.check_readable(config.SUITE_FILE)
    for dataset in suite.datasets:
        check_dataset(dataset, suite)
        dvc_settings.check_readable(config.conf_file(dataset))
    for paper in suite.papers:
        check_paper(papers.find(paper), f"{papers.file(paper)}:")
        dvc_settings.check_readable(papers.file(paper))
    for paper in papers.names():  # also those outside the suite: the stage index reads all of them
        papers.check_references(papers.find(paper), f"{papers.file(paper)}:")


def check_devices(suite: Suite) -> None:
    """Raise `InputError` if settings of the suite's data sets and papers need a GPU that this machine lacks."""
    for paper in suite.papers:
        _check_cuda(dict(devices_of_paper(papers.find(paper), f"{papers.file(paper)}:")))
    for dataset in suite.datasets:
        path, conf = config.conf_file(dataset), config.dataset(dataset)
        devices = {f"{path}:compute.device": config.check(Compute, conf.compute, f"{path}:compute").device}
        for name, settings in config.models(dataset, suite).items():
            own = f"{path}:{conf.section_of(name)}.{name}.training"
            where = own if "device" in settings.get("training", {}) else f"{path}:training"
            devices[f"{where}.device"] = config.training(conf, settings, own).device
        _check_cuda(devices)


def _check_cuda(devices: dict[str, str]) -> None:
    for where, device in devices.items():
        if device == "cuda" and not torch.cuda.is_available():
            raise InputError(f"{where} must be auto or cpu on a machine without CUDA, got cuda")


def check_dataset(dataset: str, suite: Suite) -> None:
    """Raise `InputError` if a setting of the data set is invalid, or a model cannot be built for its images.

    Models are built only if the number of pixels is known without reading the images. Otherwise the stage `train` reports
    models that are too large.
    """
    path, conf = config.conf_file(dataset), config.dataset(dataset)
    for block, schema in BLOCKS.items():
        config.check(schema, getattr(conf, block), f"{path}:{block}")
    source = data.check(conf.data, f"{path}:data")
    if conf.search and (seed := config.check(SearchSettings, conf.search, f"{path}:search").seed) in suite.seeds:
        raise InputError(f"{path}:search.seed must not be one of {config.SUITE_FILE}:suite.seeds, got {seed}")
    remarks.check(dataset)
    for study in suite.studies:
        check_study(studies.find(dataset, study), f"{path}:studies.{study}")
    for name, settings in config.models(dataset, suite).items():
        section = conf.section_of(name)
        where = f"{path}:{section}.{name}"
        kind = models.find(settings, where)
        if section == "stacks" and not hasattr(kind, "pretrain"):
            raise InputError(f"{where}.kind must be `stacked`, or another kind with pretraining, got {settings['kind']}")
        config.check(kind.Settings, settings, where)
        if (threads := config.training(conf, settings, f"{where}.training").threads) > config.MOST_THREADS:
            raise InputError(f"{path}:training.threads must be at most {config.MOST_THREADS}, got {threads}")
        if source.pixels is not None:
            check_size(settings, source.pixels, where)
            models.build(settings, source.pixels, where)
        if is_plugin(kind):
            check_other(settings, where)


def check_other(settings: dict[str, Any], path: str) -> None:
    """Raise `InputError` if a model that is not built in fails one of its model checks: such a model is not trained."""
    if problem := testing.first_problem(settings, path):
        raise InputError(f"{path} must be a model that passes aebench check-model, got {problem}")
