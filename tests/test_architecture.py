"""The shape of the house: who may import whom, who owns what, and that no stage's code can change unnoticed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from aebench import provenance

ROOT = Path(__file__).parent.parent
FLOORS = [
    {"errors"},
    {"registry"},
    {"params", "runs", "randomness", "parallel"},
    {"provenance", "data", "objectives", "corruptions", "lock"},
    {"models", "training", "probe", "judge", "fidelity", "logistic"},
    {"experiment"},
    {"stacking", "tuning"},
    {"finetuning"},
    {"representation"},
    {"metrics", "statistics", "downstream"},
    {"certification", "fingerprints"},
    {"warm", "records"},
    {"tracking", "reporting", "pipeline", "scaffold", "verification"},
    {"cli"},
]
"""An arrow goes down, never up; `models` and `training` share a floor and do not import each other."""
SIDEWAYS = {("runs", "randomness"), ("metrics", "statistics")}
OWNERS = {
    "mlflow": {"aebench/tracking.py"},
    "ruamel": {"aebench/params.py"},
    "yaml": set(),
    "pickle": set(),
    "matplotlib": {"aebench/reporting/"},
    "jinja2": {"aebench/reporting/"},
    "pooch": {"aebench/data/"},
    "typer": {"aebench/cli.py"},
    "dvc": set(),
}
SEEDING = {"manual_seed", "default_rng", "RandomState", "seed", "fork_rng", "set_rng_state"}


def sources():
    return sorted([*(ROOT / "aebench").rglob("*.py"), *(ROOT / "stages").glob("*.py")])


def trees():
    return {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text()) for path in sources()}


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ([f"{node.module}.{alias.name}" for alias in node.names] if node.module == "aebench" else [node.module])


def floor(part):
    return next((i for i, parts in enumerate(FLOORS) if part in parts), None)


def test_every_part_has_a_floor():
    parts = {path.relative_to(ROOT / "aebench").parts[0].removesuffix(".py") for path in (ROOT / "aebench").rglob("*.py")}
    assert parts - {"__init__"} == set().union(*FLOORS)


def test_imports_go_down_the_floors():
    wrong = []
    for path, tree in trees().items():
        if not path.startswith("aebench/") or path == "aebench/__init__.py":
            continue
        here = path.split("/")[1].removesuffix(".py")
        for name in imported(tree):
            if name == "stages" or name.startswith("stages."):
                wrong.append((path, name))
            if name.startswith("aebench."):
                there = name.split(".")[1]
                if there != here and floor(there) >= floor(here) and (here, there) not in SIDEWAYS:
                    wrong.append((path, name))
    assert not wrong


@pytest.mark.parametrize("package", OWNERS)
def test_a_package_is_imported_by_its_owner_alone(package):
    users = {path for path, tree in trees().items() if any(name.split(".")[0] == package for name in imported(tree))}
    assert all(any(user.startswith(owner) for owner in OWNERS[package]) for user in users), users


def test_only_randomness_seeds():
    for path, tree in trees().items():
        called = {n.func.attr for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)}
        assert path == "aebench/randomness.py" or not called & SEEDING, path


def test_no_branch_on_a_models_name():
    from aebench.models import MODELS

    for path, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Compare):
                texts = {n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
                assert not texts & set(MODELS), f"{path}:{node.lineno}"


@pytest.mark.parametrize("path", sources(), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_files_and_functions_stay_short(path):
    limit = {"models": 120, "stages": 60}.get(path.parent.name, 350)
    text = path.read_text()
    assert text.count("\n") <= limit
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < 60, node.name


STAGES = [path.stem for path in sorted((ROOT / "stages").glob("*.py")) if path.stem != "__init__"]
IMPORTS = """
import sys, json, importlib
importlib.import_module(sys.argv[1])
print(json.dumps(sorted(n for n in sys.modules if n.partition(".")[0] in ("aebench", "stages", "mlflow", "torch", "sklearn"))))
"""


@pytest.mark.parametrize("stage", STAGES)
def test_the_code_behind_a_stage_is_complete(stage):
    """What Python really imports is among the modules whose fingerprint the stage depends on; and nothing heavy is."""
    import json

    done = subprocess.run(
        [sys.executable, "-c", IMPORTS, f"stages.{stage}"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(json.loads(done.stdout))
    ours = {name for name in loaded if name.startswith(("aebench", "stages"))}
    assert ours <= set(provenance.fingerprint(f"stages.{stage}"))
    assert "mlflow" not in loaded
    if stage in ("prepare", "report", "index", "track"):
        assert "torch" not in loaded


def test_a_fingerprint_follows_imports_inside_functions(tmp_path, monkeypatch):
    write_package(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    assert set(provenance.fingerprint("toy.a")) == {"toy", "toy.a", "toy.b", "toy.c"}


@pytest.mark.parametrize(
    ("file", "text", "changes"),
    [
        ("c.py", "VALUE = 2\n", True),
        ("c.py", "# why\nVALUE = 1  # because\n", False),
        ("b.py", 'def f():\n    """Other words."""\n    from . import c\n    return c.VALUE\n', False),
        ("a.py", 'from toy import b\nR = Registry("g", {"x": "m:X", "y": "m:Y"})\n', False),
        ("a.py", 'from toy import b\nR = Registry("other", {"x": "m:X"})\n', True),
        ("unused.py", "VALUE = 2\n", False),
    ],
)
def test_a_fingerprint_changes_with_code_not_with_comments_or_tables(tmp_path, monkeypatch, file, text, changes):
    write_package(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    before = provenance.fingerprint("toy.a")
    (tmp_path / "toy" / file).write_text(text)
    provenance._tree.cache_clear()
    assert (provenance.fingerprint("toy.a") != before) == changes


def write_package(folder):
    files = {
        "__init__.py": "",
        "a.py": 'from toy import b\nR = Registry("g", {"x": "m:X"})\n',
        "b.py": "def f():\n    from . import c\n    return c.VALUE\n",
        "c.py": "VALUE = 1\n",
        "unused.py": "VALUE = 1\n",
    }
    for name, text in files.items():
        (folder / "toy").mkdir(exist_ok=True)
        (folder / "toy" / name).write_text(text)
    provenance._tree.cache_clear()
    provenance._file.cache_clear()
    for name in [n for n in sys.modules if n.partition(".")[0] == "toy"]:
        del sys.modules[name]
