"""Hashes of the code behind each number, which decide what must be run again.

DVC does not follow imports. Here they are followed in the syntax tree: the code of a stage is every module of the package
that its file imports, directly or indirectly; the code of a model also includes its own module. A file is hashed by its
syntax tree without docstrings, so changing a comment retrains nothing. The tables of `Registry(...)` are left out, so adding
an entry retrains nothing either.
"""

import ast
import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path


def code_hashes(*modules: str) -> dict[str, str]:
    """Hashes of the given modules and of all that they import from their own packages and from aebench, by module name."""
    packages = {module.partition(".")[0] for module in modules} | {"aebench"}
    hashes: dict[str, str] = {}
    queue = list(modules)
    while queue:
        module = queue.pop()
        if module.partition(".")[0] not in packages or module in hashes or (file := _file(module)) is None:
            continue
        tree = _tree(file)
        hashes[module] = hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:16]
        queue += [*_imports(tree, module, file.name == "__init__.py"), *_parents(module)]
    return dict(sorted(hashes.items()))


@cache
def _file(module: str) -> Path | None:
    try:
        spec = find_spec(module)
    except ModuleNotFoundError:
        return None
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None


@cache
def _tree(file: Path) -> ast.Module:
    return _Stripped().visit(ast.parse(file.read_text()))


def _parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:i]) for i in range(1, len(parts))]


def _imports(tree: ast.Module, module: str, is_package: bool) -> list[str]:
    """The names that `tree` imports. `from a import b` gives a and a.b, which need not be a module."""
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


class _Stripped(ast.NodeTransformer):
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
