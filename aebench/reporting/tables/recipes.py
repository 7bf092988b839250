"""How each model was trained: settings, epochs, environment, and the command that reproduces it."""

import json
from typing import Any

from aebench.reporting.results import Results
from aebench.reporting.tables.columns import Column, models, span, threads

COUNTS = {"epochs": "epochs", "best epoch": "best", "updates": "updates"}
"""Head -> field of `Cost` with one number per seed."""


def columns(results: Results) -> list[Column]:
    """One row per model."""
    costs = [model.cost for model in results.models]
    stages = [f"evaluate{'_stack' * model.pretrained}@{results.dataset}-{model.name}" for model in results.models]
    return [
        models(results),
        Column("settings", [_flow(model.settings) for model in results.models]),
        Column("facts", [_flow(cost.facts) for cost in costs]),
        Column("command", [f"dvc repro {stage}" for stage in stages]),
        *(Column(head, [span(getattr(cost, field)) for cost in costs]) for head, field in COUNTS.items()),
        Column("device", [threads(cost) for cost in costs]),
        Column("processor", [", ".join(filter(None, (cost.processor, cost.blas))) for cost in costs]),
        Column("versions", [", ".join(f"{name} {cost.versions[name]}" for name in sorted(cost.versions)) for cost in costs]),
    ]


def _flow(block: dict[str, Any]) -> str:
    """A block of settings on one line, as in YAML, without outer braces and quotes."""
    return json.dumps(block, ensure_ascii=False).replace('"', "")[1:-1]
