"""What a stage uses of a machine or of a worker of a cluster: `meta` in dvc.yaml.

    meta: {prefers: {gpu: 1}}              a GPU if there is one, otherwise none
    meta: {resources: {gpu: 1, cores: 2}}  requires a GPU: without one, the stage fails

A stage prefers no GPU if its settings say `device: cpu`. DVC ignores `meta`: stages that have run stay valid if it changes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from aebench.errors import InputError
from aebench.storage import read_yaml

CORES, GPU = "cores", "gpu"
BLOCKS = ("training", "compute")
"""Blocks of conf/<dataset>.yaml with a device, which is `auto` unless it is set."""
Amounts = Mapping[str, float]
"""Maps resources to amounts."""
Params = Iterable[tuple[str, Sequence[str]]]
"""Files with settings that a stage depends on, each with the keys of the settings."""


def needs(meta: Mapping[str, Any], params: Params, offers: Sequence[Amounts]) -> dict[str, float]:
    """The `resources` of a stage, and each of those that it `prefers` if one of the offers has it in addition."""
    needed = dict(meta.get("resources", {}))
    for name, amount in meta.get("prefers", {}).items():
        if covered(wanted := needed | {name: amount}, offers) and not (name == GPU and computes_on_cpu(params)):
            needed = wanted
    return needed


def covered(needed: Amounts, offers: Iterable[Amounts]) -> bool:
    """Whether one of the offers has all that is needed; cores do not count, because a stage can do with fewer."""
    return any(all(offer.get(name, 0) >= amount for name, amount in needed.items() if name != CORES) for offer in offers)


def lacking(owner: str, needed: Amounts, offers: Iterable[Amounts]) -> InputError:
    """The error that no `owner`, such as a worker, offers what a stage needs."""
    given = sorted({_text(offer) or "none" for offer in offers})
    return InputError(f"the resources of {owner} must include {_text(needed)}, got {' or '.join(given)}")


def computes_on_cpu(params: Params) -> bool:
    """Whether `device` is cpu wherever it occurs in the settings."""
    devices: set[str] = set()
    for file, keys in params:
        document = read_yaml(Path(file))
        for key in keys:
            block: Any = document
            for part in key.split("."):
                block = block.get(part) if isinstance(block, Mapping) else None
            devices |= set(_devices({"device": "auto"} | (block or {}) if key in BLOCKS else block))
    return devices == {"cpu"}


def _text(amounts: Amounts) -> str:
    return ", ".join(f"{name} {amount:g}" for name, amount in amounts.items() if amount and name != CORES)


def _devices(settings: Any) -> Iterator[str]:
    if isinstance(settings, Mapping):
        for name, value in settings.items():
            yield from [value] if name == "device" else _devices(value)
    elif isinstance(settings, list):
        for value in settings:
            yield from _devices(value)
