"""Change params.yaml and conf/<dataset>.yaml; their comments are kept."""

from pathlib import Path
from typing import Any

from aebench import config
from aebench.config import DATASETS, SUITE_FILE, Dataset, Suite
from aebench.errors import InputError, unknown
from aebench.storage import atomic_write
from aebench.storage.yaml_files import edit_yaml, in_one_line, read_yaml


def select(changes: dict[str, list[Any]], file: Path = SUITE_FILE) -> Suite:
    """Write other datasets, models (including stacks), studies, papers or seeds to params.yaml.

    If `changes` contains no models, the current ones are kept if all chosen data sets have them; otherwise all models that
    these data sets have in common are chosen. After an error the file is unchanged.
    """
    if not isinstance(suite := read_yaml(file).get("suite"), dict):  # in one line, unlike an error of `config.suite`
        raise InputError(f"{file} must have a block named suite, got none")
    with atomic_write(file) as partial:
        partial.write_bytes(file.read_bytes())
        with edit_yaml(partial) as document:
            for field, names in _selected(suite, changes).items():
                document["suite"][field] = names
        try:
            selected = config.suite(partial)
            for name in selected.datasets:
                config.models(name, selected)
        except InputError as error:
            text = str(error).replace(str(partial), str(file))
            raise InputError(text.replace(f"{file}:suite.models", "--models") if "models" in changes else text) from None
    return selected


def _selected(suite: dict[str, Any], changes: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """The fields of the suite that change, or that depend on the data sets and models."""
    chosen = suite | changes
    confs = [config.dataset(name, "--datasets" if "datasets" in changes else DATASETS) for name in chosen["datasets"]]
    names = changes.get("models") or [*chosen["models"], *chosen.get("stacks", [])]
    if confs and "models" not in changes and any(set(names) - set(conf.all_models) for conf in confs):
        names = [name for name in confs[0].all_models if all(name in conf.all_models for conf in confs)]
    stacks = [name for name in names if confs and name in confs[0].stacks]
    models = [name for name in names if name not in stacks]
    studies = _studies(changes.get("studies"), chosen.get("studies", []), confs, chosen["datasets"])
    return changes | {"models": models, "stacks": stacks, "studies": studies}


def _studies(selected: list[str] | None, current: list[str], confs: list[Dataset], datasets: list[str]) -> list[str]:
    """The studies `selected`, which all data sets must have; if None, those of the current ones that all of them have."""
    if selected is None:
        return [name for name in current if all(name in conf.studies for conf in confs)]
    for name, conf in zip(datasets, confs, strict=True):
        if missing := [study for study in selected if study not in conf.studies]:
            raise unknown(f"--studies (for {config.conf_file(name)})", missing[0], conf.studies)
    return selected


def add_model(dataset: str, model: str, settings: dict[str, Any]) -> None:
    """Append `model` to the section `models` of conf/<dataset>.yaml, on one line unless DVC could not read it.

    libyaml, with which DVC parses, rejects a colon in braces, as in {kind: my_models:Mine}.
    """
    colon = any(isinstance(value, str) and ":" in value for value in settings.values())
    with edit_yaml(config.conf_file(dataset)) as document:
        document["models"][model] = settings if colon else in_one_line(settings)
