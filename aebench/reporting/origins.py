"""What a report was made of, as provenance.json beside it: lock, data and results by checksum, code, and what trained.

Not the commit: a file cannot hold that of its own, and would change at each. `aebench verify` asks Git for it.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from aebench import judge, runs
from aebench.lock import Entry, Lock
from aebench.reporting.results import Results

ENVIRONMENT = ("device", "machine", "threads", "versions")
"""Of a row's cost.json."""


def write(results: Results) -> None:
    """reports/<dataset>/provenance.json."""
    runs.write_json(results.folder / "provenance.json", origins(results))


def origins(results: Results) -> dict[str, Any]:
    """Checksums are those of dvc.lock, path -> md5, none outside DVC; `modules` has a hash of each one's code."""
    name, lock = results.dataset, Lock.read([results.dataset])
    models = [row.model for row in results.rows]
    entries, splits = lock.current(name, models), [runs.split_file(name, split) for split in runs.SPLITS]
    rows = {model: [entry for entry in entries if entry.row == model] for model in models}
    return {
        "lock": results.lock,
        "data": _written(entries, splits),
        "judge": _written(entries, [judge.file(name)]),
        "rows": {model: {"code": _code(made), "results": _written(made)} for model, made in rows.items()},
        "environments": _environments(results),
        "modules": _modules(name, models),
    }


def _written(entries: list[Entry], files: list[Path] | None = None) -> dict[str, str]:
    """What the entries have written; of these files alone, if any are given."""
    found = {path: md5 for entry in entries for path, md5 in entry.outs.items() if md5}
    return {path: md5 for path, md5 in found.items() if files is None or Path(path) in files}


def _code(entries: list[Entry]) -> dict[str, str]:
    read = {path: md5 for entry in entries for path, md5 in entry.deps.items() if md5}
    return {path: md5 for path, md5 in read.items() if Path(path).is_relative_to(runs.CODE)}


def _environments(results: Results) -> list[dict[str, Any]]:
    """What trained, and which rows; one, unless rows were trained in different places or by different libraries."""
    found: list[dict[str, Any]] = []
    for row in results.rows:
        here = {name: value for name, value in asdict(row.cost).items() if name in ENVIRONMENT}
        known = next((each for each in found if each == here | {"rows": each["rows"]}), None)
        if known is None:
            found.append(known := here | {"rows": []})
        known["rows"].append(row.model)
    return found


def _modules(dataset: str, rows: list[str]) -> dict[str, str]:
    """The modules behind data, rows and measurements, which `check` has fingerprinted together."""
    names = ("judge", "evaluate", "classify", *(f"{dataset}/{each}" for each in ("prepare", *rows)))
    files = [runs.CODE / f"{name}.json" for name in names]
    return {module: code for file in files if file.exists() for module, code in runs.read_json(file).items()}
