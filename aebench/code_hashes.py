"""Hashes of the code each result depends on; they determine what is rerun.

DVC does not follow imports. Here they are followed in the syntax tree: the code of a stage is every module of the package
that its file imports, directly or indirectly; the code of a model also includes its own module. A file is hashed by its
syntax tree without docstrings, so changing a comment or docstring does not cause retraining. The tables of `Registry(...)`
are excluded, so neither does adding an entry.
"""

import ast
import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def code_hashes(*modules: str) -> dict[str, str]:
    """Return hashes, by module name, of `modules` and of all they import from their own packages and from aebench."""
    packages = {module.partition(".")[0] for module in modules} | {"aebench"}
    hashes: dict[str, str] = {}
    queue = list(modules)
    while queue:
        module = queue.pop()
        if module.partition(".")[0] not in packages or module in hashes or (file := _file(module)) is None:
            continue
        hashes[module], imported = _code(file, module)
        queue += [*imported, *_parents(module)]
    return dict(sorted(hashes.items()))


@cache
def _file(module: str) -> Path | None:
    try:
        spec = find_spec(module)
    except ModuleNotFoundError:
        return None
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None


@cache
def _code(file: Path, module: str) -> tuple[str, list[str]]:
    """Return the hash of a module and the names that it imports."""
    tree = _Stripped().visit(ast.parse(file.read_text()))
    return hashlib.sha256(_text(tree).encode()).hexdigest()[:16], _imports(tree, module, file.name == "__init__.py")


def _text(node: Any) -> str:
    """Return a syntax tree as text, without empty fields: newer versions of Python have more of them."""
    if isinstance(node, list):
        return f"[{', '.join(map(_text, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = (f"{name}={_text(value)}" for name, value in ast.iter_fields(node) if value is not None and value != [])
    return f"{type(node).__name__}({', '.join(fields)})"


def _parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:i]) for i in range(1, len(parts))]


def _imports(tree: ast.Module, module: str, is_package: bool) -> list[str]:
    """Return the names that `tree` imports. `from a import b` gives a and a.b, which need not be a module."""
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
    """A transformer that removes docstrings, also those below assignments, and the tables of registries."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        """Remove a statement that is only a string."""
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_text else self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Replace `Registry(group, table)` by `Registry(group)`."""
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "Registry":
            node.args = node.args[:1]
        return node
