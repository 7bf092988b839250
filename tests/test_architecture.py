"""The structure of the package: which modules import which, where a library is used, and that code hashes are complete."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from aebench import code_hashes

ROOT = Path(__file__).parent.parent
LAYERS = [
    {"errors"},
    {"registry"},
    {"storage", "randomness", "statistics"},
    {"config"},
    {"code_hashes", "data", "objectives", "corruptions"},
    {"models", "classifiers"},
    {"training"},
    {"evaluation"},
    {"studies", "papers"},
    {"reporting"},
    {"estimators"},
    {"tracking"},
    {"testing"},
    {"pipeline", "scaffold"},
    {"cli"},
]
"""A module imports only from lower layers and from its own part."""
OWNERS = {
    "mlflow": {"aebench/tracking/"},
    "ruamel": {"aebench/storage/yaml_files.py"},
    "yaml": set(),
    "pickle": set(),
    "matplotlib": {"aebench/reporting/"},
    "jinja2": {"aebench/reporting/"},
    "pooch": {"aebench/data/"},
    "typer": {"aebench/cli.py"},
    "dvc": {"aebench/pipeline/dvc_"},
    "distributed": {"aebench/pipeline/cluster.py", "aebench/pipeline/worker.py"},
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
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def part(module):
    """The part in LAYERS to which a module of aebench belongs."""
    return module.split(".")[1]


def modules():
    """Map each module of aebench to the modules that it imports."""
    names = {path.removesuffix(".py").replace("/", ".").removesuffix(".__init__"): tree for path, tree in trees().items()}
    return {name: set(imported(tree)) for name, tree in names.items() if name.startswith("aebench.")}


def test_every_part_belongs_to_a_layer():
    assert {part(module) for module in modules()} == set().union(*LAYERS)


def test_the_top_level_has_at_most_twenty_three_entries():
    assert len({part(module) for module in modules()}) <= 23


def test_modules_import_only_from_lower_layers():
    layer = {name: i for i, names in enumerate(LAYERS) for name in names}
    wrong = []
    for module, names in modules().items():
        for name in names:
            if name.split(".")[0] == "stages":
                wrong.append((module, name))
            if name.startswith("aebench."):
                importing_part, imported_part = part(module), part(name)
                if importing_part != imported_part and layer[imported_part] >= layer[importing_part]:
                    wrong.append((module, name))
    assert not wrong


@pytest.mark.parametrize("package", OWNERS)
def test_a_library_is_imported_only_by_its_owner(package):
    users = {path for path, tree in trees().items() if any(name.split(".")[0] == package for name in imported(tree))}
    assert all(any(user.startswith(owner) for owner in OWNERS[package]) for user in users), users


def test_only_the_module_randomness_sets_seeds():
    for path, tree in trees().items():
        called = {n.func.attr for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)}
        assert path == "aebench/randomness.py" or not called & SEEDING, path


def test_no_code_branches_on_the_name_of_a_model():
    from aebench.models import MODELS

    for path, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Compare):
                texts = {n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
                assert not texts & set(MODELS), f"{path}:{node.lineno}"


@pytest.mark.parametrize("path", sources(), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_files_and_functions_stay_short(path):
    limit = {"models": 80, "stages": 25}.get(path.parent.name, 350)
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
    """Every module that Python imports is hashed, and heavy libraries are imported only by the stages that need them."""
    import json

    done = subprocess.run(
        [sys.executable, "-c", IMPORTS, f"stages.{stage}"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(json.loads(done.stdout))
    ours = {name for name in loaded if name.startswith(("aebench", "stages"))}
    assert ours <= set(code_hashes.code_hashes(f"stages.{stage}"))
    assert "mlflow" not in loaded
    if stage in ("prepare", "report", "index", "track"):
        assert "torch" not in loaded


def test_code_hashes_do_not_depend_on_fields_that_other_versions_of_python_add(monkeypatch):
    """Python 3.12 added `type_params`, an empty list."""
    tree = ast.parse("def f(x: int = 0) -> None: return x")
    before = code_hashes._text(tree)
    monkeypatch.setattr(ast.FunctionDef, "_fields", (*ast.FunctionDef._fields, "later"))
    tree.body[0].later = []
    assert code_hashes._text(tree) == before
    tree.body[0].later = [ast.Pass()]
    assert code_hashes._text(tree) != before


def test_code_hashes_follow_imports_inside_functions(tmp_path, monkeypatch):
    write_package(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    assert set(code_hashes.code_hashes("toy.a")) == {"toy", "toy.a", "toy.b", "toy.c"}


@pytest.mark.parametrize(
    ("file", "text", "changes"),
    [
        ("c.py", "VALUE = 2\n", True),
        ("c.py", "# why\nVALUE = 1  # because\n", False),
        ("c.py", 'VALUE = 1\n"""What it is."""\n', False),
        ("b.py", 'def f():\n    """Another docstring."""\n    from . import c\n    return c.VALUE\n', False),
        ("a.py", 'from toy import b\nR = Registry("g", {"x": "m:X", "y": "m:Y"})\n', False),
        ("a.py", 'from toy import b\nR = Registry("other", {"x": "m:X"})\n', True),
        ("unused.py", "VALUE = 2\n", False),
    ],
)
def test_code_hashes_change_with_code_but_not_with_comments_or_registry_tables(tmp_path, monkeypatch, file, text, changes):
    write_package(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    before = code_hashes.code_hashes("toy.a")
    (tmp_path / "toy" / file).write_text(text)
    code_hashes._code.cache_clear()
    assert (code_hashes.code_hashes("toy.a") != before) == changes


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
    code_hashes._code.cache_clear()
    code_hashes._file.cache_clear()
    for name in [n for n in sys.modules if n.partition(".")[0] == "toy"]:
        del sys.modules[name]
