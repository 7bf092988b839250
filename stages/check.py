"""Check every parameter before anything runs, and note which code is behind each stage and row: runs/code/."""

import sys

from aebench import data, models, params, provenance, runs
from aebench.errors import InputError, one_line
from aebench.metrics import PLUGGED
from aebench.representation import Evaluation

STAGES = ("judge", "classify", "certify", "report", "index", "track")
TRAINING = {"models": ["stages.train"], "stacks": ["stages.pretrain", "stages.finetune"]}
"""The stages that make the weights of a row."""


def main() -> None:
    """`python -m stages.check`."""
    wanted = params.suite()
    code = {f"{stage}.json": provenance.fingerprint(f"stages.{stage}") for stage in STAGES}
    plugged = [target.partition(":")[0] for target in PLUGGED.targets.values()]
    code["evaluate.json"] = provenance.fingerprint("stages.evaluate", *plugged)
    for dataset in wanted.datasets:
        code |= check(dataset, wanted)
    for name, content in code.items():
        runs.write_json(runs.CODE / name, content)
    print(f"parameters are sound: {len(wanted.rows)} models on {', '.join(wanted.datasets)}", file=sys.stderr)


def check(dataset: str, wanted: params.Suite) -> dict[str, dict]:
    """The code behind the data set and each of its rows; an error if a block of them is wrong."""
    path, conf = params.conf_file(dataset), params.dataset(dataset)
    params.check(Evaluation, conf.evaluation, f"{path}:evaluation")
    source = data.check(conf.data, f"{path}:data")
    code = {f"{dataset}/prepare.json": provenance.fingerprint("stages.prepare", type(source).__module__)}
    for row, block in params.rows(dataset, wanted).items():
        part, where = conf.part(row), f"{path}:{conf.part(row)}.{row}"
        kind = models.find(block, where)
        if part == "stacks" and not hasattr(kind, "pretrain"):
            raise InputError(f"{where}.kind must be a model that is pretrained layer by layer, got {block['kind']}")
        params.check(kind.Params, block, where)
        params.training(conf, block, f"{where}.training")
        code[f"{dataset}/{row}.json"] = provenance.fingerprint(*TRAINING[part], kind.__module__)
    return code


if __name__ == "__main__":
    with one_line():
        main()
