"""The checks of the settings before a run.

DVC removes the outputs of a stage before it runs, including those of `check`, even if it then fails.

Settings that have passed are not checked again until a file in conf/, params.yaml or the code changes.
"""

import hashlib
import json
from pathlib import Path

import aebench
from aebench.config import CONF, SUITE_FILE, Suite
from aebench.storage import atomic_write

PASSED = Path(".dvc/tmp/checked")
"""A hash of the settings and the code that have passed."""


def check(suite: Suite, on_cluster: bool) -> None:
    """Raise `InputError` if a setting is invalid or, on this machine, a device is missing."""
    current = _fingerprint(on_cluster)
    if PASSED.exists() and PASSED.read_bytes() == current.encode():
        return
    from aebench.pipeline import checks

    checks.check_settings(suite)
    if not on_cluster:
        checks.check_devices(suite)
    if not PASSED.parents[1].is_dir():  # not a DVC project: do not create .dvc in it
        return
    with atomic_write(PASSED) as partial:
        partial.write_text(current)


def _fingerprint(on_cluster: bool) -> str:
    settings = [
        (str(file), hashlib.sha256(file.read_bytes()).hexdigest()) for file in [SUITE_FILE, *sorted(CONF.rglob("*.yaml"))]
    ]
    files = sorted(Path(aebench.__file__).parent.rglob("*.py"))
    code = [(str(file), file.stat().st_mtime_ns, file.stat().st_size) for file in files]
    return hashlib.sha256(json.dumps([settings, code, on_cluster]).encode()).hexdigest()
