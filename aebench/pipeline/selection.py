"""Choose what runs in the current folder: params.yaml, and the files of DVC that depend on it."""

from typing import Any

from aebench import config
from aebench.config import Suite, edit
from aebench.errors import InputError
from aebench.pipeline import dvc_links, repair, run_lock
from aebench.storage import atomic_write


def select(changes: dict[str, list[Any]]) -> Suite:
    """Write `changes` of the suite to params.yaml and prepare dvc.lock; without a change, params.yaml stays unchanged."""
    _check(changes)
    with run_lock.only_run():
        before, content = config.suite(), config.SUITE_FILE.read_bytes()
        suite = edit.select(changes) if changes else before
        if changes and suite == before:  # keep its comments and line breaks
            with atomic_write(config.SUITE_FILE) as partial:
                partial.write_bytes(content)
        repair.prepare_lock(suite.datasets)
        dvc_links.keep_files()
    return suite


def _check(changes: dict[str, list[Any]]) -> None:
    """Raise `InputError` if only stacks are chosen, or params.yaml is damaged or has unknown names that are not replaced."""
    suite = config.suite()
    datasets, path = (changes["datasets"], "--datasets") if "datasets" in changes else (suite.datasets, config.DATASETS)
    stacks = config.dataset(datasets[0], path).stacks
    if "models" in changes and set(changes["models"]) <= stacks.keys():
        example = f"such as pca, besides the stack{'s' * (len(changes['models']) > 1)} {', '.join(changes['models'])}"
        raise InputError(f"--models must have at least one model that is not pretrained layer by layer, {example}")
    if not changes.keys() & {"datasets", "models"}:
        for dataset in suite.datasets:
            config.models(dataset, suite)
