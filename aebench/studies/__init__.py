"""Studies: experiments in addition to the comparison of models. Each varies one thing and keeps everything else fixed.

    sweep       models trained with several values of one setting, or with several numbers of training images
    depth       stacks of one to L layers, pretrained by several kinds of autoencoder, as features and as classifiers
    anomalies   models trained without one class, whose images they should then detect as anomalies

A study has series (lines of its figure) and positions (values on its axis). conf/<dataset>.yaml:studies holds the settings,
`suite.studies` in params.yaml selects the studies to run.

    reports/<dataset>/studies/<study>.csv    seed, then one column `<series>/<position>/<quantity>` per number
    reports/<dataset>/studies/<study>.json   what these numbers depend on, except code and data
    runs/<dataset>/studies/<study>/cost.json wall time and environment
"""

from typing import Any

from aebench import config
from aebench.errors import unknown
from aebench.studies.settings import Anomalies, Depth, Study, Sweep

__all__ = ["KINDS", "Anomalies", "Study", "description", "find"]

KINDS: dict[str, type[Study]] = {"sweep": Sweep, "depth": Depth, "anomalies": Anomalies}


def find(dataset: str, name: str) -> Study:
    """Return the settings of a study in conf/<dataset>.yaml; raises `InputError` for an unknown name or key.

    `aebench.studies.checks` also checks the settings of its models.
    """
    studies, path = config.dataset(dataset).studies, f"{config.conf_file(dataset)}:studies"
    if name not in studies:
        raise unknown(f"{path} (for suite.studies)", name, studies)
    if (kind := str(studies[name].get("kind"))) not in KINDS:
        raise unknown(f"{path}.{name}.kind", kind, KINDS)
    return config.check(KINDS[kind], studies[name], f"{path}.{name}")


def description(conf: config.Dataset, name: str, seeds: list[int]) -> dict[str, Any]:
    """Return what the results of a study depend on, except code and data, which DVC compares: settings and seeds."""
    settings = {key: value for key, value in conf.studies[name].items() if key != "question"}
    return {"settings": settings, "training": conf.training.model_dump(), "evaluation": conf.evaluation, "seeds": list(seeds)}
