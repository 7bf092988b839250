"""Names that open onto code: the tables of contents of models, data sources and metrics.

A registry maps a name to `"module:attribute"` and imports it on demand, so that listing names costs nothing. Another
package adds its own names through an entry point of the registry's group, e.g. in its pyproject.toml:

    [project.entry-points."aebench.models"]
    mine = "my_package.mine:MyAutoencoder"
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from aebench.errors import unknown


class Registry(Mapping[str, Any]):
    """A lazy mapping from names to objects; built-in names win over plugged-in ones."""

    def __init__(self, group: str, builtin: dict[str, str]):
        self.group = group
        self._builtin = builtin

    @cached_property
    def targets(self) -> dict[str, str]:
        """Name -> "module:attribute", nothing imported."""
        return {e.name: e.value for e in entry_points(group=self.group)} | self._builtin

    def __getitem__(self, name: str) -> Any:
        if name not in self.targets:
            raise KeyError(name)
        module, _, attribute = self.targets[name].partition(":")
        return getattr(import_module(module), attribute)

    def __iter__(self) -> Iterator[str]:
        return iter(self.targets)

    def __len__(self) -> int:
        return len(self.targets)

    def find(self, name: str, path: str) -> Any:
        """The object called `name`; `path` says where the name was written, for the error."""
        if name not in self.targets:
            raise unknown(path, name, self.targets)
        return self[name]
