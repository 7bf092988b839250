"""Check every parameter before anything runs, and note which code is behind each stage and row: runs/code/."""

import sys

from aebench import data, fingerprints, models, params, runs
from aebench.errors import InputError, one_line
from aebench.representation import Evaluation


def main() -> None:
    """`python -m stages.check`."""
    wanted = params.suite()
    code = {stage: fingerprints.of_stage(stage) for stage in fingerprints.STAGES}
    for dataset in wanted.datasets:
        check(dataset, wanted)
        code |= {f"{dataset}/{name}": found for name, found in fingerprints.of_dataset(dataset, wanted.rows).items()}
    for name, content in code.items():
        runs.write_json(runs.CODE / f"{name}.json", content)
    print(f"parameters are sound: {len(wanted.rows)} models on {', '.join(wanted.datasets)}", file=sys.stderr)


def check(dataset: str, wanted: params.Suite) -> None:
    """An error if a block of the data set's parameters is wrong."""
    path, conf = params.conf_file(dataset), params.dataset(dataset)
    params.check(Evaluation, conf.evaluation, f"{path}:evaluation")
    data.check(conf.data, f"{path}:data")
    for row, block in params.rows(dataset, wanted).items():
        part, where = conf.part(row), f"{path}:{conf.part(row)}.{row}"
        kind = models.find(block, where)
        if part == "stacks" and not hasattr(kind, "pretrain"):
            raise InputError(f"{where}.kind must be a model that is pretrained layer by layer, got {block['kind']}")
        params.check(kind.Params, block, where)
        params.training(conf, block, f"{where}.training")


if __name__ == "__main__":
    with one_line():
        main()
