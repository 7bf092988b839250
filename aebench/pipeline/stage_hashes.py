"""Hashes of the code each number depends on: `check` writes them to runs/code/; `verify` compares them with dvc.lock."""

from collections.abc import Sequence

from aebench import config, data, models, papers
from aebench.code_hashes import code_hashes
from aebench.evaluation.metrics import PLUGGED
from aebench.studies import find

STAGES = ("train_feature_classifier", "evaluate", "classify", "report", "index", "track")
"""Stages that run the same code on every data set."""
TRAINING = {"models": ["stages.train"], "stacks": ["stages.pretrain", "stages.finetune"]}
"""Modules of the stages that train a model, by the section of conf/<dataset>.yaml that contains the model."""
PREPARE = "prepare"


def hash_stage(stage: str) -> dict[str, str]:
    """Map module -> hash of its code, for a stage in STAGES. The code of `evaluate` includes the metrics of other packages."""
    plugins = [target.partition(":")[0] for target in PLUGGED.targets.values()] if stage == "evaluate" else []
    return code_hashes(f"stages.{stage}", *plugins)


def hash_dataset(dataset: str, names: list[str], studies: Sequence[str] = ()) -> dict[str, dict[str, str]]:
    """Code hashes by name and module: of preparing the data set ("prepare"), of training each of these models, and of studies.

    The name of a study is studies/<study>.
    """
    path, conf = config.conf_file(dataset), config.dataset(dataset)
    modules = {PREPARE: ("stages.prepare", type(data.check(conf.data, f"{path}:data")).__module__)}
    for name in names:
        section = conf.section_of(name)
        modules[name] = (*TRAINING[section], *models.modules(conf.all_models[name], f"{path}:{section}.{name}"))
    for name in studies:
        study = find(dataset, name)
        used = [models.modules(settings, f"{path}:studies.{name}") for settings in study.model_settings()]
        sources = [type(data.check(settings, f"{path}:studies.{name}")).__module__ for settings in study.data_settings()]
        modules[f"studies/{name}"] = ("stages.study", *sum(used, ()), *sources)
    hashes = {roots: code_hashes(*roots) for roots in set(modules.values())}
    return {name: hashes[roots] for name, roots in modules.items()}


def hash_paper(name: str) -> dict[str, str]:
    """Code hashes of the stage `reproduce` for a paper, with those of its data source and models."""
    paper, path = papers.find(name), f"{papers.file(name)}:"
    source = type(data.check(paper.data, f"{path}data")).__module__
    used = {module for each, run in paper.runs.items() for module in models.modules(run.model, f"{path}runs.{each}.model")}
    return code_hashes("stages.reproduce", source, *used)
