"""Which code made a number: fingerprints that decide what reruns.

DVC does not follow imports, so a list of code dependencies kept by hand goes stale in silence. Here the syntax tree is
followed: the code behind a stage is every module of the package that its file imports, directly or through others, and
behind a row also its chapter. Each file counts by its syntax tree without docstrings, so a comment retrains nothing; the
tables of `Registry(...)` do not count, so a new line in one retrains nothing either.
"""

import ast
import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path


def fingerprint(*modules: str) -> dict[str, str]:
    """Module -> hash of its code, for the modules and all they import from their own packages and from aebench."""
    roots = {module.partition(".")[0] for module in modules} | {"aebench"}
    found: dict[str, str] = {}
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module.partition(".")[0] not in roots or module in found or (file := _file(module)) is None:
            continue
        tree = _tree(file)
        found[module] = hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:16]
        waiting += [*_imports(tree, module, file.name == "__init__.py"), *_parents(module)]
    return dict(sorted(found.items()))


@cache
def _file(module: str) -> Path | None:
    try:
        spec = find_spec(module)
    except ModuleNotFoundError:
        return None
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None


@cache
def _tree(file: Path) -> ast.Module:
    return _Bare().visit(ast.parse(file.read_text()))


def _parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:i]) for i in range(1, len(parts))]


def _imports(tree: ast.Module, module: str, is_package: bool) -> list[str]:
    """Names that `tree` imports; `from a import b` gives both a and a.b, of which only modules are found."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parts = module.split(".")
            base = parts[: len(parts) - node.level + is_package] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            names += [source, *(f"{source}.{alias.name}" for alias in node.names)]
    return names


class _Bare(ast.NodeTransformer):
    """Removes docstrings and the tables of registries."""

    def _strip(self, node: ast.AST) -> ast.AST:
        self.generic_visit(node)
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
        return node

    visit_Module = visit_ClassDef = visit_FunctionDef = visit_AsyncFunctionDef = _strip

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """`Registry(group, table)` -> `Registry(group)`."""
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "Registry":
            node.args = node.args[:1]
        return node
