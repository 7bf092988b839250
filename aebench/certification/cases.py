"""Which blocks a name means: small blocks of a kind, or the rows of a data set.

A chapter has a block here for each of its branches; a kind of another package is certified with the blocks of conf/*.yaml
that name it, or else with a guess at what its parameters ask for.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from aebench import models, params
from aebench.errors import unknown

DEEP = {"hidden": [16], "code": 4}
EXAMPLES: dict[str, dict[str, Any]] = {
    "mean_image": {},
    "raw_pixels": {},
    "random_encoder": DEEP,
    "pca": {"code": 4},
    "vanilla": DEEP,
    "vanilla/bernoulli": DEEP | {"loss": "bernoulli"},
    "vanilla/linear": {"code": 4, "output": "linear"},
    "vanilla/deep_tied": {"hidden": [16, 8], "code": 4, "tied": True, "activation": "tanh", "start": "uniform"},
    "denoising": DEEP | {"corruption": 0.3},
    "denoising/subset_masking": DEEP | {"noise": "subset_masking", "corruption": 0.3},
    "denoising/dropout": DEEP | {"noise": "dropout", "corruption": 0.3},
    "denoising/gaussian": DEEP | {"noise": "gaussian", "corruption": 0.3, "loss": "bernoulli"},
    "denoising/salt_and_pepper": DEEP | {"noise": "salt_and_pepper", "corruption": 0.3, "tied": True},
    "denoising/schedule": DEEP | {"noise": "dropout", "corruption": 0.1, "initial_corruption": 0.7},
    "sparse": {"code": 16, "weight": 0.1, "tied": True},
    "sparse/l1_relu": {"code": 16, "weight": 0.1, "penalty": "l1", "code_activation": "relu"},
    "sparse/l1_softplus": {"hidden": [16], "code": 16, "weight": 0.1, "penalty": "l1", "code_activation": "softplus"},
    "contractive": {"code": 16, "weight": 0.1},
    "contractive/softplus": {"code": 16, "weight": 0.1, "code_activation": "softplus", "tied": False},
    "contractive/exact": DEEP | {"weight": 0.1, "jacobian": "exact", "activation": "tanh"},
    "contractive/exact_relu": DEEP | {"weight": 0.1, "jacobian": "exact", "code_activation": "linear"},
    "contractive/hutchinson": DEEP | {"weight": 0.1, "jacobian": "hutchinson", "probes": 3},
    "stacked": {
        "layers": [
            {"pretrainer": "dae", "code": 16, "code_activation": "sigmoid", "corruption": 0.3},
            {"pretrainer": "ae", "code": 4},
        ]
    },
    "stacked/three": {
        "layers": [
            {"pretrainer": "cae", "code": 16, "weight": 0.1, "loss": "bernoulli"},
            {"pretrainer": "sae", "code": 8, "weight": 0.1},
            {"pretrainer": "ae", "code": 4, "output": "linear", "tied": True},
        ]
    },
    "variational": DEEP,
    "variational/gaussian": DEEP | {"observation": "gaussian", "variance": 0.2, "beta": 2.0},
    "variational/learnt_variance": DEEP | {"observation": "gaussian", "variance": "learnt"},
    "variational/three_draws": DEEP | {"samples": 3, "activation": "softplus"},
    "variational/warm_up": DEEP | {"warm_up": 0.5},
    "variational/iwae": DEEP | {"bound": "iwae", "samples": 3},
    "variational/iwae_gaussian": DEEP | {"bound": "iwae", "samples": 3, "observation": "gaussian", "warm_up": 0.5},
}
"""By kind, or kind/variant."""
GUESSES = {"hidden": [16], "code": 4, "weight": 0.1}
"""What is tried of a kind that no block is known of: those of these that its parameters require."""


class Case(NamedTuple):
    """A block, its name in the certificate's table, and where it was written."""

    name: str
    block: dict[str, Any]
    path: str


def cases(names: Sequence[str]) -> list[Case]:
    """What `names` mean, without repetition: kinds, variants, rows or <data set>:<row>; none: every kind there is."""
    kinds = {block["kind"]: None for _, block, _ in _rows(_datasets()) if "kind" in block}
    found = [case for name in names or [*models.MODELS, *kinds] for case in _named(name)]
    return list({case.name: case for case in found}.values())


def _named(name: str) -> list[Case]:
    examples = [key for key in EXAMPLES if name in (key, key.partition("/")[0])]
    if examples:
        return [Case(key, {"kind": key.partition("/")[0]} | EXAMPLES[key], key) for key in examples]
    if name in models.MODELS or (":" in name and name.partition(":")[0] not in _datasets()):
        return [case for case in _rows(_datasets()) if case.block.get("kind") == name] or [_guess(name)]
    rows = _rows([name.partition(":")[0]] if ":" in name else params.suite().datasets)
    known = [(case.name if ":" in name else case.name.partition(":")[2], case) for case in rows]
    found = [case for row, case in known if row == name]
    if not found:
        raise unknown("a name to certify", name, {*models.MODELS, *(row for row, _ in known)})
    return found


def _datasets() -> list[str]:
    return sorted(file.stem for file in params.CONF.glob("*.yaml"))


def _rows(datasets: Sequence[str]) -> Iterator[Case]:
    for dataset in datasets:
        conf = params.dataset(dataset)
        for row, block in conf.rows.items():
            yield Case(f"{dataset}:{row}", block, f"{params.conf_file(dataset)}:{conf.part(row)}.{row}")


def _guess(kind: str) -> Case:
    fields = models.MODELS.find(kind, "a name to certify").Params.model_fields
    required = {name: value for name, value in GUESSES.items() if name in fields and fields[name].is_required()}
    return Case(kind, {"kind": kind} | required, kind)
