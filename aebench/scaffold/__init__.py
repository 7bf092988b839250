"""A new chapter to start from: a short, complete, certified model, and its row in one data set's parameters.

The row names the class itself, `kind: aebench.models.<name>:<Class>`, so that no other file changes.
"""

import re
from keyword import iskeyword
from pathlib import Path
from string import Template

from aebench import params
from aebench.errors import InputError, unknown

CHAPTERS = Path(__file__).parent.parent / "models"
TEMPLATE = Path(__file__).parent / "chapter.py.txt"
BLOCK = {"code": 8, "weight": 0.01}


def new_model(name: str, dataset: str) -> Path:
    """Write aebench/models/<name>.py, which is returned, and a row into conf/<dataset>.yaml; nothing if either cannot be."""
    title = "".join(part.capitalize() for part in name.split("_"))
    template = TEMPLATE.read_text()
    if not re.fullmatch("[a-z][a-z0-9_]*", name) or iskeyword(name) or re.search(rf"\b{title}\b", template) or iskeyword(title):
        raise InputError(f"NAME must be a lower-case Python name that is not taken, such as my_model, got {name!r}")
    _must_be_new(name, dataset)
    (CHAPTERS / f"{name}.py").write_text(Template(template).substitute(name=title, title=name.replace("_", " ").capitalize()))
    params.add_row(dataset, name, {"kind": f"aebench.models.{name}:{title}"} | BLOCK)
    return CHAPTERS / f"{name}.py"


def _must_be_new(name: str, dataset: str) -> None:
    from aebench.models import MODELS

    datasets = sorted(file.stem for file in params.CONF.glob("*.yaml"))
    if dataset not in datasets:
        raise unknown("--dataset", dataset, datasets)
    taken = {"aebench/models": [*MODELS, *(file.stem for file in CHAPTERS.iterdir())]}
    taken |= {f"conf/{other}.yaml": params.dataset(other).rows for other in datasets}
    for place, names in taken.items():
        if name in names:
            raise InputError(f"NAME must be new, got {name!r}, which is in {place}")
