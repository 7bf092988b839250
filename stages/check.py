"""Check every parameter before anything runs, and note which code is behind each stage and row: runs/code/."""

import sys

from aebench import data, models, params, provenance, runs
from aebench.errors import one_line
from aebench.representation import Evaluation

STAGES = ("evaluate", "report", "index", "track")


def main() -> None:
    """`python -m stages.check`."""
    wanted = params.suite()
    code = {f"{stage}.json": provenance.fingerprint(f"stages.{stage}") for stage in STAGES}
    for dataset in wanted.datasets:
        code |= check(dataset, wanted)
    for name, content in code.items():
        runs.write_json(runs.CODE / name, content)
    print(f"parameters are sound: {len(wanted.models)} models on {', '.join(wanted.datasets)}", file=sys.stderr)


def check(dataset: str, wanted: params.Suite) -> dict[str, dict]:
    """The code behind the data set and each of its rows; an error if a block of them is wrong."""
    path, conf = params.conf_file(dataset), params.dataset(dataset)
    params.check(Evaluation, conf.evaluation, f"{path}:evaluation")
    source = data.check(conf.data, f"{path}:data")
    code = {f"{dataset}/prepare.json": provenance.fingerprint("stages.prepare", type(source).__module__)}
    for model, block in params.rows(dataset, wanted).items():
        kind = models.find(block, f"{path}:models.{model}")
        params.check(kind.Params, block, f"{path}:models.{model}")
        params.training(conf, block, f"{path}:models.{model}.training")
        code[f"{dataset}/{model}.json"] = provenance.fingerprint("stages.train", kind.__module__)
    return code


if __name__ == "__main__":
    with one_line():
        main()
