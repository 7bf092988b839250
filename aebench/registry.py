"""Lazy registries of models, data sources and metrics.

A registry maps a name to `"module:attribute"` and imports the object on use, so that listing names is cheap. Other packages
register names through an entry point of the registry's group, e.g. in their pyproject.toml:

    [project.entry-points."aebench.models"]
    mine = "my_package.mine:MyAutoencoder"

A name of the form `module:attribute` needs no entry.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib.metadata import entry_points
from pkgutil import resolve_name
from typing import Any

from aebench.errors import InputError, unknown

CONTRACTS = {
    "aebench.models": ("Settings", "latent_dim", "encode", "decode", "draw", "terms", "fit"),
    "aebench.datasets": ("model_fields", "read"),
}
"""Group -> attributes that each of its classes must have."""


def is_plugin(kind: type) -> bool:
    """Whether a class is of another package."""
    return kind.__module__.partition(".")[0] != __name__.partition(".")[0]


class Registry(Mapping[str, Any]):
    """A lazy mapping from names to objects; a built-in name takes precedence over a plug-in's."""

    def __init__(self, group: str, builtin: dict[str, str]):
        self.group = group
        self._builtin = builtin

    @cached_property
    def targets(self) -> dict[str, str]:
        """Mapping from names to "module:attribute"; imports nothing."""
        return {e.name: e.value for e in entry_points(group=self.group)} | self._builtin

    @property
    def notes(self) -> list[str]:
        """One line for each plug-in that is ignored because its name is built in."""
        clashes = [e for e in entry_points(group=self.group) if e.name in self._builtin]
        return [f"{e.value} is ignored: the name {e.name} of {self.group} is built in" for e in clashes]

    def __getitem__(self, name: str) -> Any:
        target = self.targets.get(name, name)
        if ":" not in target:
            raise KeyError(name)
        return resolve_name(target)

    def __contains__(self, name: object) -> bool:
        """Return whether `name` is registered; imports nothing."""
        return name in self.targets

    def __iter__(self) -> Iterator[str]:
        return iter(self.targets)

    def __len__(self) -> int:
        return len(self.targets)

    def find(self, name: str, path: str) -> Any:
        """Return the object called `name`, with the attributes required by its group; `path` is where the name is written."""
        if name not in self and ":" not in name:
            raise unknown(path, name, self)
        try:
            target = self[name]
        except (ImportError, AttributeError, ValueError) as error:
            raise InputError(f"{path} must be a listed name or <module>:<class>, got '{name}': {error}") from None
        contract = CONTRACTS.get(self.group, ())
        if contract and not (isinstance(target, type) and all(hasattr(target, part) for part in contract)):
            raise InputError(f"{path} must be a class with {', '.join(contract)}, got '{name}'")
        return target
