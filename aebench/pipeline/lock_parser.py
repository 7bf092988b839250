"""Parse dvc.lock with libyaml, in a tenth of the time of ruamel.yaml, and write it as DVC does.

PyYAML, which wraps libyaml, follows YAML 1.1, in which `1e-5` and `010` are other values and `on` is true. Here it uses the
rules of ruamel.yaml, with which DVC reads and writes dvc.lock.
"""

from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.resolver import Resolver

from aebench import storage


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    yaml_implicit_resolvers = Resolver.yaml_implicit_resolvers
    resolver = SimpleNamespace(processing_version=(1, 2))  # for the constructor of integers

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        mapping = super().construct_mapping(node, deep)
        if len(mapping) < len(node.value):
            raise yaml.constructor.ConstructorError(problem="duplicate key", problem_mark=node.start_mark)
        return mapping


_Loader.add_constructor("tag:yaml.org,2002:int", SafeConstructor.construct_yaml_int)


def parse(text: str) -> Any:
    """Return what `ruamel.yaml.YAML(typ="safe")` returns; None if there is an error, which ruamel.yaml then names."""
    try:
        return deepcopy(_parse(text))
    except yaml.YAMLError:
        return None


def read(file: Path) -> dict[str, Any]:
    """Return what `storage.read_yaml` returns; its errors are raised, too."""
    try:
        document = parse(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        document = None
    return document if isinstance(document, dict) else storage.read_yaml(file)


def write(file: Path, document: dict[str, Any]) -> None:
    """Write a mapping in DVC's format."""
    dumper = YAML()
    dumper.default_flow_style = False
    with storage.atomic_write(file) as partial:
        dumper.dump(document, partial)


@lru_cache(maxsize=4)
def _parse(text: str) -> Any:
    """Parse a document once; each caller gets a copy of its own."""
    return yaml.load(text, _Loader)  # nosec B506 # a subclass of CSafeLoader
