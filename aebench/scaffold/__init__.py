"""Create a new model: a short, complete module that passes the model checks, and its entry in conf/<dataset>.yaml.

The entry refers to the class directly, `kind: aebench.models.<name>:<Class>`, so no other file changes.
"""

import re
from keyword import iskeyword
from pathlib import Path
from string import Template

from aebench import config
from aebench.config import edit
from aebench.errors import InputError, check_names, unknown
from aebench.storage import RESERVED_MODELS

MODELS = Path(__file__).parent.parent / "models"
TEMPLATE = Path(__file__).parent / "model.py.txt"
SETTINGS = {"latent_dim": 8, "weight": 0.01}


def new_model(name: str, dataset: str) -> Path:
    """Write aebench/models/<name>.py and add its settings to conf/<dataset>.yaml. Returns the path of the module.

    Raises `InputError`, before anything is written, for an invalid or used name and an unknown data set.
    """
    class_name = "".join(part.capitalize() for part in name.split("_"))
    template = TEMPLATE.read_text()
    taken = re.search(rf"\b{class_name}\b", template) or iskeyword(class_name)
    if not re.fullmatch("[a-z][a-z0-9_]*", name) or iskeyword(name) or taken:
        raise InputError(f"NAME must be a lower-case Python name that is not in use, such as my_model, got {name!r}")
    check_names([name], "NAME", RESERVED_MODELS)
    _check_new(name, dataset)
    file = MODELS / f"{name}.py"
    file.write_text(Template(template).substitute(name=class_name, title=name.replace("_", " ").capitalize()))
    edit.add_model(dataset, name, {"kind": f"aebench.models.{name}:{class_name}"} | SETTINGS)
    return file


def _check_new(name: str, dataset: str) -> None:
    from aebench.models import MODELS as KINDS

    datasets = sorted(file.stem for file in config.CONF.glob("*.yaml"))
    if not datasets:
        raise InputError(f"aebench new-model must be run in the project's folder, got {Path.cwd()} without {config.CONF}")
    if dataset not in datasets:
        raise unknown("--dataset", dataset, datasets)
    used = {"aebench/models": [*KINDS, *(file.stem for file in MODELS.iterdir())]}
    used |= {f"conf/{other}.yaml": config.dataset(other).all_models for other in datasets}
    for location, names in used.items():
        if name in names:
            raise InputError(f"NAME must be new, got {name!r}, which already exists in {location}")
