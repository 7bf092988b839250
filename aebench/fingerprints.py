"""Which code is behind which number: what `check` writes to runs/code/, and what `aebench verify` compares with dvc.lock."""

from aebench import data, models, params, provenance
from aebench.metrics import PLUGGED

STAGES = ("judge", "classify", "certify", "report", "index", "track", "evaluate")
"""Those whose code is the same for every data set."""
MEASURING = ("evaluate",)
"""Those that run the metrics of other packages, too."""
TRAINING = {"models": ["stages.train"], "stacks": ["stages.pretrain", "stages.finetune"]}
"""The stages that make the weights of a row."""
PREPARE = "prepare"


def of_stage(stage: str) -> dict[str, str]:
    """The code behind a stage of STAGES."""
    plugged = [target.partition(":")[0] for target in PLUGGED.targets.values()] if stage in MEASURING else []
    return provenance.fingerprint(f"stages.{stage}", *plugged)


def of_dataset(dataset: str, rows: list[str]) -> dict[str, dict[str, str]]:
    """The code behind the data set's images, as `prepare`, and behind each of its rows, which conf/<dataset>.yaml must have."""
    path, conf = params.conf_file(dataset), params.dataset(dataset)
    source = data.check(conf.data, f"{path}:data")
    modules = {PREPARE: ("stages.prepare", type(source).__module__)}
    for row in rows:
        part = conf.part(row)
        kind = models.find(conf.rows[row], f"{path}:{part}.{row}")
        modules[row] = (*TRAINING[part], kind.__module__)
    code = {each: provenance.fingerprint(*each) for each in set(modules.values())}
    return {name: code[each] for name, each in modules.items()}
