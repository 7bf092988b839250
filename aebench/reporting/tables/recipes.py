"""How each model was trained: settings, epochs, environment, and the command that reproduces it."""

import json
from typing import Any

from aebench.reporting.results import Results
from aebench.reporting.tables.columns import Column, models, threads, value_range

COUNTS = {"epochs": "epochs", "best epoch": "best", "updates": "updates"}
"""Header -> field of `Cost`, which has one number per seed."""


def columns(results: Results) -> list[Column]:
    """Return the columns of the table, one row per model."""
    costs = [model.cost for model in results.models]
    stages = [f"evaluate{'_stack' * model.pretrained}@{results.dataset}-{model.name}" for model in results.models]
    return [
        models(results),
        Column("settings", [_flow(model.settings) for model in results.models]),
        Column("facts", [_flow(cost.facts) for cost in costs]),
        Column("command", [f"dvc repro {stage}" for stage in stages]),
        *(Column(header, [value_range(getattr(cost, field)) for cost in costs]) for header, field in COUNTS.items()),
        Column("device", [threads(cost) for cost in costs]),
        Column("processor", [", ".join(filter(None, (cost.processor, cost.blas))) for cost in costs]),
        Column("versions", [", ".join(f"{name} {cost.versions[name]}" for name in sorted(cost.versions)) for cost in costs]),
    ]


def _flow(settings: dict[str, Any]) -> str:
    """Return settings on one line, as in YAML, without outer braces and quotes."""
    return json.dumps(settings, ensure_ascii=False).replace('"', "")[1:-1]
