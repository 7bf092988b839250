"""provenance.json, the origin of a report: commit, lock entries, checksums of data and results, code hashes and environments.

No other file of a report records its origin, so a file changes only if its numbers do. The commit is the one that was checked
out when the report was written, not the one to which the report was added.
"""

import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

from aebench import storage
from aebench.classifiers import feature_classifier
from aebench.reporting.results import Results
from aebench.storage.lock import Entry, Lock

ENVIRONMENT = ("device", "processor", "blas", "machine", "threads", "versions")
"""The fields of cost.json that describe where a model was trained."""


def write(results: Results) -> None:
    """Write reports/<dataset>/provenance.json."""
    storage.write_json(results.folder / "provenance.json", provenance(results))


def provenance(results: Results) -> dict[str, Any]:
    """Return the content of provenance.json: md5 by path from dvc.lock, empty outside DVC, and a code hash per module."""
    name, lock = results.dataset, Lock.read([results.dataset])
    models = [model.name for model in results.models]
    entries, splits = lock.current(name, models), [storage.split_file(name, split) for split in storage.SPLITS]
    by_model = {model: [entry for entry in entries if entry.model == model] for model in models}
    return {
        **revision(),
        "lock": lock.fingerprint(name),
        "data": _outputs(entries, splits),
        "feature_classifier": _outputs(entries, [feature_classifier.file(name)]),
        "models": {model: {"code": _code(each), "results": _outputs(each)} for model, each in by_model.items()},
        "environments": _environments(results),
        "modules": _modules(name, models, list(results.studies)),
    }


def revision() -> dict[str, Any]:
    """Return the current commit, and whether tracked files that the pipeline does not write differ; empty without Git."""
    commit = _git("rev-parse", "HEAD")
    written = [f":(top,exclude){path}" for path in ("dvc.lock", storage.REPORTS, "docs")]
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ":/", *written)
    return {"commit": commit, "uncommitted_changes": bool(changed)} if commit else {}


def _git(*arguments: str) -> str:
    """Return the output of a Git command; empty without Git or a repository."""
    try:
        return subprocess.run(["git", *arguments], capture_output=True, text=True).stdout.strip()
    except FileNotFoundError:
        return ""


def _outputs(entries: list[Entry], files: list[Path] | None = None) -> dict[str, str]:
    """Return the md5 of all outputs of these stages by path, or only of `files`."""
    outputs = {path: md5 for entry in entries for path, md5 in entry.outs.items() if md5}
    return {path: md5 for path, md5 in outputs.items() if files is None or Path(path) in files}


def _code(entries: list[Entry]) -> dict[str, str]:
    inputs = {path: md5 for entry in entries for path, md5 in entry.deps.items() if md5}
    return {path: md5 for path, md5 in inputs.items() if Path(path).is_relative_to(storage.CODE)}


def _environments(results: Results) -> list[dict[str, Any]]:
    """Return the training environments, each with the names of the models that were trained in it."""
    environments: list[dict[str, Any]] = []
    for model in results.models:
        fields = {name: value for name, value in asdict(model.cost).items() if name in ENVIRONMENT}
        known = next((each for each in environments if each == fields | {"models": each["models"]}), None)
        if known is None:
            environments.append(known := fields | {"models": []})
        known["models"].append(model.name)
    return environments


def _modules(dataset: str, models: list[str], studies: list[str]) -> dict[str, str]:
    """Return the code hashes, as written by `check`, of the modules behind data, models, evaluation and the report."""
    names = [
        "train_feature_classifier",
        "evaluate",
        "classify",
        "report",
        *(f"{dataset}/{each}" for each in ("prepare", *models, *(f"studies/{study}" for study in studies))),
    ]
    files = [storage.CODE / f"{name}.json" for name in names]
    return {module: code for file in files if file.exists() for module, code in storage.read_json(file).items()}
