"""A stage reads only its `deps` and `params` in dvc.yaml.

Two projects, `given` and `other`, differ in every parameter. Each stage runs twice: in the complete project `given`, and in a
folder with only its declared files and parameters from `given`. In that folder all other files are missing, and all other
parameters are those of `other`. The outputs of both runs must be equal byte for byte: an undeclared input causes an error (a
missing file, a device that does not exist) or changes the outputs.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from aebench.storage import read_yaml
from aebench.storage.lock import WITH_WALL_TIMES

ROOT = Path(__file__).parent.parent
DATASET, MODEL, STACK, STUDY, PAPER = "given", "vae", "stacked", "weight", "small"
GIVEN = {
    "data": {"source": "digits", "test": 900, "validation": 400, "split_seed": 0},
    "training": {"epochs": 2, "batch_size": 100, "learning_rate": 0.01, "device": "cpu"},
    "compute": {"processes": 1, "threads": 1, "device": "cpu"},
    "evaluation": {
        "robustness": {"corruption": "masking", "level": 0.2, "images": 20, "levels": {"masking": [0.5]}},
        "out_of_distribution": {"images": 20},
        "compression": {"images": 20, "bits": [2], "budgets": [16]},
        "embedding": {"images": 100, "neighbours": 5, "perplexity": 10.0, "components": 2, "exaggerated": 10, "iterations": 10},
        "contraction": {"images": 5, "spectra": 5},
        "generation": {"samples": 20, "mixture_components": 2, "mixture_axes": 2, "mixture_codes": 100, "mixture_rounds": 3},
        "density": {"images": 5, "samples": 20, "draws": 5, "directions": 4, "steps": 1, "validation_images": 5, "levels": 17},
        "pictures": {"reconstructions": 5, "scatter_per_class": 10},
    },
    "linear_probe": {"per_class": [5], "fractions": [0.5, 1.0]},
    "feature_classifier": {"hidden": [16], "updates": 50},
    "remarks": ["A remark."],
    "models": {MODEL: {"kind": "variational", "hidden": [8], "latent_dim": 2}},
    "stacks": {
        STACK: {
            "kind": "stacked",
            "layers": [{"kind": "vanilla", "latent_dim": 6}, {"kind": "sparse", "latent_dim": 3, "weight": 0.1}],
            "classifier": {"fractions": [0.5], "updates": 5, "batch_size": 50, "learning_rate": 0.01},
        }
    },
    "studies": {
        STUDY: {
            "kind": "sweep",
            "question": "What?",
            "vary": "weight",
            "values": [0.1, 1.0],
            "models": {"sae": {"kind": "sparse", "latent_dim": 4}},
            "metrics": ["sse", "linear_probe"],
        }
    },
}
OTHER = {
    "data": {"source": "digits", "test": 800, "validation": 300, "split_seed": 1},
    "training": {"epochs": 1, "batch_size": 50, "learning_rate": 0.1, "device": "cuda"},
    "compute": {"processes": 2, "threads": 2, "device": "cuda"},
    "evaluation": {
        "robustness": {"corruption": "gaussian", "level": 0.1, "images": 10, "levels": {"gaussian": [0.1]}},
        "out_of_distribution": {"images": 10},
        "compression": {"images": 10, "bits": [3], "budgets": [32]},
        "embedding": {"images": 90, "neighbours": 6, "perplexity": 9.0, "components": 3, "exaggerated": 9, "iterations": 9},
        "contraction": {"images": 4, "spectra": 4},
        "generation": {"samples": 10, "mixture_components": 3, "mixture_axes": 1, "mixture_codes": 90, "mixture_rounds": 2},
        "density": {"images": 4, "samples": 10, "draws": 4, "directions": 3, "steps": 2, "validation_images": 4, "levels": 9},
        "pictures": {"reconstructions": 4, "scatter_per_class": 9},
    },
    "linear_probe": {"per_class": [6], "fractions": [0.4, 1.0]},
    "feature_classifier": {"hidden": [8], "updates": 20, "seed": 1},
    "remarks": ["Another remark."],
    "models": {MODEL: {"kind": "sparse", "latent_dim": 5, "weight": 0.1}, "other": {"kind": "raw_pixels"}},
    "stacks": {
        STACK: {
            "kind": "stacked",
            "layers": [{"kind": "vanilla", "latent_dim": 4}],
            "classifier": {"fractions": [0.2], "updates": 3, "batch_size": 20, "learning_rate": 0.1},
            "training": {"epochs": 3},
        }
    },
    "studies": {
        STUDY: {
            "kind": "sweep",
            "question": "Why?",
            "vary": "target",
            "values": [0.2, 0.3],
            "models": {"sae": {"kind": "sparse", "latent_dim": 5, "weight": 1.0}},
            "metrics": ["sse"],
        }
    },
}
GIVEN_PAPER = {
    "title": "A (2000)",
    "reference": "A: A paper",
    "data": {"source": "digits", "test": 900, "validation": 400, "hold_out": "random", "split_seed": 0},
    "seeds": [1, 2],
    "training": {"epochs": 2, "batch_size": 100, "learning_rate": 0.01, "device": "cpu"},
    "compute": {"processes": 1, "threads": 1, "device": "cpu"},
    "runs": {
        "ae": {
            "model": {"kind": "vanilla", "latent_dim": 4, "code_activation": "sigmoid"},
            "classifier": {"optimiser": "sgd"},
            "measures": ["sse", "jacobian", "classification_error"],
        }
    },
    "rows": [{"title": "AE", "run": "ae", "measure": "sse", "published": 1.0, "band": [0, 9], "source": "Table 1"}],
}
OTHER_PAPER = {
    "title": "B (2001)",
    "reference": "B: Another paper",
    "data": {"source": "digits", "test": 800, "validation": 300, "hold_out": "last", "split_seed": 1},
    "seeds": [3],
    "training": {"epochs": 1, "batch_size": 50, "learning_rate": 0.1, "device": "cuda"},
    "compute": {"processes": 2, "threads": 2, "device": "cuda"},
    "runs": {"ae": {"model": {"kind": "pca", "latent_dim": 2}, "measures": ["sse"]}},
    "rows": [{"title": "PCA", "run": "ae", "measure": "sse", "published": 2.0, "band": [1, 8], "source": "Table 2"}],
}
SUITE = {"datasets": [DATASET], "models": [MODEL], "stacks": [STACK], "studies": [STUDY], "papers": [PAPER], "seeds": [0, 1]}
OTHER_SUITE = {"datasets": ["other"], "models": ["other"], "stacks": [], "studies": [], "papers": [], "seeds": [2]}
STAGES = (
    "prepare", "train", "pretrain", "finetune", "train_feature_classifier", "evaluate", "evaluate_stack", "classify",
    "classify_stack", "study", "reproduce", "report", "index",
)  # fmt: skip
"""All stages but `check`, which depends on all code and parameters, and `track`, which depends on all results."""
UNDECLARED = {"index": [f"reports/{DATASET}"], "report": [f"reports/{DATASET}/studies"]}
"""Undeclared inputs by stage, in Git: `index` reads the claims of all reports, `report` the studies of its data set."""


def declared(stage):
    """The command, deps, params (file -> keys, None for all) and outs of a stage in dvc.yaml, for MODEL or STACK."""
    model = MODEL if stage in ("train", "evaluate", "classify") else STACK
    entry = PIPELINE[stage]
    text = json.dumps({part: entry.get(part, []) for part in ("cmd", "deps", "params", "outs", "metrics", "plots")})
    entry = json.loads(
        text.replace("${item.dataset}", DATASET)
        .replace("${item.model}", model)
        .replace("${item.study}", STUDY)
        .replace("${item.paper}", PAPER)
    )
    params = {"params.yaml": []}
    for each in entry["params"]:
        if isinstance(each, str):
            params["params.yaml"].append(each)
        else:
            params |= each
    outs = [next(iter(out)) if isinstance(out, dict) else out for part in ("outs", "metrics", "plots") for out in entry[part]]
    return entry["cmd"].split()[2:], entry["deps"] + UNDECLARED.get(stage, []), params, outs


PIPELINE = YAML(typ="safe", pure=True).load(ROOT / "dvc.yaml")["stages"]


def write(file, document):
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as stream:
        YAML().dump(document, stream)


def mixed(given, other, keys):
    """The document `other` with the values of these keys from `given`."""
    if keys is None:
        return given
    result = json.loads(json.dumps(other))
    for key in keys:
        *parents, last = key.split(".")
        source, target = given, result
        for parent in parents:
            source, target = source[parent], target.setdefault(parent, {})
        target[last] = source[last]
    return result


def copy(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copy(source, target)


def alone(stage, complete, folder):
    """Write the declared inputs of a stage to a new folder."""
    _, deps, params, _ = declared(stage)
    write(folder / "params.yaml", mixed({"suite": SUITE}, {"suite": OTHER_SUITE}, params["params.yaml"]))
    write(folder / f"conf/{DATASET}.yaml", mixed(GIVEN, OTHER, params.get(f"conf/{DATASET}.yaml", [])))
    write(folder / f"conf/papers/{PAPER}.yaml", mixed(GIVEN_PAPER, OTHER_PAPER, params.get(f"conf/papers/{PAPER}.yaml", [])))
    for dep in deps:
        if (complete / dep).exists():
            copy(complete / dep, folder / dep)


def run(jobs, errors):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    jobs = [(command, str(folder), str(errors / name)) for name, (command, folder) in jobs.items()]
    command = [sys.executable, ROOT / "tests/run_stages.py"]
    subprocess.run(command, input=json.dumps(jobs), text=True, env=environment, check=True)


def text_of(file):
    return file.read_text() if file.exists() else ""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The complete project after every stage, the folders in which single stages ran, and the folder of their errors."""
    complete, folders, errors = (tmp_path_factory.mktemp(name) for name in ("complete", "alone", "errors"))
    write(complete / "params.yaml", {"suite": SUITE})
    write(complete / f"conf/{DATASET}.yaml", GIVEN)
    write(complete / f"conf/papers/{PAPER}.yaml", GIVEN_PAPER)
    jobs = {"check": (["stages.check"], complete)} | {stage: (declared(stage)[0], complete) for stage in STAGES}
    run(jobs, errors)
    assert not list(errors.iterdir()), text_of(next(errors.iterdir()))
    for stage in STAGES:
        alone(stage, complete, folders / stage)
    run({stage: (declared(stage)[0], folders / stage) for stage in STAGES}, errors)
    return complete, folders, errors


def contents(folder, outs):
    """Map the path of each output file to its bytes, except files with wall times."""
    paths = [path for out in outs for path in [folder / out, *(folder / out).rglob("*")]]
    paths = [path.relative_to(folder) for path in paths if path.is_file()]
    return {path: without_wall_times(folder / path) for path in paths if not set(path.parts) & set(WITH_WALL_TIMES)}


def without_wall_times(file):
    """The content of a file; of the results of a paper without seconds, memory and environment."""
    if file.parent.name == "papers" and file.suffix == ".json":
        return json.loads(file.read_text())["settings"]
    if file.parent.name == "papers":
        return [line.split(",")[:4] for line in file.read_text().splitlines()]
    return file.read_bytes()


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_reads_only_its_declared_inputs(runs, stage):
    complete, folders, errors = runs
    assert not text_of(errors / stage), text_of(errors / stage)
    outs = declared(stage)[3]
    expected, actual = contents(complete, outs), contents(folders / stage, outs)
    assert expected.keys() == actual.keys() and expected
    assert not [str(path) for path in expected if expected[path] != actual[path]]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_the_code_behind_it(stage):
    command, deps, *_ = declared(stage)
    verb, model_code = command[0].removeprefix("stages."), f"runs/code/{'/'.join(command[1:])}.json"
    code = {model_code if verb in ("train", "pretrain", "finetune") else f"runs/code/{verb}.json"}
    if verb in ("evaluate", "classify"):
        code.add(model_code)  # the code that turns weights into a model
    if verb == "study":
        code = {f"runs/code/{DATASET}/studies/{STUDY}.json"}
    if verb == "reproduce":
        code = {f"runs/code/papers/{PAPER}.json"}
    if verb == "prepare":
        code = {f"runs/code/{DATASET}/prepare.json"}
    if verb in ("report", "index"):
        files = [path.relative_to(ROOT) for path in (ROOT / "aebench/reporting").rglob("*") if path.is_file()]
        code |= {"/".join(path.parts[:3]) for path in files if path.suffix not in (".py", ".pyc")}
    assert code <= set(deps)


def test_the_two_projects_differ_in_every_parameter():
    def leaves(tree, path=""):
        for key, value in tree.items():
            yield from leaves(value, f"{path}{key}.") if isinstance(value, dict) else [(path + key, value)]

    given, other = dict(leaves(GIVEN)), dict(leaves(OTHER))
    same = {key for key in given.keys() & other.keys() if given[key] == other[key]}
    assert same == {"data.source", f"stacks.{STACK}.kind", f"studies.{STUDY}.kind", f"studies.{STUDY}.models.sae.kind"}
    assert GIVEN.keys() == OTHER.keys() == read_yaml(ROOT / "conf/smoke.yaml").keys() - {"search"} | {"remarks"}
