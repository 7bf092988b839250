"""The models that `aebench check-model` checks."""

from aebench import config
from aebench.errors import InputError, did_you_mean
from aebench.models import MODELS


def named(names: list[str]) -> list[tuple[str, dict, str]]:
    """Name, settings and path of the settings of each model selected by `names`; a kind selects all its models in conf/."""
    suite, known = config.suite(), {}
    for dataset in dict.fromkeys([*suite.datasets, *sorted(path.stem for path in config.CONF.glob("*.yaml"))]):
        conf = config.dataset(dataset)
        for name, settings in conf.all_models.items():
            path = f"{config.conf_file(dataset)}:{conf.section_of(name)}.{name}"
            known[f"{dataset}:{name}"] = (f"{dataset}:{name}", settings, path)
    chosen = []
    for name in names or [f"{suite.datasets[0]}:{model}" for model in suite.all_models]:
        matches = [model for model in known.values() if name in (model[0], model[1]["kind"])]
        matches = matches or [model for model in known.values() if model[0].partition(":")[2] == name][:1]
        datasets = {key.partition(":")[0] for key in known}
        if not matches and name not in MODELS and (":" not in name or name.partition(":")[0] in datasets):
            hint = did_you_mean(name, sorted({*known, *MODELS, *(key.partition(":")[2] for key in known)}))
            raise InputError(f"a model to check must be a known name, got {name!r}{hint}; `aebench list` shows all names")
        MODELS.find(matches[0][1]["kind"] if matches else name, "a model to check")
        chosen += matches or [(name, {"kind": name}, name)]
    return chosen
